"""Records and contexts for tests of metrics."""

from collections.abc import Mapping
from typing import Any, cast

from bench.api.context import Context
from bench.backbones.respondent import Respondent
from bench.journal.journal import Journal
from bench.records.record import (
    BasicInformation,
    DiseaseInformation,
    Epidemiology,
    PatientRecord,
)


def patient(identity: str, department: str, text: str, disease: str = "angina") -> PatientRecord:
    """A record that holds a text, one symptom a line."""
    return PatientRecord(
        id=identity,
        department=department,
        basic_information=BasicInformation(name=f"Name {identity}", gender="female", age=50),
        epidemiology=Epidemiology(
            medical_history=(), lifestyle=(), vaccination_history=(), family_history=()
        ),
        disease_information=DiseaseInformation(disease=disease, symptoms=tuple(text.split("\n"))),
        examination_results=(),
    )


def context(journal: Journal, roles: Mapping[str, Respondent] | None = None) -> Context:
    """A context for metrics that ask no outline."""
    return Context(journal=journal, outlines=cast(Any, None), roles=roles or {})
