"""Tables of records, of dialogues and of an exam, made from one run: each of its own part alone."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from rules_run import run

from bench.experiments.experiment import TALKING
from bench.report.results import make_tables, read_results

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
    "dialogues": {"patients_per_department": 1, "questions": 2, "interactions": ["single-with"]},
    "metrics": ["accuracy", "dialogue-consistency", "fluency"],
}
EXAM = {"questions": "sample", "cases": 2, "curve": [1]}


def made(folder: Path, settings: dict[str, Any], tables: list[str]) -> dict[str, bytes]:
    """The files of the first table, without those of the others."""
    written = make_tables(run(folder, **settings, tables=tables))[1]
    return {path.name: path.read_bytes() for path in written if path.name.startswith(tables[0])}


@pytest.mark.parametrize(
    ("table", "settings"), [("table3", RECORDS), ("table4", DIALOGUES)], ids=["table3", "table4"]
)
def test_an_exam_changes_no_table_of_records_or_dialogues(
    tmp_path: Path, table: str, settings: dict[str, Any]
) -> None:
    before = made(tmp_path / "r", settings, [table])
    after = made(tmp_path / "r", settings | {"medqa": EXAM}, [table, "table5", "rows"])
    assert len(before) >= 3
    assert after == before
    exam = (tmp_path / "r" / "table5.md").read_text()
    assert "zero-shot" in exam
    assert "accuracy: by construction" not in exam.replace("medqa-accuracy", "")


def test_every_row_of_an_exam_says_how_it_was_held(tmp_path: Path) -> None:
    folder = run(tmp_path / "r", **RECORDS | {"medqa": EXAM | {"k_rules": 0}}, tables=["rows"])
    make_tables(folder)
    rows = list(csv.DictReader((folder.path / "rows.csv").open(encoding="utf-8", newline="")))
    options = {row["metric"]: json.loads(row["options"] or "{}") for row in rows}
    held = options["medqa-accuracy"]["metric"]
    assert (held["k_rules"], held["curve"], held["cases"]) == (0, [1], 2)
    parts = {name: given for name, given in options.items() if name.startswith("medqa-accuracy/")}
    ends = ("Urology", "answered", "after-1")
    assert set(parts) == {f"medqa-accuracy/{end}" for end in ends}
    assert all(given == {"metric": held} for given in parts.values())
    assert options["accuracy"] == options["accuracy/epidemiology"] == {}


def test_dialogues_change_no_table_of_records(tmp_path: Path) -> None:
    alone = {name: given for name, given in DIALOGUES.items() if name != "dialogues"}
    before = made(tmp_path / "r", alone | {"metrics": ["accuracy"]}, ["table3"])
    assert made(tmp_path / "r", DIALOGUES, ["table3", "table4"]) == before


def test_a_part_holds_its_own_methods_metrics_and_roles(tmp_path: Path) -> None:
    settings = DIALOGUES | {"medqa": EXAM}
    results = read_results(run(tmp_path / "r", **settings, tables=["rows"]))
    found = {
        part: (
            {method.label.partition("/")[0] for _, method in results.of(part).systems()},
            {metric.label for metric in results.of(part).metrics},
            {role["role"] for role in results.of(part).manifest["roles"]},
        )
        for part in ("records", "dialogues", "exam")
    }
    assert found["records"] == ({"patient-zero"}, {"accuracy"}, {"generator", "judge"})
    assert found["dialogues"][0] == {"single-with"}
    assert found["dialogues"][1] == {"dialogue-consistency", "fluency"}
    assert found["dialogues"][2] == {"generator", *TALKING, "judge", "rater"}
    assert found["exam"][0] == {"zero-shot", "patient-zero"}
    assert found["exam"][1] == {"medqa-accuracy"}
    assert found["exam"][2] == {"generator", "student"}
