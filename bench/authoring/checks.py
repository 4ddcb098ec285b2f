"""What a schema cannot see in an outline: each check names what it finds and where."""

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from bench.authoring.units import known_unit
from bench.core.schema import Model
from bench.core.text import folded, stems
from bench.core.yaml_lines import Location
from bench.knowledge.outline import (
    SEVERITIES,
    AgeGroup,
    Bound,
    ExaminationGuide,
    HistoryItem,
    Incompatible,
    Outline,
    Quantity,
    Range,
    Reference,
    Source,
)

FLOOR = {
    "symptoms": 8,
    "risk_factors": 5,
    "examinations": 4,
    "differentials": 3,
    "sources": 2,
}
"""Fewest different entries of a field; a thinner outline grounds nothing."""
LISTS = (
    "risk_factors",
    "causes",
    "pertinent_negatives",
    "complications",
    "differentials",
    "red_flags",
    "never_together",
    "sources",
)
"""Fields in which nothing stands twice."""
_ICD10 = re.compile(r"[A-Z]\d\d(\.\d{1,2})?")
_ICD10CM = re.compile(r"[A-Z]\d[0-9A-Z](\.[0-9A-Z]{1,4})?")


class OutlineFault(NamedTuple):
    """Something wrong in an outline."""

    where: Location
    """Path of the field."""
    says: str
    """What is wrong, as a sentence without its full stop."""


Check = Callable[[Outline], Iterator[OutlineFault]]


def faults(outline: Outline) -> list[OutlineFault]:
    """Everything the checks find in one outline.

    Raises:
        UserError: if the library of units is not installed.
    """
    return [fault for check in CHECKS for fault in check(outline)]


def _who(outline: Outline) -> Iterator[tuple[str, AgeGroup]]:
    """Each gender and age group in which the disease is met."""
    for gender in ("female", "male"):
        if outline.sex in ("any", gender):
            yield from ((gender, band.group) for band in outline.ages)


def _thin(outline: Outline) -> Iterator[OutlineFault]:
    for field, fewest in FLOOR.items():
        if (there := len({_key(entry) for entry in getattr(outline, field)})) < fewest:
            yield OutlineFault((field,), f"there are {there}; an outline needs {fewest} at least")
    categories = [guide.category for guide in outline.examinations]
    if "physical" not in categories:
        yield OutlineFault(("examinations",), "none is physical")
    laboratory = [guide for guide in outline.examinations if guide.category == "laboratory"]
    if laboratory and all(guide.quantity is None for guide in laboratory):
        yield OutlineFault(("examinations",), "no laboratory test has a unit and a reference range")


def _key(entry: Any) -> str:
    """What an entry of a list is about, the same however it is spaced and capitalized."""
    if isinstance(entry, str):
        return folded(entry)
    if isinstance(entry, Source):
        return folded(f"{entry.title} {entry.year}")
    if isinstance(entry, Incompatible):
        return " + ".join(sorted(map(folded, entry.facts)))
    return folded(entry.test if isinstance(entry, ExaminationGuide) else entry.name)


def _twice(outline: Outline) -> Iterator[OutlineFault]:
    for field in LISTS:
        seen: set[str] = set()
        for place, entry in enumerate(getattr(outline, field)):
            if (key := _key(entry)) in seen:
                yield OutlineFault((field, place), f"{key!r} stands twice")
            seen.add(key)


def _codes(outline: Outline) -> Iterator[OutlineFault]:
    for field, form in (("icd10", _ICD10), ("icd10cm", _ICD10CM)):
        if not form.fullmatch(code := getattr(outline.codes, field)):
            yield OutlineFault(("codes", field), f"{code!r} has not the form of a code")


def _names(outline: Outline) -> Iterator[OutlineFault]:
    seen = {_key(outline.name)}
    for place, synonym in enumerate(outline.synonyms):
        if _key(synonym) in seen:
            yield OutlineFault(("synonyms", place), f"{synonym!r} stands twice among the names")
        seen.add(_key(synonym))
    for place, other in enumerate(outline.differentials):
        if _key(other.name) in seen:
            yield OutlineFault(("differentials", place), f"{other.name!r} is the disease itself")


def _sexes(outline: Outline) -> Iterator[OutlineFault]:
    if outline.female_share in (0, 1):
        yield OutlineFault(
            ("female_share",),
            f"a share of {outline.female_share:g} binds the disease to one sex: say so in `sex`",
        )
    for where, item in _bound(outline):
        if not any(item.fits(gender, group) for gender, group in _who(outline)):
            only = "" if item.sex == "any" else f"{item.sex} "
            yield OutlineFault(
                where,
                f"it is for {only}{'/'.join(item.groups)}, in whom the disease is not met",
            )
    for place, symptom in enumerate(outline.symptoms):
        if "any" not in (outline.sex, symptom.sex) and outline.sex != symptom.sex:
            yield OutlineFault(("symptoms", place), f"it is for {symptom.sex} patients alone")


def _bound(value: Any, where: Location = ()) -> Iterator[tuple[Location, Bound]]:
    """Everything that may be bound to a sex or to age groups."""
    if isinstance(value, Bound):
        yield where, value
    if isinstance(value, Model):
        for name, inner in value:
            yield from _bound(inner, (*where, name))
    elif isinstance(value, tuple):
        for place, inner in enumerate(value):
            yield from _bound(inner, (*where, place))


def _ages(outline: Outline) -> Iterator[OutlineFault]:
    groups = {band.group for band in outline.ages}
    for place, symptom in enumerate(outline.symptoms):
        for group in symptom.by_age:
            if group not in groups:
                yield OutlineFault(
                    ("symptoms", place, "by_age", group),
                    f"a share for {group}, who are not among the outline's ages",
                )


def _symptoms(outline: Outline) -> Iterator[OutlineFault]:
    """Every kind of patient has something to complain of, and nothing is said twice."""
    for severity in SEVERITIES:
        for gender, group in _who(outline):
            if not any(one.share(severity, group, gender) > 0 for one in outline.symptoms):
                yield OutlineFault(
                    ("symptoms",), f"none can occur in {severity} disease of {group}"
                )
                break
    seen: dict[str, str] = {}
    for place, symptom in enumerate(outline.symptoms):
        if not any(symptom.share(s, g) for s in SEVERITIES for _, g in _who(outline)):
            yield OutlineFault(("symptoms", place), f"{symptom.name!r} can never occur")
        for phrase in (symptom.name, *symptom.phrases):
            if (key := _key(phrase)) in seen:
                yield OutlineFault(
                    ("symptoms", place), f"{phrase!r} stands under {seen[key]!r} already"
                )
            seen[key] = symptom.name


def _negatives(outline: Outline) -> Iterator[OutlineFault]:
    phrases = [text for symptom in outline.symptoms for text in (symptom.name, *symptom.phrases)]
    said = {phrase: f" {' '.join(stems(phrase))} " for phrase in phrases}
    for place, negative in enumerate(outline.pertinent_negatives):
        wanted = f" {' '.join(stems(negative))} "
        for phrase in phrases:
            if wanted in said[phrase]:
                says = f"{negative!r} is a symptom as well ({phrase!r})"
                yield OutlineFault(("pertinent_negatives", place), says)


def _course(outline: Outline) -> Iterator[OutlineFault]:
    """Every patient has an onset, an evolution and a past."""
    parts: dict[Location, tuple[Bound, ...]] = {
        ("course", "onset"): outline.course.onset,
        ("course", "evolution"): outline.course.evolution,
    }
    for kind in ("medical", "family", "lifestyle", "vaccination"):
        parts["history", kind] = getattr(outline.history, kind)
    for where, items in parts.items():
        for gender, group in _who(outline):
            youngest = next(band.low for band in outline.ages if band.group == group)
            fitting = [item for item in items if item.fits(gender, group)]
            if not fitting:
                yield OutlineFault(where, f"nothing fits {gender} {group}")
            elif not any(_begins(item) <= youngest for item in fitting):
                yield OutlineFault(
                    where, f"nothing can have begun by the age of {youngest}, {gender}"
                )
    if "{n}" in outline.model_dump_json(exclude={"history", "provenance"}):
        yield OutlineFault((), '"{n}" stands outside the history, where no number is drawn for it')
    for where, item in _bound(outline):
        text = getattr(item, "text", "")
        if text.count("{n}") != text.count("{n} years"):
            yield OutlineFault(where, '"{n}" is a number of years and wants "years" after it')


def _begins(item: Bound) -> int:
    """Youngest age at which an item can be said of a patient."""
    if not isinstance(item, HistoryItem):
        return 0
    # A number of years is one at least, and counted from the first birthday.
    return max(item.from_age, 1) + 1 if "{n}" in item.text else item.from_age


def _findings(outline: Outline) -> Iterator[OutlineFault]:
    seen: dict[str, list[ExaminationGuide]] = {}
    for place, guide in enumerate(outline.examinations):
        for severity in SEVERITIES:
            if guide.quantity is None and not any(
                severity in finding.severities for finding in guide.findings
            ):
                where = ("examinations", place, "findings")
                yield OutlineFault(where, f"{guide.test} has none for {severity} disease")
        for other in seen.setdefault(_key(guide), []):
            if any(guide.fits(*who) and other.fits(*who) for who in _who(outline)):
                yield OutlineFault(
                    ("examinations", place), f"{guide.test} is done twice in one patient"
                )
        seen[_key(guide)].append(guide)


def _quantities(outline: Outline) -> Iterator[OutlineFault]:
    for place, guide in enumerate(outline.examinations):
        if guide.quantity is not None:
            where = ("examinations", place, "quantity")
            yield from _quantity(outline, guide, guide.quantity, where)


def _quantity(
    outline: Outline, guide: ExaminationGuide, quantity: Quantity, where: Location
) -> Iterator[OutlineFault]:
    if not known_unit(quantity.unit):
        yield OutlineFault((*where, "unit"), f"{quantity.unit!r} is no unit that is known")
    if not quantity.patient_range:
        yield OutlineFault((*where, "patient_range"), "it has no severity level")
    used: set[Reference] = set()
    for gender, group in _who(outline):
        if not guide.fits(gender, group):
            continue
        reference = quantity.reference_for(gender, group)
        if reference is None:
            yield OutlineFault((*where, "reference"), f"no interval is for {gender} {group}")
        else:
            used.add(reference)
    for severity, span in quantity.patient_range.items():
        for reference in sorted(used, key=quantity.reference.index):
            if fault := _wrong_side(quantity, reference, span):
                yield OutlineFault((*where, "patient_range", severity), f"{guide.test}: {fault}")


def _wrong_side(quantity: Quantity, reference: Reference, span: Range) -> str | None:
    """Why results of patients do not lie where they are expected, or none."""
    levels = {reference.level(span.low), reference.level(span.high)}
    if quantity.expected == "variable" or levels == {quantity.expected}:
        return None
    return (
        f"{span.low:g}-{span.high:g} {quantity.unit} is not {quantity.expected} against the "
        f"reference {reference.printed(quantity.decimals)}"
    )


CHECKS: tuple[Check, ...] = (
    _thin,
    _twice,
    _codes,
    _names,
    _sexes,
    _ages,
    _symptoms,
    _negatives,
    _course,
    _findings,
    _quantities,
)
