"""Tables of records, of dialogues and of an exam, made from one run: each of its own part alone."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from exam_run import few
from rules_run import results_of

from bench.report.results import Results
from leaderboards.table3 import Table3
from leaderboards.table4 import Table4
from leaderboards.table5 import Table5

RECORDS: dict[str, Any] = {
    "departments": ["Urology"],
    "cases_per_department": 2,
    "methods": ["direct", "patient-zero"],
    "roles": {"generator": "rules", "judge": "rules", "rater": "rules"},
    "metrics": ["accuracy", "bleu"],
    "tables": ["table3"],
}
DIALOGUES: dict[str, Any] = {
    "interview": {
        "patients_per_department": 1,
        "questions": 2,
        "formats": ["json"],
        "interactions": ["single-with"],
    },
    "metrics": [*RECORDS["metrics"], "dialogue-consistency", "fluency"],
    "tables": ["table3", "table4"],
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("parts") / "run"


@pytest.fixture(scope="module")
def made(folder: Path) -> list[tuple[Results, dict[str, bytes]]]:
    """One run of records, then with dialogues, then with an exam; its tables each time."""
    exam = {"questions": few(folder.parent), "cases": 2, "curve": [1], "k_rules": 0}
    last = {
        "exam": exam,
        "metrics": [*DIALOGUES["metrics"], "medqa-accuracy"],
        "tables": ["table3", "table4", "table5", "rows"],
    }
    found, settings = [], RECORDS
    for more in ({}, DIALOGUES, last):
        settings = settings | more
        results = results_of(folder, **settings)
        files = {path.name: path.read_bytes() for path in (folder / "tables").iterdir()}
        found.append((results, files))
    return found


def test_a_later_part_changes_no_earlier_table(
    made: list[tuple[Results, dict[str, bytes]]],
) -> None:
    (_, records), (_, dialogues), (_, exam) = made
    assert (len(records), len(dialogues), len(exam)) == (3, 6, 10)
    assert records.items() <= dialogues.items() <= exam.items()
    assert b"zero-shot" in exam["table5.md"]
    noted = exam["table5.md"].replace(b"medqa-accuracy", b"")
    assert b"accuracy: by construction" not in noted


def test_a_table_of_what_a_run_does_not_hold_says_so(
    made: list[tuple[Results, dict[str, bytes]]],
) -> None:
    results, _ = made[0]
    for table in (Table4(), Table5()):
        (grid,) = table.grids(results)
        assert "holds no" in grid.notes[0]
        assert grid.rows == ()
        assert list(table.charts(results)) == []
    assert Table3().grids(results)[0].rows


def test_every_row_of_an_exam_says_how_it_was_held(
    made: list[tuple[Results, dict[str, bytes]]], folder: Path
) -> None:
    assert made
    with (folder / "tables/rows.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    exam = [row for row in rows if row["stage"] == "exam"]
    assert exam
    for row in exam:
        settings = json.loads(row["options"])["exam"]
        told = (settings["k_rules"], settings["curve"], settings["cases"], settings["guard"])
        assert told == (0, [1], 2, True)
    assert {json.loads(row["factors"])["patients"] for row in exam} == {"0", "1", "2"}
    assert {row["options"] for row in rows if row["stage"] == "generate"} == {""}
