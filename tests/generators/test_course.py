"""The course of an illness is drawn by the outline's weights."""

from collections import Counter
from typing import Any

import pytest
from pydantic import ValidationError
from rules_run import LIBRARY, Seen, context, generate
from scipy.stats import binomtest

from bench.backbones.requests import Write
from bench.knowledge.cases import plan
from bench.knowledge.course import Presentation, draw_presentation
from bench.knowledge.outline import Outline, Weighted
from generators.patient_zero import PatientZero

WEIGHTS = {"often": 7.0, "seldom": 1.0, "never": 1e-12}
DRAWN = 800
OUTLINE = LIBRARY.get(LIBRARY.diseases("Urology")[0].id)


def lopsided(**changed: Any) -> Outline:
    """An outline whose courses have the same three phrases, of very unlike weights."""
    choices = tuple(Weighted(text=text, weight=weight) for text, weight in WEIGHTS.items())
    parts = dict.fromkeys(("onset", "evolution", "triggers", "relief"), choices)
    course = OUTLINE.course.model_copy(update={**parts, **changed})
    return OUTLINE.model_copy(update={"course": course})


def drawn(outline: Outline, gender: str = "female") -> list[Presentation]:
    """The courses of many patients."""
    return [draw_presentation(outline, gender, "adults", seed) for seed in range(DRAWN)]


@pytest.mark.parametrize("part", ["onset", "evolution", "triggers", "relief"])
def test_the_share_of_a_phrase_follows_its_weight(part: str):
    """Of several phrases the first."""
    found = [getattr(course, part) for course in drawn(lopsided())]
    several = [(one,) if isinstance(one, str) else one for one in found]
    counts = Counter(phrases[0] for phrases in several)
    assert counts["never"] == 0
    assert binomtest(counts["often"], DRAWN, 7 / 8).pvalue > 1e-4
    assert all(len(set(phrases)) == len(phrases) for phrases in several)


def test_a_weight_of_nothing_is_refused():
    with pytest.raises(ValidationError, match="greater than 0"):
        Weighted(text="never", weight=0)


def test_a_phrase_of_the_other_sex_never_comes_whatever_its_weight():
    onset = (
        Weighted(text="his", weight=100, sex="male"),
        Weighted(text="anybody's", weight=1),
    )
    outline = lopsided(onset=onset)
    assert {course.onset for course in drawn(outline)} == {"anybody's"}
    assert Counter(course.onset for course in drawn(outline, "male"))["his"] > 0.9 * DRAWN


def test_a_course_depends_on_its_seed_alone():
    assert drawn(lopsided())[:20] == drawn(lopsided())[:20]
    assert len({course.duration for course in drawn(OUTLINE)}) > 3


def test_severity_bounds_the_duration():
    for course in drawn(OUTLINE):
        span = OUTLINE.course.duration[course.severity]
        number, unit = course.duration.split()
        assert span.low <= int(number) <= span.high
        assert span.unit.startswith(unit)


def test_the_full_method_tells_the_writer_the_course_of_the_case():
    cases = list(plan(LIBRARY, ["Urology"], 6, seed=2))
    seen = Seen()
    with context(generator=seen) as given:
        generate(PatientZero(), cases, given)
    by_case = {prompt.replicate.split("/")[0]: prompt.request for prompt in seen.prompts}
    for case in cases:
        task = by_case[case.id]
        listing = LIBRARY.find(case.disease)
        assert isinstance(task, Write)
        assert listing is not None
        outline = LIBRARY.get(listing.id)
        expected = draw_presentation(outline, case.gender, case.age_group, case.seed)
        assert task.presentation == expected
