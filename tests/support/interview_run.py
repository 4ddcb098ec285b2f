"""Small runs with interviews, and what they leave."""

from pathlib import Path
from typing import Any

from rules_run import results_of

from bench.records.dialogue import Dialogue
from bench.records.record import PatientRecord
from bench.records.record_files import ItemFile
from bench.report.results import Results

MODEL = "openai/words"
FORMATS = ("json", "text", "atomic")
INTERVIEW: dict[str, Any] = {
    "patients_per_department": 2,
    "questions": 3,
    "interactions": ["single-with", "cross-without", "cross-with"],
}
SETTINGS: dict[str, Any] = {
    "departments": ["Orthopedics", "Urology"],
    "cases_per_department": 3,
    "methods": ["patient-zero"],
    "roles": {"generator": "rules", "judge": "rules", "rater": "rules"},
    "metrics": ["dialogue-consistency", "emotional-consistency", "conduct"],
    "tables": [],
}
FILES = ("items/**/*.jsonl", "evaluations/**/*.jsonl", "results.csv")
THRICE = {"name": "thrice", "rounds": 3, "update": True}


def settings_of(**changed: Any) -> dict[str, Any]:
    """The small experiment's settings; `interview` changes that of `INTERVIEW`."""
    interview = INTERVIEW | changed.pop("interview", {})
    return {**SETTINGS, "interview": interview, **changed}


def held(folder: Path, *, retry_failed: bool = False, **changed: Any) -> Results:
    """A small run with interviews."""
    return results_of(folder, retry_failed=retry_failed, **settings_of(**changed))


def dialogues(folder: Path) -> dict[str, list[Dialogue]]:
    """The dialogues of each file, by what its path says of the cell."""
    home = folder / "items/interview"
    return {
        str(path.relative_to(home).with_suffix("")): list(ItemFile(path, Dialogue))
        for path in sorted(home.rglob("*.jsonl"))
        if path.is_file()
    }


def records(folder: Path, name: str = "rules/patient-zero") -> list[PatientRecord]:
    return list(ItemFile(folder / f"items/generate/{name}.jsonl", PatientRecord))


def words(**changed: Any) -> dict[str, Any]:
    """Settings of a run in which a model is patient, doctor and labeller."""
    return {
        "cases_per_department": 2,
        "roles": {"generator": "rules", "patient": MODEL, "rater": "rules"},
        "interview": {
            "patients_per_department": 2,
            "questions": 2,
            "interactions": ["single-with", "cross-without"],
        },
        "metrics": ["emotional-consistency", "conduct"],
        **changed,
    }
