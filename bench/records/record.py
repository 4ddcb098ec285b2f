"""The patient record, as in figure 5 of the paper, with PatientSim's profile items beside it."""

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator
from pydantic_core import PydanticUseDefault

from bench.core.schema import Model, asked
from bench.knowledge.outline import Severity

Section = Literal["basic_information", "epidemiology", "disease_information", "examination_results"]
SECTIONS: tuple[Section, ...] = get_args(Section)


def _as_list(value: object) -> object:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


def _gender(value: object) -> object:
    if not isinstance(value, str):
        return value
    word = value.strip().lower()
    return {"f": "female", "m": "male", "woman": "female", "man": "male"}.get(word, word)


def _lower(value: object) -> object:
    return value.strip().lower() or None if isinstance(value, str) else value


Line = Annotated[str, asked(maxLength=300)]
"""A statement, a name, a result."""
Statements = Annotated[tuple[Line, ...], BeforeValidator(_as_list), asked(maxItems=20)]
"""Statements in the order given; a single string stands for a list of one."""
RecordGender = Annotated[Literal["female", "male", "other"], BeforeValidator(_gender)]
"""Any letter case; "F", "M", "woman" and "man" are understood."""


_NO_VALUE = ("nan", "NaN", "NAN", "<NA>")
"""What tables write into an empty cell. "Nan" is a name."""


def is_null(value: object) -> bool:
    """Whether a value is none: null, or the number that is none."""
    return value is None or (isinstance(value, float) and math.isnan(value))


def _absent(value: object) -> bool:
    return value.strip() in _NO_VALUE if isinstance(value, str) else is_null(value)


class RecordModel(Model):
    """A part of a record; numbers given for text (a laboratory value, say) become text.

    What is absent is left out, of lists too: null, NaN, and the text that tables have for it.
    A truth value stands for neither number nor text, and numbers are finite.
    """

    model_config = ConfigDict(coerce_numbers_to_str=True)

    @field_validator("*", mode="before")
    @classmethod
    def _given(cls, value: object, info: ValidationInfo) -> object:
        if _absent(value):
            if info.field_name and not cls.model_fields[info.field_name].is_required():
                raise PydanticUseDefault
            return None
        if isinstance(value, list | tuple):
            value = [item for item in value if not _absent(item)]
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, bool):
                raise ValueError("true and false are neither a number nor a text")
            if isinstance(item, float) and math.isinf(item):
                raise ValueError("the number is infinite")
        return value


class BasicInformation(RecordModel):
    """Who the patient is."""

    name: Line
    """Full name; invented."""
    gender: RecordGender
    """Female, male or other."""
    age: int = Field(ge=0, le=120)
    """Age in whole years."""


class Epidemiology(RecordModel):
    """What came before the present illness."""

    medical_history: Statements
    """Earlier and chronic conditions, operations, injuries, allergies and regular drugs."""
    lifestyle: Statements
    """Occupation, activity, diet, tobacco, alcohol and the like."""
    vaccination_history: Statements
    """Vaccinations received or missing."""
    family_history: Statements
    """Conditions of relatives."""


class DiseaseInformation(RecordModel):
    """The present illness."""

    disease: Line
    """Name of the disease."""
    severity: Annotated[Severity | None, BeforeValidator(_lower)] = None
    """Mild, moderate or severe."""
    symptoms: Statements
    """Complaints, one statement each."""
    duration: Line = ""
    """How long the complaints have lasted and how they changed."""


class Examination(RecordModel):
    """One examination with its result."""

    category: Line
    """Head under which the report files it, for instance "laboratory" or "imaging"."""
    test: Line
    """Name of the test."""
    value: Line | None = None
    """Measured value as printed, without unit; none for a descriptive result."""
    unit: Line | None = None
    """Unit of the value."""
    reference_range: Line | None = None
    """Reference interval as printed, for instance "30-110"."""
    finding: Line = ""
    """What the result says, in words."""


class BasicSections(RecordModel):
    """The sections written first (paper section 3.1, step 2)."""

    basic_information: BasicInformation
    epidemiology: Epidemiology
    disease_information: DiseaseInformation


class ExaminationSections(RecordModel):
    """The section written last (paper section 3.1, step 3)."""

    examination_results: Annotated[tuple[Examination, ...], asked(maxItems=40)]
    """Examinations in the order reported."""


class RecordSections(ExaminationSections, BasicSections):
    """The four sections of a record, without id and origin."""


class Profile(RecordModel):
    """The items of PatientSim's 24 that the paper's record has no place for; all optional."""

    race: str | None = None
    marital_status: str | None = None
    insurance: str | None = None
    occupation: str | None = None
    living_situation: str | None = None
    children: str | None = None
    exercise: str | None = None
    tobacco: str | None = None
    alcohol: str | None = None
    illicit_drug: str | None = None
    sexual_history: str | None = None
    allergies: str | None = None
    medical_device: str | None = None
    present_illness_negative: str | None = None
    """Complaints the patient denies."""
    chiefcomplaint: str | None = None
    pain: float | None = Field(default=None, ge=0, le=10)
    """Pain from 0 to 10."""
    medication: str | None = None
    arrival_transport: str | None = None
    disposition: str | None = None


class Origin(RecordModel):
    """Where a record comes from."""

    generator: str
    """Name of the generator."""
    backbone: str | None = None
    """Name of the backbone; none where no model was used."""
    keys: tuple[str, ...] = ()
    """Journal keys of the completions the record was made from."""
    disease: str | None = None
    """Disease that was planned; accuracy is judged against its outline."""
    rewritten: int = Field(default=0, ge=0)
    """How often a plausibility check had the record written anew."""


class PatientRecord(RecordSections):
    """A synthetic patient record (paper figure 5)."""

    schema_version: Literal[1] = 1
    """Version of this schema."""
    id: str = Field(min_length=1)
    """Unique within a file; the id of the planned case where there is one."""
    department: str = ""
    """Clinical department; records are compared within it."""
    profile: Profile | None = None
    """PatientSim's further items."""
    origin: Origin | None = None
    """Generator and journal keys; none for records made elsewhere."""

    @property
    def planned_disease(self) -> str:
        """The disease that was planned (models write one under many names), or else that stated."""
        planned = self.origin.disease if self.origin else None
        return planned or self.disease_information.disease

    def sections(self) -> RecordSections:
        """The four sections alone: what a judge or a writer may see."""
        return RecordSections.model_construct(**{name: getattr(self, name) for name in SECTIONS})

    @classmethod
    def compose(cls, *parts: Mapping[str, Any] | RecordModel, **fields: Any) -> "PatientRecord":
        """A record from section models written one after the other.

        Raises:
            pydantic.ValidationError: if a section is missing.
        """
        merged: dict[str, Any] = {}
        for part in parts:
            merged.update(dict(part))
        return cls(**merged, **fields)
