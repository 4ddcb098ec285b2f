"""The parts of an outline as a model is asked for them: every statement with its quotation.

A part is made as the outline is, so that it becomes one when the quotations are taken out: what
holds nothing beside its quotation but a `text` or a `value` stands for that alone.
"""

import re
from collections.abc import Set
from typing import Annotated, Literal

from pydantic import Field, model_validator

from bench.core.schema import Model
from bench.knowledge.outline import (
    AgeBand,
    Differential,
    Duration,
    Finding,
    Frequency,
    HistoryItem,
    Incompatible,
    Probability,
    Range,
    Reference,
    Sex,
    Source,
    Text,
    Weight,
)


class Quoted(Model):
    """Something that a source says."""

    quote: str
    """The words of the source it rests on, copied letter by letter; empty if it does not say it."""

    def is_said(self, words: str, numbers: Set[float]) -> bool:
        """Whether words that a source has say it; `numbers` are those that stand in them."""
        return True


class Statement(Quoted):
    """A statement and nothing more."""

    text: Text
    """In your own words, short."""


class Code(Quoted):
    """A code of a classification, alone; the words hold it whole."""

    text: Text

    def is_said(self, words: str, numbers: Set[float]) -> bool:
        code = re.compile(rf"(?<!\w){re.escape(self.text)}(?!\.?\w)", re.IGNORECASE)
        return code.search(words) is not None


class CodesSaid(Model):
    """Where the disease stands in the classifications."""

    icd10: Code
    """WHO ICD-10 code alone, for instance "N40"."""
    icd10cm: Code
    """US ICD-10-CM code alone, for instance "N40.1"."""


class SexSaid(Quoted):
    """Who gets the disease."""

    value: Sex


class Share(Quoted):
    """A share of patients; the words hold it, or it as a percentage."""

    value: Probability

    def is_said(self, words: str, numbers: Set[float]) -> bool:
        return not share_figures(self.value).isdisjoint(numbers)


class Band(AgeBand, Quoted):
    """One age group among the patients."""


class Common(Frequency, Quoted):
    """How common the disease is."""


class Identity(Model):
    """What the disease is and whom it strikes."""

    synonyms: list[Statement]
    """Other names of the disease."""
    codes: CodesSaid
    sex: SexSaid
    """Sex to which the disease is bound, or any."""
    female_share: Share | None
    """Share of women and girls among patients; null where only one sex has it."""
    ages: Annotated[list[Band], Field(min_length=1)]
    """Each age group in which the disease is met, once."""
    frequency: Common | None
    """Null if the source gives no figure."""
    risk_factors: list[Statement]
    causes: list[Statement]

    @model_validator(mode="after")
    def _consistent(self) -> "Identity":
        if (self.sex.value == "any") != (self.female_share is not None):
            raise ValueError("female_share is null where one sex alone has it, and only then")
        groups = [band.group for band in self.ages]
        if len(set(groups)) != len(groups):
            raise ValueError("an age group stands twice in ages")
        return self


class OtherShares(Model):
    """Shares that differ from that of moderate disease."""

    mild: Probability
    severe: Probability


class Complaint(Quoted):
    """One symptom."""

    name: Text
    """Short lower-case noun phrase, for instance "numbness of the foot"."""
    phrases: list[Text]
    """Three other ways a patient's record may put it."""
    typicality: Probability
    """Share of patients with moderate disease who have it."""
    by_severity: OtherShares
    """Share of patients with mild and with severe disease who have it."""
    sex: Sex
    """Sex in which it occurs."""


class Complaints(Model):
    """What patients complain of."""

    symptoms: Annotated[list[Complaint], Field(min_length=3)]
    """Ten or more where the source names as many."""
    pertinent_negatives: list[Statement]
    """Complaints whose absence is characteristic, as noun phrases without "no"."""


class Phrase(Statement):
    """A phrase and how frequent it is."""

    weight: Weight
    """Relative frequency."""


class Span(Duration, Quoted):
    """How long complaints last at presentation."""


class Spans(Model):
    """How long complaints last, by severity."""

    mild: Span
    moderate: Span
    severe: Span


class Unfolding(Model):
    """How the disease unfolds."""

    onset: Annotated[list[Phrase], Field(min_length=1)]
    """Onset patterns that complete "Onset was ...", for instance "gradual over months"."""
    duration: Spans
    evolution: Annotated[list[Phrase], Field(min_length=1)]
    """How severity moves over time, for instance "steadily worsening"."""
    triggers: list[Phrase]
    """What brings the complaints on or makes them worse."""
    relief: list[Phrase]
    """What eases them."""


class Past(HistoryItem, Quoted):
    """A statement of a patient's history."""


class Pasts(Model):
    """The history of patients, each item as their record states it."""

    medical: Annotated[list[Past], Field(min_length=1)]
    """Earlier diseases and operations; "{n} years" stands for a number of years to be drawn."""
    family: Annotated[list[Past], Field(min_length=1)]
    lifestyle: Annotated[list[Past], Field(min_length=1)]
    vaccination: Annotated[list[Past], Field(min_length=1)]
    medication: list[Past]
    """Drug, dose and what it is for."""
    allergy: list[Past]


class Results(Model):
    """Plausible results by severity; null where the test tells nothing."""

    mild: Range | None
    moderate: Range | None
    severe: Range | None


class Measured(Model):
    """What a laboratory or other test gives as a number."""

    unit: Text
    reference: Annotated[list[Reference], Field(min_length=1)]
    """Reference intervals, by sex and age group where they differ."""
    expected: Literal["high", "low", "normal", "variable"]
    """Where results of patients lie against the reference interval."""
    patient_range: Results
    decimals: Annotated[int, Field(ge=0, le=4)]
    """Digits after the point in a report."""


class Examined(Quoted):
    """One examination of the work-up."""

    category: Literal["physical", "laboratory", "imaging", "special"]
    test: Text
    typicality: Probability
    """Share of patients in whom it is done."""
    quantity: Measured | None
    """Null where the result is described in words."""
    findings: list[Finding]
    """Empty where the result is a number; else at least one for each severity level."""

    @model_validator(mode="after")
    def _says_something(self) -> "Examined":
        if self.quantity is None and not self.findings:
            raise ValueError(f"{self.test!r} has neither a number nor findings")
        return self


class Examinations(Model):
    """The work-up: physical, laboratory, imaging and special examinations."""

    examinations: Annotated[list[Examined], Field(min_length=1)]


class Other(Differential, Quoted):
    """A differential diagnosis."""


class Never(Incompatible, Quoted):
    """Statements that can never all be true of one patient with the disease."""


class Work(Source, Quoted):
    """A work that the source names as its own source."""


class Assessment(Model):
    """What follows from it, what else it may be, and what it can never be."""

    complications: list[Statement]
    differentials: list[Other]
    red_flags: list[Statement]
    never_together: list[Never]
    sources: list[Work]
    """Only works that the source itself names; empty if it names none."""


PARTS: dict[str, type[Model]] = {
    "identity": Identity,
    "complaints": Complaints,
    "course": Unfolding,
    "history": Pasts,
    "examinations": Examinations,
    "assessment": Assessment,
}
"""What is asked for, one exchange each; of `course` and `history` the whole is one field."""


def share_figures(share: float) -> set[float]:
    """The figures that would say a share: it may be quoted as a percentage."""
    return {share, round(100 * share, 4)}
