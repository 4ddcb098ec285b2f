"""The disease outline: the knowledge a record is grounded in (paper section 3.1, step 1)."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from bench.core.schema import Model

Severity = Literal["mild", "moderate", "severe"]
AgeGroup = Literal["children", "adults", "elderly"]
Gender = Literal["female", "male"]
Sex = Literal["any", "female", "male"]
Probability = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(gt=0)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
"""Something said: not empty, and without blanks around it."""

SEVERITIES: tuple[Severity, ...] = ("mild", "moderate", "severe")
AGE_GROUPS: dict[AgeGroup, tuple[int, int]] = {
    "children": (0, 17),
    "adults": (18, 59),
    "elderly": (60, 85),
}
"""Ages in whole years, both ends included (paper section 4.1.1)."""


class Bound(Model):
    """What may hold for one sex or for some age groups only."""

    sex: Sex = "any"
    """Sex to which it can apply."""
    groups: tuple[AgeGroup, ...] = Field(default=tuple(AGE_GROUPS), min_length=1)
    """Age groups to which it can apply."""

    def fits(self, gender: str, group: AgeGroup) -> bool:
        """Whether it can apply to a patient of this gender and age group."""
        return self.sex in ("any", gender) and group in self.groups


class Codes(Model):
    """Where the disease stands in the classifications."""

    icd10: Text
    """WHO ICD-10 code."""
    icd10cm: Text
    """US ICD-10-CM code."""


class AgeBand(Model):
    """How often the disease is met in one age group."""

    group: AgeGroup
    """The age group of the paper."""
    weight: Weight
    """Relative frequency of this group among patients; weights need not sum to one."""
    low: int = Field(ge=0, le=85)
    """Youngest plausible age within the group, years."""
    high: int = Field(ge=0, le=85)
    """Oldest plausible age within the group, years."""

    @model_validator(mode="after")
    def _inside_group(self) -> "AgeBand":
        low, high = AGE_GROUPS[self.group]
        if not low <= self.low <= self.high <= high:
            raise ValueError(
                f"ages {self.low}-{self.high} are not a range within {self.group} ({low}-{high})"
            )
        return self


class Frequency(Model):
    """How common the disease is in a stated population."""

    measure: Literal["prevalence", "incidence per year"]
    low: float = Field(ge=0)
    """Lower end of the usual range, cases per `per` persons."""
    high: float = Field(ge=0)
    """Upper end of the usual range, cases per `per` persons."""
    per: int = Field(gt=0)
    """Denominator, for instance 100000."""
    population: Text
    """Who was counted, for instance "adults in high-income countries"."""

    @model_validator(mode="after")
    def _ordered(self) -> "Frequency":
        if not self.low <= self.high <= self.per:
            raise ValueError(f"{self.low:g} to {self.high:g} of {self.per} is no range")
        return self


class Symptom(Model):
    """One complaint and how typical it is."""

    name: Text
    """Short lower-case noun phrase, for instance "numbness of the foot"."""
    phrases: tuple[Text, ...] = ()
    """Other ways a record may put it, each able to stand in a symptom list."""
    typicality: Probability
    """Share of patients of moderate severity who have it."""
    by_severity: dict[Severity, Probability] = {}
    """Shares that differ from `typicality` at a severity level."""
    by_age: dict[AgeGroup, Probability] = {}
    """Shares that differ from `typicality` in an age group."""
    sex: Sex = "any"
    """Sex in which it occurs."""

    def share(self, severity: Severity, group: AgeGroup, gender: str = "any") -> float:
        """Probability in [0, 1] that a patient of this severity and age group has the symptom.

        Where severity and age both tell, the severity's share is scaled as that of the age group
        stands to `typicality`, and never exceeds 1.
        """
        if gender != "any" and self.sex not in ("any", gender):
            return 0.0
        by_severity = self.by_severity.get(severity, self.typicality)
        by_age = self.by_age.get(group, self.typicality)
        if self.typicality == 0:
            return max(by_severity, by_age)
        return min(1.0, by_severity * (by_age / self.typicality))


class Weighted(Bound):
    """A phrase with its relative frequency."""

    text: Text
    weight: Weight = 1.0


class Range(Model):
    """A closed numeric range."""

    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self) -> "Range":
        if self.low > self.high:
            raise ValueError(f"low {self.low} is above high {self.high}")
        return self


class Duration(Range):
    """How long the complaints have lasted when the patient is seen."""

    low: int = Field(gt=0)
    high: int = Field(gt=0)
    unit: Literal["hours", "days", "weeks", "months", "years"]


class Course(Model):
    """How the disease unfolds in time (paper section 3.1, step 2)."""

    onset: tuple[Weighted, ...] = Field(min_length=1)
    """Onset patterns, for instance "sudden, after lifting"."""
    duration: dict[Severity, Duration]
    """Usual length of the complaints at presentation, for each severity level."""
    evolution: tuple[Weighted, ...] = Field(min_length=1)
    """How severity moves over that time, for instance "steadily worsening"."""
    triggers: tuple[Weighted, ...] = ()
    """What brings the complaints on or makes them worse."""
    relief: tuple[Weighted, ...] = ()
    """What eases them."""
    lifelong: bool = False
    """Whether complaints may go back to childhood, so that any duration up to the age is right."""

    @model_validator(mode="after")
    def _every_level(self) -> "Course":
        missing = [level for level in SEVERITIES if level not in self.duration]
        if missing:
            raise ValueError(f"duration lacks {', '.join(missing)}")
        return self


class HistoryItem(Bound):
    """A statement that may stand in a patient's history."""

    text: Text
    """A statement as a record has it; "{n}" stands for a number of years the patient can have."""
    weight: Probability
    """Share of patients in whom it is found."""
    from_age: int = Field(default=0, ge=0, le=85)
    """Youngest age in years at which it can have begun."""


class History(Model):
    """What is found in the past of patients with the disease."""

    medical: tuple[HistoryItem, ...] = Field(min_length=1)
    family: tuple[HistoryItem, ...] = Field(min_length=1)
    lifestyle: tuple[HistoryItem, ...] = Field(min_length=1)
    vaccination: tuple[HistoryItem, ...] = Field(min_length=1)
    medication: tuple[HistoryItem, ...] = ()
    allergy: tuple[HistoryItem, ...] = ()


class Reference(Bound):
    """A reference interval of a quantity."""

    low: float | None = None
    """Lower limit; none where only an upper limit is used."""
    high: float | None = None
    """Upper limit; none where only a lower limit is used."""

    @model_validator(mode="after")
    def _bounded(self) -> "Reference":
        if self.low is None and self.high is None:
            raise ValueError("a reference interval needs low, high or both")
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError(f"low {self.low} is not below high {self.high}")
        return self

    def level(self, value: float) -> Literal["high", "low", "normal"]:
        """Where a value lies; the limits themselves count as normal."""
        if self.high is not None and value > self.high:
            return "high"
        if self.low is not None and value < self.low:
            return "low"
        return "normal"

    def printed(self, decimals: int = 0) -> str:
        """The interval as a report prints it: "30-110", "<5" or ">60"."""

        def shown(limit: float) -> str:
            return f"{limit:.{decimals}f}" if round(limit, decimals) == limit else f"{limit:g}"

        if self.low is None:
            return f"<{shown(self.high or 0)}" if self.high else "0"
        if self.high is None:
            return f">{shown(self.low)}"
        return f"{shown(self.low)}{' to ' if self.low < 0 else '-'}{shown(self.high)}"


class Quantity(Model):
    """A test whose result is a number."""

    unit: Text
    """Unit as printed in a report, for instance "U/L", "mmHg", "10^9/L"."""
    reference: tuple[Reference, ...] = Field(min_length=1)
    """Reference intervals; the first that fits sex and age group is used."""
    expected: Literal["high", "low", "normal", "variable"]
    """Where results of patients with the disease lie against the reference interval."""
    patient_range: dict[Severity, Range]
    """Plausible results in patients, for each severity level at which the test is informative."""
    decimals: int = Field(default=0, ge=0, le=4)
    """Digits after the point in a report."""

    def reference_for(self, gender: str, group: AgeGroup) -> Reference | None:
        """The first reference interval that fits, or none."""
        for reference in self.reference:
            if reference.fits(gender, group):
                return reference
        return None


class Finding(Model):
    """A statement of an examination report."""

    text: Text
    """The statement, for instance "straight leg raising positive at 40 degrees on the left"."""
    weight: Probability
    """Share of examined patients in whom it is found."""
    severities: tuple[Severity, ...] = SEVERITIES
    """Severity levels at which it can be found."""


class ExaminationGuide(Bound):
    """One examination of the work-up and what it shows; `sex` and `groups` tell in whom."""

    category: Literal["physical", "laboratory", "imaging", "special"]
    """Head under which a report files it."""
    test: Text
    """Name of the test, for instance "Serum lipase" or "MRI of the lumbar spine"."""
    typicality: Probability
    """Share of patients in whom it is done."""
    quantity: Quantity | None = None
    """What is measured, where the result is a number."""
    findings: tuple[Finding, ...] = ()
    """What a descriptive result says."""

    @model_validator(mode="after")
    def _says_something(self) -> "ExaminationGuide":
        if self.quantity is None and not self.findings:
            raise ValueError(f"examination {self.test!r} has neither a quantity nor findings")
        return self


class Differential(Model):
    """Another diagnosis to consider and what tells it apart."""

    name: Text
    distinguished_by: Text


class Incompatible(Model):
    """Statements that can never all be true of one patient with the disease."""

    facts: tuple[Text, ...] = Field(min_length=1)
    """Short phrases as records have them; one alone is incompatible with the disease itself.

    A laboratory level is written "TEST high", "TEST low" or "TEST normal".
    """
    because: Text


class Source(Model):
    """A work in which the outline can be checked."""

    title: Text
    kind: Literal["guideline", "textbook", "review"]
    year: int = Field(ge=1950, le=2100)
    publisher: Text
    """Publisher or issuing body; for a textbook also its edition."""


class SourceFile(Model):
    """A text that a draft was built from."""

    name: str
    """Name of the file."""
    sha256: str
    """Hash of its bytes."""


class Evidence(Model):
    """Where in a source a field of a draft comes from."""

    field: str
    """Path of the field, for instance "symptoms.3"."""
    source: str
    """Name of the file."""
    start: int = Field(ge=0)
    """First character of the span in the plain text of the source, from 0."""
    end: int = Field(ge=0)
    """Character after the last of the span."""
    quote: str
    """The span itself."""
    exact: bool
    """Whether the model quoted it to the letter, or with slips."""


class Provenance(Model):
    """How a draft was built from source texts (paper section 3.1, step 1)."""

    backbone: str
    """Who drafted it."""
    prompts: str
    """Hash of the prompts."""
    sources: tuple[SourceFile, ...] = Field(min_length=1)
    evidence: tuple[Evidence, ...]
    unsupported: tuple[str, ...]
    """Paths of the fields that no span of a source stands behind: check these first."""
    told: dict[str, str] = {}
    """What was drafted at each path above."""
    about: dict[str, str] = {}
    """Each path with the items of lists by what they are about: places shift by mending."""

    @property
    def paths(self) -> list[str]:
        """The paths of all fields that are traced or marked."""
        return [*(span.field for span in self.evidence), *self.unsupported]


class Approval(Model):
    """Who checked a draft, and when."""

    by: str = Field(min_length=1)
    on: date
    sha256: str
    """Hash of the text of the file that was checked, without this approval."""
    note: str = ""


class Outline(Model):
    """The knowledge of one disease, in our own words; every method and the judge read the same."""

    id: Text
    """Department letters and number, for instance "ORT-02"."""
    name: Text
    synonyms: tuple[Text, ...] = ()
    department: Text
    codes: Codes
    sex: Sex
    """Sex to which the disease is bound, or any."""
    female_share: Probability | None
    """Typical share of women and girls among patients; none where only one sex has it."""
    ages: tuple[AgeBand, ...] = Field(min_length=1)
    frequency: Frequency | None
    """None where no usable figure is known."""
    risk_factors: tuple[Text, ...]
    causes: tuple[Text, ...]
    symptoms: tuple[Symptom, ...] = Field(min_length=1)
    course: Course
    pertinent_negatives: tuple[Text, ...]
    """Complaints whose absence is characteristic; as noun phrases without "no"."""
    history: History
    examinations: tuple[ExaminationGuide, ...] = Field(min_length=1)
    complications: tuple[Text, ...]
    differentials: tuple[Differential, ...]
    red_flags: tuple[Text, ...]
    never_together: tuple[Incompatible, ...]
    sources: tuple[Source, ...]
    provenance: Provenance | None = None
    """How a machine drafted it; none where people wrote it."""
    approval: Approval | None = None
    """Who checked the draft; without it a draft is no knowledge yet."""

    def __hash__(self) -> int:
        return hash(self.id)

    def band(self, age: int) -> AgeBand | None:
        """The age band that holds an age in years, or none where the disease is not met."""
        return next((band for band in self.ages if band.low <= age <= band.high), None)

    @model_validator(mode="after")
    def _consistent(self) -> "Outline":
        check_people(self.sex, self.female_share, self.ages)
        return self


def check_people(sex: Sex, female_share: object, ages: Sequence[AgeBand]) -> None:
    """See whether who has a disease is told without contradiction.

    Raises:
        ValueError: saying what is wrong.
    """
    if (sex == "any") != (female_share is not None):
        raise ValueError("female_share goes with sex 'any', and only with it")
    groups = [band.group for band in ages]
    if len(set(groups)) != len(groups):
        raise ValueError("an age group stands twice in ages")


def age_group(age: int) -> AgeGroup:
    """The paper's age group of an age in years (section 4.1.1); 86 and over count as elderly."""
    for group, (_, high) in AGE_GROUPS.items():
        if age <= high:
            return group
    return "elderly"
