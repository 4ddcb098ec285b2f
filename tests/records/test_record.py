"""The record's schema: what it takes, what it refuses, what it says."""

import pytest
from pydantic import ValidationError

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
