"""Whom a statement can apply to, and how shares by severity and age combine."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.backbones.requests import Subject, Write
from bench.backbones.rules.writer import write
from bench.knowledge.course import draw_presentation
from bench.knowledge.description import describe
from bench.knowledge.library import Library
from bench.knowledge.outline import AGE_GROUPS, SEVERITIES, Outline, Symptom
from bench.records.record import SECTIONS, RecordSections

LIBRARY = Library()
SHARES = st.floats(0, 1)


def test_a_share_by_age_scales_the_share_by_severity():
    symptom = Symptom(
        name="x", typicality=0.4, by_severity={"severe": 0.6}, by_age={"children": 0.2}
    )
    assert symptom.share("severe", "adults") == 0.6
    assert symptom.share("moderate", "children") == 0.2
    assert symptom.share("severe", "children") == pytest.approx(0.3)


@given(SHARES, SHARES, SHARES)
def test_a_share_is_a_probability_and_nothing_excluded_occurs(typical, severe, old):
    symptom = Symptom(
        name="x", typicality=typical, by_severity={"severe": severe}, by_age={"elderly": old}
    )
    assert 0 <= symptom.share("severe", "elderly") <= 1
    assert symptom.share("mild", "adults") == typical
    if typical > 0 and 0 in (severe, old):
        assert symptom.share("severe", "elderly") == 0


def test_a_symptom_of_one_sex_is_not_the_others():
    symptom = Symptom(name="x", typicality=1, sex="female")
    assert symptom.share("mild", "adults", "female") == 1
    assert symptom.share("mild", "adults", "male") == 0


def changed(**fields: Any) -> Outline:
    return LIBRARY.get("ORT-02").model_copy(update=fields)


def written(outline: Outline, gender: Any, age: int, seed: int) -> RecordSections:
    subject = Subject(department="x", disease="x", gender=gender, age=age)
    task = Write(wanted=SECTIONS, subject=subject, outline=outline)
    made = write(task, LIBRARY, random.Random(seed))
    assert isinstance(made, RecordSections)
    return made


def test_nothing_in_a_history_began_before_its_age():
    plain = LIBRARY.get("ORT-02")
    data = plain.history.model_dump()
    data["medical"] = [
        {"text": "Gout diagnosed {n} years ago", "weight": 1, "from_age": 40},
        {"text": "Retired", "weight": 1, "from_age": 60},
        {"text": "Tonsils out", "weight": 1},
    ]
    outline = Outline.model_validate(plain.model_dump() | {"history": data})
    for age in range(20, 80):
        said = written(outline, "male", age, age).epidemiology.medical_history
        assert "Tonsils out" in said
        assert ("Retired" in said) == (age >= 60)
        gout = [text for text in said if text.startswith("Gout")]
        assert bool(gout) == (age > 40)
        for text in gout:
            assert 1 <= int(text.split()[2]) <= age - 40


def test_a_phrase_of_one_age_group_is_drawn_for_no_other():
    data = LIBRARY.get("ORT-02").model_dump()
    data["course"]["onset"] = [
        {"text": "after school", "groups": ["children"]},
        {"text": "after work", "groups": ["adults", "elderly"]},
    ]
    outline = Outline.model_validate(data)
    for seed in range(30):
        assert draw_presentation(outline, "male", "children", seed).onset == "after school"
        assert draw_presentation(outline, "female", "elderly", seed).onset == "after work"
    told = describe(outline)
    assert "after school (children)" in told
    assert "after work (adults/elderly)" in told


@pytest.mark.parametrize("outline", list(LIBRARY), ids=lambda outline: outline.id)
def test_everybody_has_complaints_and_nobody_those_of_the_other_sex(outline: Outline):
    sexes = ("female", "male") if outline.sex == "any" else (outline.sex,)
    for band in outline.ages:
        assert set(AGE_GROUPS) >= {band.group}
        for gender in sexes:
            for severity in SEVERITIES:
                shares = [one.share(severity, band.group, gender) for one in outline.symptoms]
                assert sum(share >= 0.1 for share in shares) >= 3, (severity, band.group, gender)
