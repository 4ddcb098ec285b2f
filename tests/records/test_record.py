"""The record's schema: what it takes, what it refuses, what it says."""

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from bench.records.formats import Text
from bench.records.record import SECTIONS, PatientRecord, Profile

FIGURE_5 = {
    "id": "10024",
    "basic_information": {"name": "Clara Gutierrez", "gender": "Female", "age": 47},
    "epidemiology": {
        "medical_history": "Chronic pancreatitis diagnosed 5 years ago",
        "lifestyle": ["Moderate alcohol consumption", "former smoker (quit 2 years ago)"],
        "vaccination_history": "Not vaccinated for hepatitis A or B",
        "family_history": ["Mother had gallbladder issues"],
    },
    "disease_information": {
        "disease": "Pancreatitis",
        "severity": "Severe",
        "symptoms": ["Acute abdominal pain", "nausea"],
        "duration": "10 days",
    },
    "examination_results": [
        {"category": "Routine Blood Test", "test": "Serum amylase", "value": 450, "unit": "U/L"}
    ],
}


def test_the_papers_figure_5_is_a_record():
    record = PatientRecord.model_validate(FIGURE_5)
    assert record.basic_information.gender == "female"
    assert record.disease_information.severity == "severe"
    assert record.epidemiology.medical_history == ("Chronic pancreatitis diagnosed 5 years ago",)
    assert record.examination_results[0].value == "450"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("basic_information", "age"), -1),
        (("basic_information", "age"), 121),
        (("basic_information", "gender"), "unknown word"),
        (("disease_information", "severity"), "grave"),
        (("examination_results",), "none"),
        (("surname",), "x"),
        (("id",), ""),
        (("schema_version",), 2),
    ],
)
def test_what_the_schema_forbids_is_refused(path, value):
    data = PatientRecord.model_validate(FIGURE_5).model_dump(mode="json")
    target = data
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = value
    with pytest.raises(ValidationError):
        PatientRecord.model_validate(data)


Path = tuple[str | int, ...]
EXAMINATION: Path = ("examination_results", 0)
OPTIONAL: tuple[Path, ...] = (
    *((*EXAMINATION, name) for name in ("value", "unit", "reference_range", "finding")),
    *(("profile", name) for name in Profile.model_fields),
    ("disease_information", "severity"),
    ("disease_information", "duration"),
    ("department",),
    ("profile",),
    ("origin",),
)
REQUIRED: tuple[Path, ...] = (
    *(("basic_information", name) for name in ("name", "gender", "age")),
    *((*EXAMINATION, name) for name in ("category", "test")),
    ("disease_information", "disease"),
    ("examination_results",),
    ("id",),
)
LISTS: tuple[Path, ...] = (
    ("epidemiology", "medical_history"),
    ("epidemiology", "family_history"),
    ("disease_information", "symptoms"),
)
no_value = st.sampled_from([None, float("nan"), "nan", "NaN", "NAN", "<NA>", " nan\n"])


def changed(path: Path, value: object) -> dict[str, Any]:
    """The paper's record with another value in a place."""
    data: Any = {**deepcopy(FIGURE_5), "profile": {}}
    target = data
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = value
    whole: dict[str, Any] = data
    return whole


@given(path=st.sampled_from(OPTIONAL), value=no_value)
def test_what_is_no_value_is_absent(path: Path, value: object) -> None:
    data = changed(path, value)
    target: Any = data
    for part in path[:-1]:
        target = target[part]
    record = PatientRecord.model_validate(data)
    del target[path[-1]]
    assert record == PatientRecord.model_validate(data)
    assert "nan" not in Text().render(record).lower().split()


@given(path=st.sampled_from(REQUIRED), value=no_value)
def test_what_must_be_there_is_refused_without_a_value(path: Path, value: object) -> None:
    with pytest.raises(ValidationError) as raised:
        PatientRecord.model_validate(changed(path, value))
    assert {fault["loc"] for fault in raised.value.errors()} == {path}


@given(path=st.sampled_from(LISTS), values=st.lists(no_value | st.sampled_from(["a", 2])))
def test_a_list_has_no_statement_that_is_no_value(path: Path, values: list[object]) -> None:
    record = PatientRecord.model_validate(changed(path, values))
    held = getattr(getattr(record, str(path[0])), str(path[1]))
    assert held == tuple(str(value) for value in values if value in ("a", 2))


def test_an_examination_that_is_null_is_left_out() -> None:
    data = changed(("examination_results",), [None, *FIGURE_5["examination_results"]])
    assert PatientRecord.model_validate(data) == PatientRecord.model_validate(
        changed(("id",), "10024")
    )


@given(
    path=st.sampled_from([*OPTIONAL, *REQUIRED, *LISTS, ("schema_version",)]),
    value=st.sampled_from([True, False, float("inf"), float("-inf")]),
    listed=st.booleans(),
)
def test_truth_values_and_infinity_are_refused_everywhere(
    path: Path, value: object, listed: bool
) -> None:
    with pytest.raises(ValidationError) as raised:
        PatientRecord.model_validate(changed(path, [value] if listed else value))
    assert {fault["loc"][: len(path)] for fault in raised.value.errors()} == {path}


@pytest.mark.parametrize("age", [45, 45.0, "45"])
def test_an_age_is_a_whole_number(age: object) -> None:
    record = PatientRecord.model_validate(changed(("basic_information", "age"), age))
    assert record.basic_information.age == 45


@pytest.mark.parametrize("age", [45.5, "45 years", "forty", "", [45], -1, 1e400])
def test_an_age_that_is_no_whole_number_is_refused(age: object) -> None:
    with pytest.raises(ValidationError, match=r"basic_information\.age"):
        PatientRecord.model_validate(changed(("basic_information", "age"), age))


@pytest.mark.parametrize("name", ["Nan", "Nan Smith", "Inf Nan", "None", "NA"])
def test_names_that_only_look_like_no_value_stay(name: str) -> None:
    record = PatientRecord.model_validate(changed(("basic_information", "name"), name))
    assert record.basic_information.name == name


def test_sections_leave_out_id_and_origin():
    record = PatientRecord.model_validate(
        {**FIGURE_5, "origin": {"generator": "secret", "keys": ["k"]}}
    )
    assert set(record.sections().model_dump()) == set(SECTIONS)


def test_all_of_patientsims_24_items_have_a_place():
    profile = set(Profile.model_fields) - {"present_illness_negative"}
    held_by_the_record = {"age", "gender", "family", "history", "present illness"}
    # 24 items; the record's own disease is PatientSim's diagnosis.
    assert len(profile) + len(held_by_the_record) + 1 == 24


def test_every_field_of_the_schema_is_described_or_named_by_patientsim():
    schema = PatientRecord.model_json_schema()
    for name, part in {"PatientRecord": schema, **schema["$defs"]}.items():
        for field, told in part.get("properties", {}).items():
            inherited = name == "PatientRecord" and field in SECTIONS
            named_by_patientsim = name == "Profile"
            if not (inherited or named_by_patientsim) and field not in ("name",):
                assert (
                    told.get("description")
                    or "$ref" in told
                    or field
                    in (
                        "medical_history",
                        "gender",
                    )
                ), (name, field)
