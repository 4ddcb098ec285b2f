"""The parts of an outline as a model is asked for them: every statement with its quotation."""

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


class Statement(Quoted):
    """A statement and nothing more."""

    text: Text
    """In your own words, short."""


class Band(AgeBand, Quoted):
    """One age group among the patients."""


class Sexes(Quoted):
    """Who gets the disease."""

    sex: Sex
    """Sex to which the disease is bound, or any."""
    female_share: Probability | None
    """Share of women and girls among patients; null where only one sex has it."""

    @model_validator(mode="after")
    def _share_of_either(self) -> "Sexes":
        if (self.sex == "any") != (self.female_share is not None):
            raise ValueError("female_share is null where one sex alone has it, and only then")
        return self


class Common(Frequency, Quoted):
    """How common the disease is."""


class Identity(Model):
    """What the disease is and whom it strikes."""

    synonyms: list[Statement]
    """Other names of the disease."""
    icd10: Statement
    """WHO ICD-10 code alone, for instance "N40"."""
    icd10cm: Statement
    """US ICD-10-CM code alone, for instance "N40.1"."""
    sexes: Sexes
    ages: Annotated[list[Band], Field(min_length=1)]
    """Each age group in which the disease is met, once."""
    frequency: Common | None
    """Null if the source gives no figure."""
    risk_factors: list[Statement]
    causes: list[Statement]

    @model_validator(mode="after")
    def _each_group_once(self) -> "Identity":
        groups = [band.group for band in self.ages]
        if len(set(groups)) != len(groups):
            raise ValueError("an age group stands twice in ages")
        return self


class Complaint(Quoted):
    """One symptom."""

    name: Text
    """Short lower-case noun phrase, for instance "numbness of the foot"."""
    phrases: list[Text]
    """Three other ways a patient's record may put it."""
    mild: Probability
    """Share of patients with mild disease who have it."""
    moderate: Probability
    severe: Probability
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


class Unfolding(Model):
    """How the disease unfolds."""

    onset: Annotated[list[Phrase], Field(min_length=1)]
    """Onset patterns that complete "Onset was ...", for instance "gradual over months"."""
    mild: Span
    moderate: Span
    severe: Span
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


class Measured(Model):
    """What a laboratory or other test gives as a number."""

    unit: Text
    reference: Annotated[list[Reference], Field(min_length=1)]
    """Reference intervals, by sex and age group where they differ."""
    expected: Literal["high", "low", "normal", "variable"]
    """Where results of patients lie against the reference interval."""
    mild: Range | None
    """Plausible results in mild disease; null if the test tells nothing then."""
    moderate: Range | None
    severe: Range | None
    decimals: Annotated[int, Field(ge=0, le=4)]
    """Digits after the point in a report."""


class Examined(Quoted):
    """One examination of the work-up."""

    category: Literal["physical", "laboratory", "imaging", "special"]
    test: Text
    typicality: Probability
    """Share of patients in whom it is done."""
    measured: Measured | None
    """Null where the result is described in words."""
    findings: list[Finding]
    """Empty where the result is a number; else at least one for each severity level."""

    @model_validator(mode="after")
    def _says_something(self) -> "Examined":
        if self.measured is None and not self.findings:
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
    works: list[Work]
    """Only works that the source itself names; empty if it names none."""


PARTS: dict[str, type[Model]] = {
    "identity": Identity,
    "complaints": Complaints,
    "course": Unfolding,
    "history": Pasts,
    "examinations": Examinations,
    "assessment": Assessment,
}
"""What is asked for, one exchange each."""
