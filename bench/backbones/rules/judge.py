"""Checks a record against the outline and names each fault it finds.

It proves faults, not their absence: a section is aligned when no check below finds anything. A
paraphrase that the matcher does not know is given the benefit of the doubt.
"""

import random
import re
from collections.abc import Callable, Iterator

from bench.backbones.rules.matching import resembles, same_name, states, words
from bench.backbones.tasks import Judge, SectionVerdict, Verdict
from bench.knowledge.library import Library
from bench.knowledge.outline import (
    ExaminationGuide,
    Gender,
    Outline,
    Reference,
    age_group,
)
from bench.records.record import SECTIONS, Examination, RecordSections, Section

Check = Callable[[RecordSections, Outline], Iterator[tuple[Section, str]]]

_YEARS = re.compile(r"\b(\d{1,3})\s+years?\b", re.IGNORECASE)
_SPAN = re.compile(r"\b(\d+(?:\.\d+)?)\s+(hour|day|week|month|year)s?\b", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)*")
_RANGE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:-|–|to)\s*(\d+(?:\.\d+)?)")
_HOURS = {"hour": 1.0, "day": 24.0, "week": 168.0, "month": 730.0, "year": 8766.0}
_LEVEL_WORDS = {
    "high": frozenset(["above", "elevated", "high", "increased", "raised"]),
    "low": frozenset(["below", "decreased", "low", "reduced"]),
    "normal": frozenset(["normal", "within", "unremarkable"]),
}
_FEMALE_ONLY = ("pregnant", "menopause", "postmenopausal", "ovarian", "hysterectomy")
_MALE_ONLY = ("prostate", "testicular", "testis", "scrotum", "vasectomy")
SPAN_TOLERANCE = 4.0
"""A duration may lie outside the outline's by this factor before it counts as a fault."""
VALUE_TOLERANCE = 4.0
"""A measured value may exceed the outline's plausible range by this factor."""


def judge(task: Judge, library: Library, drawn: random.Random) -> Verdict:
    """The verdict on each section of a record; `library` and `drawn` are not needed."""
    faults: dict[Section, list[str]] = {section: [] for section in SECTIONS}
    for check in CHECKS:
        for section, fault in check(task.record, task.outline):
            if fault not in faults[section]:
                faults[section].append(fault)
    told = {
        section: SectionVerdict(
            reasons="; ".join(found) if found else "No check of the outline found a fault.",
            aligned=not found,
        )
        for section, found in faults.items()
    }
    return Verdict(**told)


def _who(record: RecordSections, outline: Outline) -> Iterator[tuple[Section, str]]:
    basic = record.basic_information
    if outline.sex not in ("any", basic.gender):
        yield "basic_information", f"{outline.name} occurs in {outline.sex} patients only"
    if outline.band(basic.age) is None:
        known = ", ".join(f"{band.low}-{band.high}" for band in outline.ages)
        yield "basic_information", f"age {basic.age} is outside the plausible ages ({known})"


def _past(record: RecordSections, outline: Outline) -> Iterator[tuple[Section, str]]:
    age, gender = record.basic_information.age, record.basic_information.gender
    own = record.epidemiology
    for statement in (*own.medical_history, *own.lifestyle):
        for years in _YEARS.findall(statement):
            if int(years) > age:
                yield "epidemiology", f"{statement!r} reaches back before birth at age {age}"
    barred = {"male": _FEMALE_ONLY, "female": _MALE_ONLY}.get(gender, ())
    for statement in own.medical_history:
        for word in barred:
            if states(statement, word):
                yield "epidemiology", f"{statement!r} cannot be said of a {gender} patient"


def _illness(record: RecordSections, outline: Outline) -> Iterator[tuple[Section, str]]:
    told = record.disease_information
    if not any(same_name(told.disease, name) for name in (outline.name, *outline.synonyms)):
        yield "disease_information", f"the disease is {told.disease!r}, not {outline.name}"
    if not any(
        resembles(symptom, (known.name, *known.phrases))
        for symptom in told.symptoms
        for known in outline.symptoms
    ):
        yield "disease_information", f"no symptom is typical of {outline.name}"
    for symptom in told.symptoms:
        for negative in outline.pertinent_negatives:
            if states(symptom, negative):
                yield "disease_information", f"{symptom!r} speaks against {outline.name}"


def _duration(record: RecordSections, outline: Outline) -> Iterator[tuple[Section, str]]:
    found = _SPAN.search(record.disease_information.duration)
    if found is None:
        return
    hours = float(found[1]) * _HOURS[found[2].lower()]
    spans = outline.course.duration.values()
    shortest = min(span.low * _HOURS[span.unit[:-1]] for span in spans)
    longest = max(span.high * _HOURS[span.unit[:-1]] for span in spans)
    if not shortest / SPAN_TOLERANCE <= hours <= longest * SPAN_TOLERANCE:
        yield "disease_information", f"a duration of {found[0]} does not fit {outline.name}"


def _examined(record: RecordSections, outline: Outline) -> Iterator[tuple[Section, str]]:
    if not record.examination_results:
        yield "examination_results", "no examination is reported"
    for examination in record.examination_results:
        value = number(examination.value)
        guide = find_guide(examination, outline)
        if value is None:
            continue
        reference = _reference(record, examination, guide)
        if reference is not None:
            yield from _level_agrees(examination, value, reference)
        if guide is not None and guide.quantity is not None:
            yield from _value_expected(examination, value, guide, reference)


def _level_agrees(
    examination: Examination, value: float, reference: Reference
) -> Iterator[tuple[Section, str]]:
    """The words of a result against its own number and reference range."""
    level = reference.level(value)
    said = set(words(examination.finding))
    claimed = [name for name, signs in _LEVEL_WORDS.items() if said & signs]
    if claimed and level not in claimed:
        shown = f"{examination.test} {examination.value} {examination.unit or ''}".strip()
        yield (
            "examination_results",
            f"{shown} is {level} against {reference.printed()}, "
            f"but the finding says {examination.finding!r}",
        )


def _value_expected(
    examination: Examination, value: float, guide: ExaminationGuide, reference: Reference | None
) -> Iterator[tuple[Section, str]]:
    """A number against what the outline expects of patients with the disease."""
    quantity = guide.quantity
    if quantity is None:
        return
    shown = f"{examination.test} {examination.value} {examination.unit or ''}".strip()
    if examination.unit and not _same_unit(examination.unit, quantity.unit):
        return
    lowest = min(span.low for span in quantity.patient_range.values())
    highest = max(span.high for span in quantity.patient_range.values())
    level = quantity.expected if reference is None else reference.level(value)
    if quantity.expected not in ("variable", level) and not lowest <= value <= highest:
        yield (
            "examination_results",
            f"{shown} is {level}, where {quantity.expected} is expected in this disease",
        )
    elif value > highest * VALUE_TOLERANCE or value < lowest / VALUE_TOLERANCE:
        plausible = f"about {lowest:g} to {highest:g}"
        yield "examination_results", f"{shown} is not a plausible result ({plausible})"


def _together(record: RecordSections, outline: Outline) -> Iterator[tuple[Section, str]]:
    told = list(_statements(record))
    levels = list(_levels(record, outline))
    for rule in outline.never_together:
        places: list[Section] = []
        for fact in rule.facts:
            found = _place(fact, told, levels)
            if found is None:
                break
            places.append(found)
        else:
            last = max(places, key=SECTIONS.index)
            yield last, f"{' with '.join(map(repr, rule.facts))} cannot be: {rule.because}"


def _place(
    fact: str, told: list[tuple[Section, str]], levels: list[tuple[str, str]]
) -> Section | None:
    """The section that states a fact; "TEST high" is looked up among the results of that test."""
    test, _, level = fact.rpartition(" ")
    if level in _LEVEL_WORDS and any(same_name(test, name) for name, _ in levels):
        held = any(same_name(test, name) and level == found for name, found in levels)
        return "examination_results" if held else None
    return next((section for section, text in told if states(text, fact)), None)


def _levels(record: RecordSections, outline: Outline) -> Iterator[tuple[str, str]]:
    """Each test with "high", "low" or "normal", by its number or else by the finding's words."""
    for examination in record.examination_results:
        value = number(examination.value)
        guide = find_guide(examination, outline)
        reference = _reference(record, examination, guide)
        name = guide.test if guide is not None else examination.test
        if value is not None and reference is not None:
            yield name, reference.level(value)
        else:
            said = set(words(examination.finding))
            yield from ((name, level) for level, signs in _LEVEL_WORDS.items() if said & signs)


def _statements(record: RecordSections) -> Iterator[tuple[Section, str]]:
    """Everything the record says of the patient, statement by statement."""
    own = record.epidemiology
    for statement in (*own.medical_history, *own.lifestyle, *own.vaccination_history):
        yield "epidemiology", statement
    illness = record.disease_information
    for statement in (*illness.symptoms, illness.duration):
        yield "disease_information", statement
    for examination in record.examination_results:
        yield "examination_results", f"{examination.test} {examination.finding}"


def find_guide(examination: Examination, outline: Outline) -> ExaminationGuide | None:
    """The outline's examination of the same name; else the one whose name it contains."""
    named = set(words(examination.test))
    for guide in outline.examinations:
        if set(words(guide.test)) == named:
            return guide
    for guide in outline.examinations:
        if set(words(guide.test)) <= named or (named and named <= set(words(guide.test))):
            return guide
    return None


def _reference(
    record: RecordSections, examination: Examination, guide: ExaminationGuide | None
) -> Reference | None:
    """The reference interval printed in the record, or else the outline's."""
    printed = (examination.reference_range or "").strip()
    if found := _RANGE.search(printed):
        low, high = float(found[1]), float(found[2])
        return Reference(low=low, high=high) if low < high else None
    limit = number(printed)
    if limit is not None and printed.startswith(("<", "≤")):
        return Reference(high=limit)
    if limit is not None and printed.startswith((">", "≥")):
        return Reference(low=limit)
    if guide is None or guide.quantity is None:
        return None
    if examination.unit and not _same_unit(examination.unit, guide.quantity.unit):
        return None
    basic = record.basic_information
    gender: Gender = "female" if basic.gender == "female" else "male"
    return guide.quantity.reference_for(gender, age_group(basic.age))


def number(text: str | None) -> float | None:
    """The number a value is, thousands separators allowed; none if it is not one number."""
    found = _NUMBER.findall((text or "").replace("\N{THIN SPACE}", ""))
    if len(found) != 1:
        return None
    plain = re.sub(r",(?=\d{3}(?:\D|$))", "", found[0]).replace(",", ".")
    try:
        return float(plain)
    except ValueError:
        return None


def _same_unit(one: str, other: str) -> bool:
    def plain(unit: str) -> str:
        return unit.lower().replace(" ", "").replace("μ", "u").replace("µ", "u").replace("iu", "u")

    return plain(one) == plain(other)


CHECKS: tuple[Check, ...] = (_who, _past, _illness, _duration, _examined, _together)
