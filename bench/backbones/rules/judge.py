"""Checks a record against the outline and names each fault it finds.

It proves faults, not their absence: a section is aligned when no check below finds anything. A
paraphrase that the matcher does not know is given the benefit of the doubt.
"""

import random
import re
from collections.abc import Callable, Iterator, Sequence

from bench.backbones.requests import Judge, SectionVerdict, Verdict
from bench.backbones.rules.matching import (
    may_name,
    resembles,
    same_name,
    sentences,
    states,
    stating,
    words,
)
from bench.knowledge.library import Library
from bench.knowledge.outline import (
    AGE_GROUPS,
    ExaminationGuide,
    Gender,
    Outline,
    Quantity,
    Reference,
    age_group,
)
from bench.records.record import SECTIONS, Examination, RecordSections, Section

Check = Callable[[RecordSections, Outline], Iterator[tuple[Section, str]]]

_YEARS = re.compile(r"\b(\d{1,3})\s+years?\b", re.IGNORECASE)
_SPAN = re.compile(r"\b(\d+(?:\.\d+)?)\s+(hour|day|week|month|year)s?\b", re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?\d+(?:[.,]\d+)*")
_RANGE = re.compile(r"(-?\d+(?:[.,]\d+)*)\s*(?:-|–|—|to)\s*(-?\d+(?:[.,]\d+)*)")
_POWER = re.compile(r"[x×*]\s*10\S*|\b10[\^*⁰¹²³⁴-⁹]\S*", re.IGNORECASE)
"""A power of ten in a unit, for instance in "4.5-11.0 x10^3/µL"."""
_HOURS = {"hour": 1.0, "day": 24.0, "week": 168.0, "month": 730.0, "year": 8766.0}
_LEVEL_WORDS = {
    "high": frozenset(["above", "elevated", "high", "increased", "raised"]),
    "low": frozenset(["below", "decreased", "low", "reduced"]),
    "normal": frozenset(["normal", "within", "unremarkable"]),
}
# With these words alone, and those of the test, a clause says nothing but its level: not so "not
# elevated", "three times the upper limit of normal" or "normal platelets".
_LEVEL_COMPANY = frozenset(
    words(
        "clearly level limit markedly mildly moderately range reference result severely "
        "significantly slightly study value"
    )
)
_SIDES = frozenset(["left", "right", "upper", "lower"])
_VAGUE = _SIDES | frozenset(words("feeling increased loss mild poor reduced severe"))
"""Words of symptoms that tell nothing of the disease."""
_RELATIVES = frozenset(
    words(
        "aunt brother child children cousin dad daughter family father grandchildren grandfather "
        "grandmother husband mom mother parent partner relative sibling sister son spouse uncle "
        "wife"
    )
)
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
    # Like age_group: whoever is older belongs to the oldest.
    if outline.band(min(basic.age, AGE_GROUPS["elderly"][1])) is None:
        known = ", ".join(f"{band.low}-{band.high}" for band in outline.ages)
        yield "basic_information", f"age {basic.age} is outside the plausible ages ({known})"


def _past(record: RecordSections, outline: Outline) -> Iterator[tuple[Section, str]]:
    age, gender = record.basic_information.age, record.basic_information.gender
    own = record.epidemiology
    for statement in filter(_of_patient, (*own.medical_history, *own.lifestyle)):
        for years in _YEARS.findall(statement):
            if int(years) > age:
                yield "epidemiology", f"{statement!r} reaches back before birth at age {age}"
    barred = {"male": _FEMALE_ONLY, "female": _MALE_ONLY}.get(gender, ())
    for statement in filter(_of_patient, own.medical_history):
        for word in barred:
            if states(statement, word):
                yield "epidemiology", f"{statement!r} cannot be said of a {gender} patient"


def _of_patient(statement: str) -> bool:
    """Whether a statement names no relative, of whom it may be said."""
    return not _RELATIVES & set(words(statement.replace("'s", "").replace("’s", "")))


def _illness(record: RecordSections, outline: Outline) -> Iterator[tuple[Section, str]]:
    told = record.disease_information
    if not may_name(told.disease, (outline.name, *outline.synonyms)):
        yield "disease_information", f"the disease is {told.disease!r}, not {outline.name}"
    known = [(symptom.name, *symptom.phrases) for symptom in outline.symptoms]
    named = {word for names in known for word in words(names[0])} - _VAGUE
    # One word that is not known may be the medical term for one that is ("polyuria").
    if not any(
        len(said := words(symptom)) == 1
        or named & set(said)
        or any(resembles(symptom, names) for names in known)
        for symptom in told.symptoms
    ):
        yield "disease_information", f"no symptom is typical of {outline.name}"
    for symptom in told.symptoms:
        for negative in outline.pertinent_negatives:
            if states(symptom, negative):
                yield "disease_information", f"{symptom!r} speaks against {outline.name}"


def _duration(record: RecordSections, outline: Outline) -> Iterator[tuple[Section, str]]:
    """One span that fits is enough: another may tell of a trigger or of an older complaint."""
    told = list(_SPAN.finditer(record.disease_information.duration))
    spans = outline.course.duration.values()
    shortest = min(span.low * _HOURS[span.unit[:-1]] for span in spans) / SPAN_TOLERANCE
    longest = max(span.high * _HOURS[span.unit[:-1]] for span in spans) * SPAN_TOLERANCE
    if outline.course.lifelong:
        longest = max(longest, record.basic_information.age * _HOURS["year"])
    hours = [float(found[1]) * _HOURS[found[2].lower()] for found in told]
    if told and not any(shortest <= length <= longest for length in hours):
        shown = " and ".join(found[0] for found in told)
        yield "disease_information", f"a duration of {shown} does not fit {outline.name}"


def _examined(record: RecordSections, outline: Outline) -> Iterator[tuple[Section, str]]:
    if not record.examination_results:
        yield "examination_results", "no examination is reported"
    for examination in record.examination_results:
        value = number(examination.value)
        guide = find_guide(record, examination, outline)
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
    claimed = [
        name
        for sentence in sentences(examination.finding)
        for clause in sentence
        for name in _claimed(clause, examination.test)
    ]
    if claimed and level not in claimed:
        shown = f"{examination.test} {examination.value} {examination.unit or ''}".strip()
        yield (
            "examination_results",
            f"{shown} is {level} against {reference.printed()}, "
            f"but the finding says {examination.finding!r}",
        )


def _claimed(clause: tuple[str, ...], test: str) -> list[str]:
    """The levels that a clause claims for the test, if it says nothing else."""
    said = set(clause) - set(words(test)) - _LEVEL_COMPANY
    if not said <= frozenset().union(*_LEVEL_WORDS.values()):
        return []
    return [name for name, signs in _LEVEL_WORDS.items() if said & signs]


def _value_expected(
    examination: Examination, value: float, guide: ExaminationGuide, reference: Reference | None
) -> Iterator[tuple[Section, str]]:
    """A number against what the outline expects of patients with the disease."""
    quantity = guide.quantity
    if quantity is None:
        return
    shown = f"{examination.test} {examination.value} {examination.unit or ''}".strip()
    if not _same_unit(examination.unit, quantity.unit):
        return
    lowest = min(span.low for span in quantity.patient_range.values())
    highest = max(span.high for span in quantity.patient_range.values())
    level = quantity.expected if reference is None else reference.level(value)
    # About zero (a base excess, a T-score) a factor says nothing below, so the reach is symmetric.
    reach = VALUE_TOLERANCE * max(abs(lowest), abs(highest))
    least = lowest / VALUE_TOLERANCE if lowest >= 0 else -reach
    # Where low results are expected, one too low to be measured is none too low.
    too_low = value < least and quantity.expected != "low"
    if quantity.expected not in ("variable", level) and not lowest <= value <= highest:
        yield (
            "examination_results",
            f"{shown} is {level}, where {quantity.expected} is expected in this disease",
        )
    elif level != "normal" and (value > reach or too_low):
        plausible = f"about {lowest:g} to {highest:g}"
        yield "examination_results", f"{shown} is not a plausible result ({plausible})"


def _together(record: RecordSections, outline: Outline) -> Iterator[tuple[Section, str]]:
    told = list(_statements(record))
    levels = list(_levels(record, outline))
    for rule in outline.never_together:
        found = [_place(fact, told, levels) for fact in rule.facts]
        places = [place for place in found if place is not None]
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
    fact: str, told: list[tuple[Section, str]], levels: list[tuple[str, str]]
) -> tuple[Section, frozenset[str]] | None:
    """The section that states a fact, and the sides of the body that it names with it.

    "TEST high" is looked up among the results of that test.
    """
    test, _, level = fact.rpartition(" ")
    if level in _LEVEL_WORDS and any(same_name(test, name) for name, _ in levels):
        held = any(same_name(test, name) and level == found for name, found in levels)
        return ("examination_results", _SIDES & set(words(fact))) if held else None
    for section, text in told:
        clause = stating(text, fact)
        if clause is not None and (_of_patient(text) or not _of_patient(fact)):
            return section, _SIDES & set(clause)
    return None


def _levels(record: RecordSections, outline: Outline) -> Iterator[tuple[str, str]]:
    """Each test with "high", "low", "normal" or "", by its number or else by the finding alone."""
    for examination in record.examination_results:
        value = number(examination.value)
        guide = find_guide(record, examination, outline)
        reference = _reference(record, examination, guide)
        name = guide.test if guide is not None else examination.test
        yield name, ""
        if value is not None and reference is not None:
            yield name, reference.level(value)
        else:
            found = _claimed(words(examination.finding), examination.test)
            yield from ((name, level) for level in found)


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


def find_guide(
    record: RecordSections, examination: Examination, outline: Outline
) -> ExaminationGuide | None:
    """The outline's examination of the same name; else the one that shares most words with it.

    One of the two names must hold the other; a name that fits several ("Intraocular pressure",
    but of which eye?) fits none.
    """
    basic = record.basic_information
    named = set(words(examination.test))
    shared: dict[int, list[ExaminationGuide]] = {}
    for guide in outline.examinations:
        if age_group(basic.age) not in guide.groups or guide.sex not in ("any", basic.gender):
            continue
        known = set(words(guide.test))
        if known == named:
            return guide
        shared.setdefault(len(known & named), []).append(guide)
    nearest = [
        guide
        for guide in shared.get(max(shared, default=0), ())
        if named and (set(words(guide.test)) <= named or named <= set(words(guide.test)))
    ]
    return nearest[0] if len(nearest) == 1 else None


def _reference(
    record: RecordSections, examination: Examination, guide: ExaminationGuide | None
) -> Reference | None:
    """The reference interval printed in the record or, where none is printed, the outline's."""
    quantity = guide.quantity if guide is not None else None
    if examination.reference_range and examination.reference_range.strip():
        printed = read_reference(examination.reference_range)
        return None if printed and _may_be_scale(printed, examination, quantity) else printed
    if quantity is None or not _same_unit(examination.unit, quantity.unit):
        return None
    basic = record.basic_information
    gender: Gender = "female" if basic.gender == "female" else "male"
    return quantity.reference_for(gender, age_group(basic.age))


def _may_be_scale(printed: Reference, examination: Examination, quantity: Quantity | None) -> bool:
    """Whether a score's printed range may be its whole scale, in which every result lies."""
    if quantity is None:
        return _same_unit(examination.unit, "points")
    highest = max(span.high for span in quantity.patient_range.values())
    reached = printed.high is not None and printed.high >= highest
    return quantity.unit == "points" and quantity.expected != "normal" and reached


def read_reference(printed: str) -> Reference | None:
    """The one interval or limit that is printed; none where there are more numbers than that."""
    plain = _POWER.sub(" ", printed).strip()
    if found := _RANGE.search(plain):
        low, high = number(found[1]), number(found[2])
        if low is None or high is None or low >= high or len(_NUMBER.findall(plain)) > 2:
            return None
        return Reference(low=low, high=high)
    limit = number(plain)
    if limit is not None and plain.startswith(("<", "≤")):
        return Reference(high=limit)
    if limit is not None and plain.startswith((">", "≥")):
        return Reference(low=limit)
    return None


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


def _same_unit(one: str | None, other: str | None) -> bool:
    """Whether two units are one; a score and a pH need none."""

    def plain(unit: str | None) -> str:
        told = (unit or "").lower().replace(" ", "").replace("μ", "u").replace("µ", "u")
        return "" if told in ("point", "points", "score", "phunits") else told.replace("iu", "u")

    return plain(one) == plain(other)


CHECKS: tuple[Check, ...] = (_who, _past, _illness, _duration, _examined, _together)
