"""Small runs with an exam, and what they leave."""

import json
from pathlib import Path
from typing import Any

from rules_run import results_of

from bench.medqa.sources import SAMPLE_FILE, load_questions
from bench.records.record import PatientRecord
from bench.records.record_files import ItemFile
from bench.report.results import Result, Results
from bench.students.answer import Answered
from bench.students.training import PracticeStep

MODEL = "openai/words"
EACH = 4
QUESTIONS = {
    name: [one for one in load_questions("sample").questions if one.department == name][:EACH]
    for name in ("Urology", "Orthopedics")
}
ALL = [*QUESTIONS["Urology"], *QUESTIONS["Orthopedics"]]
EXAM: dict[str, Any] = {"cases": 2, "curve": [1]}
SETTINGS: dict[str, Any] = {
    "departments": ["Orthopedics", "Urology"],
    "cases_per_department": 3,
    "methods": ["direct", "patient-zero"],
    "roles": {"generator": "rules"},
    "metrics": ["medqa-accuracy"],
    "tables": [],
}
FILES = ("items/**/*", "evaluations/**/*", "details/**/*", "results.csv")
ACCURACY = "medqa-accuracy"


def few(folder: Path) -> str:
    """A file of the first sample questions of two departments."""
    kept = {one.question for one in ALL}
    lines = SAMPLE_FILE.read_text("utf-8").splitlines(keepends=True)
    path = folder / "few.jsonl"
    chosen = (line for line in lines if json.loads(line)["question"] in kept)
    path.write_text("".join(chosen), "utf-8")
    return str(path)


def settings_of(folder: Path, **changed: Any) -> dict[str, Any]:
    """A small experiment with an exam; `exam` changes that of `EXAM`."""
    exam = {"questions": few(folder), **EXAM, **changed.pop("exam", {})}
    return {**SETTINGS, "exam": exam, **changed}


def sat(folder: Path, *, retry_failed: bool = False, **changed: Any) -> Results:
    """A small run with an exam; its questions lie beside its folder."""
    return results_of(folder, retry_failed=retry_failed, **settings_of(folder.parent, **changed))


def rows(path: Path, kind: type[Any]) -> list[Any]:
    return [kind.model_validate_json(line) for line in path.read_text("utf-8").splitlines()]


def answers(folder: Path) -> dict[str, list[Answered]]:
    """The answers of each cell, by its path."""
    home = folder / "items/exam"
    return {
        str(path.relative_to(home).with_suffix("")): rows(path, Answered)
        for path in home.rglob("*.jsonl")
    }


def records(folder: Path, method: str) -> list[PatientRecord]:
    return list(ItemFile(folder / f"items/generate/rules/{method}.jsonl", PatientRecord))


def practised(folder: Path, method: str) -> list[str]:
    """The records that a method's students practised on, in order."""
    steps = rows(folder / f"details/exam/rules/{method}/steps.jsonl", PracticeStep)
    return list(dict.fromkeys(step.record for step in steps))


def figure(results: Results, method: str, patients: int, part: str = "", **more: str) -> Result:
    """The accuracy after some patients."""
    found = results.find(ACCURACY, part, method=method, patients=str(patients), **more)
    assert found is not None
    return found


WORDED: dict[str, Any] = {
    "methods": ["direct"],
    "roles": {"generator": "rules", "student": MODEL},
}
"""Settings of a run in which a model is the student."""
