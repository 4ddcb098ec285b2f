"""Checks a record against the outline and names each fault it finds.

It proves faults, not their absence: a section is aligned when no check below finds anything. A
paraphrase that the matcher does not know is given the benefit of the doubt.
"""

import random
import re
from collections.abc import Callable, Container, Iterator, Mapping, Sequence

from bench.backbones.requests import Judge, SectionVerdict, Verdict
from bench.backbones.rules.phrases import RELATIVES, may_name, resembles, states, stating, words
from bench.backbones.rules.results import LEVELS, readings
from bench.knowledge.library import Library
from bench.knowledge.outline import AGE_GROUPS, Outline, Quantity
from bench.records.record import SECTIONS, RecordSections, Section

Faults = Iterator[tuple[Section, str]]

_YEARS = re.compile(r"\b(\d{1,3})\s++years?\b", re.IGNORECASE)
_SPAN = re.compile(r"\b(\d++(?:\.\d++)?+)\s++(hour|day|week|month|year)s?\b", re.IGNORECASE)
_HOURS = {"hour": 1.0, "day": 24.0, "week": 168.0, "month": 730.0, "year": 8766.0}
_SIDES = frozenset(["left", "right", "upper", "lower"])
_VAGUE = _SIDES | frozenset(words("feeling increased loss mild poor reduced severe"))
"""Words of symptoms that tell nothing of the disease."""
_BARRED = {
    "male": ("pregnant", "menopause", "postmenopausal", "ovarian", "hysterectomy"),
    "female": ("prostate", "testicular", "testis", "scrotum", "vasectomy"),
}
"""What a history cannot hold, by gender."""
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
    verdicts = {
        section: SectionVerdict(
            reasons="; ".join(reasons) or "No check of the outline found a fault.",
            aligned=not reasons,
        )
        for section, reasons in faults.items()
    }
    return Verdict(**verdicts)


def _who(record: RecordSections, outline: Outline) -> Faults:
    basic = record.basic_information
    if outline.sex not in ("any", basic.gender):
        yield "basic_information", f"{outline.name} occurs in {outline.sex} patients only"
    # Like age_group: whoever is older belongs to the oldest.
    if outline.band(min(basic.age, AGE_GROUPS["elderly"][1])) is None:
        known = ", ".join(f"{band.low}-{band.high}" for band in outline.ages)
        yield "basic_information", f"age {basic.age} is outside the plausible ages ({known})"


def _past(record: RecordSections, outline: Outline) -> Faults:
    age, gender = record.basic_information.age, record.basic_information.gender
    own = record.epidemiology
    for statement in filter(_of_patient, (*own.medical_history, *own.lifestyle)):
        if any(int(years) > age for years in _YEARS.findall(statement)):
            yield "epidemiology", f"{statement!r} reaches back before birth at age {age}"
    for statement in filter(_of_patient, own.medical_history):
        if any(states(statement, word) for word in _BARRED.get(gender, ())):
            yield "epidemiology", f"{statement!r} cannot be said of a {gender} patient"


def _of_patient(statement: str) -> bool:
    """Whether a statement names no relative, of whom it may be said."""
    return RELATIVES.isdisjoint(words(statement))


def _illness(record: RecordSections, outline: Outline) -> Faults:
    illness = record.disease_information
    if not may_name(illness.disease, (outline.name, *outline.synonyms)):
        yield "disease_information", f"the disease is {illness.disease!r}, not {outline.name}"
    known = [(symptom.name, *symptom.phrases) for symptom in outline.symptoms]
    named = {word for names in known for word in words(names[0])} - _VAGUE
    # One word that is not known may be the medical term for one that is ("polyuria").
    if not any(
        len(said := words(symptom)) == 1
        or named & set(said)
        or any(resembles(symptom, names) for names in known)
        for symptom in illness.symptoms
    ):
        yield "disease_information", f"no symptom is typical of {outline.name}"
    for symptom in illness.symptoms:
        if any(states(symptom, negative) for negative in outline.pertinent_negatives):
            yield "disease_information", f"{symptom!r} speaks against {outline.name}"


def _duration(record: RecordSections, outline: Outline) -> Faults:
    """One span that fits is enough: another may tell of a trigger or of an older complaint."""
    spans = list(_SPAN.finditer(record.disease_information.duration))
    usual = outline.course.duration.values()
    shortest = min(span.low * _HOURS[span.unit[:-1]] for span in usual) / SPAN_TOLERANCE
    longest = max(span.high * _HOURS[span.unit[:-1]] for span in usual) * SPAN_TOLERANCE
    if outline.course.lifelong:
        longest = max(longest, record.basic_information.age * _HOURS["year"])
    hours = [float(span[1]) * _HOURS[span[2].lower()] for span in spans]
    if spans and not any(shortest <= length <= longest for length in hours):
        shown = " and ".join(span[0] for span in spans)
        yield "disease_information", f"a duration of {shown} does not fit {outline.name}"


def _examined(record: RecordSections, outline: Outline) -> Faults:
    if not record.examination_results:
        yield "examination_results", "no examination is reported"
    for reading in readings(record, outline):
        if reading.value is None:
            continue
        made = reading.examination
        shown = f"{made.test} {made.value} {made.unit or ''}".strip()
        if reading.reference and reading.claimed and reading.level not in reading.claimed:
            yield (
                "examination_results",
                f"{shown} is {reading.level} against {reading.reference.printed()}, "
                f"but the finding says {made.finding!r}",
            )
        if reading.quantity is not None:
            for fault in _unexpected(reading.value, reading.level, reading.quantity):
                yield "examination_results", f"{shown} {fault}"


def _unexpected(value: float, level: str | None, quantity: Quantity) -> Iterator[str]:
    """What is odd about a number in a patient with the disease."""
    lowest = min(span.low for span in quantity.patient_range.values())
    highest = max(span.high for span in quantity.patient_range.values())
    level = level or quantity.expected
    # About zero (a base excess, a T-score) a factor says nothing below, so the reach is symmetric.
    reach = VALUE_TOLERANCE * max(abs(lowest), abs(highest))
    least = lowest / VALUE_TOLERANCE if lowest >= 0 else -reach
    # Where low results are expected, one too low to be measured is none too low.
    too_low = value < least and quantity.expected != "low"
    if quantity.expected not in ("variable", level) and not lowest <= value <= highest:
        yield f"is {level}, where {quantity.expected} is expected in this disease"
    elif level != "normal" and (value > reach or too_low):
        yield f"is not a plausible result (about {lowest:g} to {highest:g})"


def _together(record: RecordSections, outline: Outline) -> Faults:
    statements = list(_statements(record))
    measured: dict[frozenset[str], set[str]] = {}
    for reading in readings(record, outline):
        levels = [reading.level] if reading.level else reading.claimed
        measured.setdefault(frozenset(words(reading.test)), set()).update(levels)
    for rule in outline.never_together:
        places = [place for fact in rule.facts if (place := _place(fact, statements, measured))]
        if len(places) == len(rule.facts) and _same_side(rule.facts, [side for _, side in places]):
            last = max((section for section, _ in places), key=SECTIONS.index)
            yield last, f"{' with '.join(map(repr, rule.facts))} cannot be: {rule.because}"


def _same_side(facts: Sequence[str], sides: Sequence[frozenset[str]]) -> bool:
    """Whether the sides agree, with or without those that the facts themselves name.

    Wasting on the right and full muscles on the left are no contradiction.
    """
    added = {side.difference(words(fact)) for fact, side in zip(facts, sides, strict=True)}
    return len(added) == 1 or len(set(sides)) == 1


def _place(
    fact: str,
    statements: Sequence[tuple[Section, str]],
    measured: Mapping[frozenset[str], Container[str]],
) -> tuple[Section, frozenset[str]] | None:
    """The section that states a fact, and the sides of the body that it names with it.

    "TEST high" is looked up among the levels of that test, which are `measured` by its words.
    """
    name, _, level = fact.rpartition(" ")
    test = frozenset(words(name))
    if level in LEVELS and test in measured:
        return ("examination_results", _SIDES & test) if level in measured[test] else None
    for section, text in statements:
        clause = stating(text, fact)
        if clause is not None and (_of_patient(text) or not _of_patient(fact)):
            return section, _SIDES & set(clause)
    return None


def _statements(record: RecordSections) -> Iterator[tuple[Section, str]]:
    """Everything the record says of the patient, statement by statement."""
    own, illness = record.epidemiology, record.disease_information
    for statement in (*own.medical_history, *own.lifestyle, *own.vaccination_history):
        yield "epidemiology", statement
    for statement in (*illness.symptoms, illness.duration):
        yield "disease_information", statement
    for examination in record.examination_results:
        yield "examination_results", f"{examination.test} {examination.finding}"


Check = Callable[[RecordSections, Outline], Faults]
CHECKS: tuple[Check, ...] = (_who, _past, _illness, _duration, _examined, _together)
