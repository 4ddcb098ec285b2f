"""Tables of records, of dialogues and of an exam, made from one run: each of its own part alone."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from rules_run import results_of

from leaderboards.table3 import Table3
from leaderboards.table4 import Table4
from leaderboards.table5 import Table5

RECORDS: dict[str, Any] = {
    "departments": ["Urology"],
    "cases_per_department": 2,
    "methods": ["direct", "patient-zero"],
    "metrics": ["accuracy", "bleu"],
}
DIALOGUES: dict[str, Any] = {
    **RECORDS,
    "methods": ["patient-zero"],
    "roles": {"generator": "rules", "judge": "rules", "rater": "rules"},
    "interview": {"patients_per_department": 1, "questions": 2, "interactions": ["single-with"]},
    "metrics": ["accuracy", "dialogue-consistency", "fluency"],
}
EXAM = {"questions": "sample", "cases": 2, "curve": [1]}


def made(folder: Path, settings: dict[str, Any], tables: list[str]) -> dict[str, bytes]:
    """The files of the first table, without those of the others."""
    results_of(folder, **settings, tables=tables)
    return {
        path.name: path.read_bytes()
        for path in (folder / "tables").iterdir()
        if path.name.startswith(tables[0])
    }


@pytest.mark.parametrize(
    ("table", "settings"), [("table3", RECORDS), ("table4", DIALOGUES)], ids=["table3", "table4"]
)
def test_an_exam_changes_no_table_of_records_or_dialogues(
    tmp_path: Path, table: str, settings: dict[str, Any]
) -> None:
    before = made(tmp_path / "r", settings, [table])
    both = settings | {"exam": EXAM, "metrics": [*settings["metrics"], "medqa-accuracy"]}
    after = made(tmp_path / "r", both, [table, "table5", "rows"])
    assert len(before) == 3
    assert after == before
    exam = (tmp_path / "r/tables/table5.md").read_text()
    assert "zero-shot" in exam
    assert "accuracy: by construction" not in exam.replace("medqa-accuracy", "")


def test_dialogues_change_no_table_of_records(tmp_path: Path) -> None:
    alone = {name: given for name, given in DIALOGUES.items() if name != "interview"}
    before = made(tmp_path / "r", alone | {"metrics": ["accuracy"]}, ["table3"])
    assert made(tmp_path / "r", DIALOGUES, ["table3", "table4"]) == before


def test_every_row_of_an_exam_says_how_it_was_held(tmp_path: Path) -> None:
    exam = {"exam": EXAM | {"k_rules": 0}, "metrics": ["accuracy", "medqa-accuracy"]}
    results_of(tmp_path / "r", **RECORDS | exam, tables=["rows"])
    with (tmp_path / "r/tables/rows.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    held = [json.loads(row["options"])["exam"] for row in rows if row["stage"] == "exam"]
    assert held
    for settings in held:
        told = (settings["k_rules"], settings["curve"], settings["cases"], settings["guard"])
        assert told == (0, [1], 2, True)
    factors = {row["factors"] for row in rows if row["stage"] == "exam"}
    assert factors == {f'{{"patients": "{number}"}}' for number in (0, 1, 2)}
    assert {row["options"] for row in rows if row["stage"] == "generate"} == {""}


def test_a_part_holds_its_own_metrics_and_roles(tmp_path: Path) -> None:
    both = {"exam": EXAM, "metrics": [*DIALOGUES["metrics"], "medqa-accuracy"]}
    results = results_of(tmp_path / "r", **DIALOGUES | both, tables=["rows"])
    found = {
        kind: (
            results.of(kind).values("metric"),
            {role["role"] for role in results.of(kind).manifest["roles"]},
        )
        for kind in ("records", "dialogues", "answers")
    }
    talking = {"generator", "patient", "doctor", "triplets"}
    assert found == {
        "records": (["accuracy"], {"generator", "judge"}),
        "dialogues": (["dialogue-consistency", "fluency"], talking | {"judge", "rater"}),
        "answers": (["medqa-accuracy"], {"generator", "student"}),
    }


def test_a_table_of_what_a_run_does_not_hold_says_so(tmp_path: Path) -> None:
    results = results_of(tmp_path / "r", **RECORDS)
    for table in (Table4(), Table5()):
        (grid,) = table.grids(results)
        assert "holds no" in grid.notes[0]
        assert grid.rows == ()
        assert list(table.charts(results)) == []
    assert Table3().grids(results)[0].rows
