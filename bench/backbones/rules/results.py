"""What an examination's printed result says: its number, unit, reference interval and level."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from bench.backbones.rules.phrases import clauses, words
from bench.knowledge.outline import ExaminationGuide, Outline, Quantity, Reference, age_group
from bench.records.record import BasicInformation, Examination, RecordSections

# Possessive, and never from within a number: long digits are read once.
_PLAIN = r"\d++(?:[.,]\d++)*+"
_NUMBER = re.compile(rf"[-+]?{_PLAIN}")
_RANGE = re.compile(rf"(?<!\d)(?<!\d[.,])(-?{_PLAIN})\s*+(?:-|–|—|to)\s*+(-?{_PLAIN})")
_THOUSANDS = re.compile(r",(?=\d{3}(?!\d))")
_POWER = re.compile(r"[x×*]\s*+10\S*+|\b10[\^*⁰¹²³⁴-⁹]\S*+", re.IGNORECASE)
"""A power of ten in a unit, for instance in "4.5-11.0 x10^3/µL"."""
LEVELS = {
    "high": frozenset(["above", "elevated", "high", "increased", "raised"]),
    "low": frozenset(["below", "decreased", "low", "reduced"]),
    "normal": frozenset(["normal", "within", "unremarkable"]),
}
"""Words for each level of a result."""
# With these words alone, and those of the test, a clause says nothing but its level: not so "not
# elevated", "three times the upper limit of normal" or "normal platelets".
_COMPANY = frozenset(
    words(
        "clearly level limit markedly mildly moderately range reference result severely "
        "significantly slightly study value"
    )
)


@dataclass(frozen=True)
class Reading:
    """An examination, read once."""

    examination: Examination
    test: str
    """Its name, as the outline has it if it knows the test."""
    value: float | None
    """Its result, where that is one number."""
    quantity: Quantity | None
    """What the outline expects, where it knows the test as a number of this unit."""
    level: str | None
    """Where the value lies against the reference interval, if both can be read."""
    reference: Reference | None
    """The interval printed in the record or, where none is printed, the outline's."""

    @property
    def claimed(self) -> list[str]:
        """The levels that the finding claims, in clauses that say nothing else."""
        known = _COMPANY.union(words(self.examination.test))
        said = [
            set(clause) - known for part in clauses(self.examination.finding) for clause in part
        ]
        pure = [clause for clause in said if clause <= frozenset().union(*LEVELS.values())]
        return [name for name, signs in LEVELS.items() for clause in pure if clause & signs]


def readings(record: RecordSections, outline: Outline) -> Iterator[Reading]:
    """The examinations of a record."""
    for examination in record.examination_results:
        guide = _guide(record.basic_information, examination, outline)
        quantity = guide.quantity if guide is not None else None
        known = quantity is not None and _same_unit(examination.unit, quantity.unit)
        reference = _reference(record.basic_information, examination, quantity)
        value = number(examination.value)
        yield Reading(
            examination,
            test=guide.test if guide is not None else examination.test,
            value=value,
            quantity=quantity if known else None,
            level=None if value is None or reference is None else reference.level(value),
            reference=reference,
        )


def _guide(
    basic: BasicInformation, examination: Examination, outline: Outline
) -> ExaminationGuide | None:
    """The outline's examination of the same name; else the one that shares most words with it.

    One of the two names must hold the other; a name that fits several ("Intraocular pressure",
    but of which eye?) fits none.
    """
    named = set(words(examination.test))
    guides = [
        (set(words(guide.test)), guide)
        for guide in outline.examinations
        if age_group(basic.age) in guide.groups and guide.sex in ("any", basic.gender)
    ]
    same = [guide for known, guide in guides if known == named]
    if same or not named:
        return same[0] if same else None
    most = max((len(known & named) for known, _ in guides), default=0)
    near = [(known, guide) for known, guide in guides if len(known & named) == most]
    nested = [guide for known, guide in near if known <= named or named <= known]
    return nested[0] if len(nested) == 1 else None


def _reference(
    basic: BasicInformation, examination: Examination, quantity: Quantity | None
) -> Reference | None:
    if examination.reference_range and examination.reference_range.strip():
        printed = read_reference(examination.reference_range)
        return None if printed and _may_be_scale(printed, examination, quantity) else printed
    if quantity is None or not _same_unit(examination.unit, quantity.unit):
        return None
    gender = "female" if basic.gender == "female" else "male"
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
    if span := _RANGE.search(plain):
        low, high = number(span[1]), number(span[2])
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
    numbers = _NUMBER.findall((text or "").replace("\N{THIN SPACE}", ""))
    if len(numbers) != 1:
        return None
    try:
        value = float(_THOUSANDS.sub("", numbers[0]).replace(",", "."))
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None


def _same_unit(one: str | None, other: str | None) -> bool:
    """Whether two units are one; a score and a pH need none."""
    plain = [(unit or "").lower().replace(" ", "") for unit in (one, other)]
    spelled = [unit.replace("μ", "u").replace("µ", "u").replace("iu", "u") for unit in plain]
    none = ("point", "points", "score", "phunits")
    return len({"" if unit in none else unit for unit in spelled}) == 1
