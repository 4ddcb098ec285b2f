"""The rows that the project publishes are those that this code gives; `make publish` makes them."""

import asyncio
import csv
import json
import re
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rules_run import LIBRARY

from bench.api.context import Unwatched
from bench.backbones.rules.backbone import Rules
from bench.core.registry import TABLES
from bench.experiments.assembly import Assembly, assemble
from bench.experiments.changes import digest_of
from bench.experiments.engine import execute
from bench.experiments.experiment import load_experiment
from bench.runs.folder import RunFolder
from bench.runs.manifest import describe_run
from bench.runs.roles import Team
from bench.runs.settings import Settings
from bench.stages.exam.stage import ZERO_SHOT, Exam
from leaderboards.rows import COLUMNS

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "leaderboards" / "results"
RESULTS = sorted(FOLDER.glob("*.csv"))
MEDQA = "medqa-accuracy"
Row = dict[str, str]


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def published(table: str) -> list[Row]:
    return read(FOLDER / f"{table}.csv")


def preset(table: str) -> Assembly:
    """The experiment that makes a table, put together."""
    return assemble(load_experiment(TABLES.load(table).preset))


def test_every_table_of_the_paper_is_published() -> None:
    assert [path.stem for path in RESULTS] == ["table3", "table4", "table5"]


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_published_rows_have_the_columns_and_no_stand_in_ranks(path: Path) -> None:
    rows = read(path)
    assert rows
    for row in rows:
        assert list(row) == list(COLUMNS)
        assert row["ranked"] == ("false" if row["stand_in"] == "true" else "true")
        assert (row["backbone"] == "rules") <= (row["stand_in"] == "true")
        assert int(row["n"]) >= 0
        if row["value"] and row["ci_low"]:
            assert float(row["ci_low"]) <= float(row["value"]) <= float(row["ci_high"])


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_published_rows_are_of_this_knowledge_these_prompts_and_these_rules(path: Path) -> None:
    now = preset(path.stem)
    nobody = cast(Team, SimpleNamespace(engaged=()))
    told: dict[str, Any] = describe_run(now.stages, now.metrics, team=nobody, outlines=LIBRARY)
    prompts = "\n".join(f"{name} {digest}" for name, digest in sorted(told["prompts"].items()))
    version = Rules(library=LIBRARY).version
    for row in read(path):
        assert row["outlines"] == told["outlines"]
        assert row["experiment_hash"] == digest_of(now.experiment)
        assert row["prompts"] == sha256(prompts.encode()).hexdigest()
        assert set(re.findall(r"rules@(\w+)", row["signature"])) <= {version}


def test_the_published_exam_is_of_these_questions() -> None:
    exam = preset("table5").stages["exam"]
    assert isinstance(exam, Exam)
    rows = published("table5")
    assert rows
    assert {row["metric"] for row in rows} == {MEDQA}
    assert all(f"|set:{exam.test.digest[:12]}|" in row["signature"] for row in rows)


def test_a_department_of_the_published_exam_is_what_this_code_gives(tmp_path: Path) -> None:
    preset = load_experiment(TABLES.load("table5").preset)
    written: Any = preset.sections["generate"]
    changes = {
        "departments": ("Urology",),
        "generate": written.model_copy(update={"methods": written.methods[:1]}),
        "tables": ("rows",),
    }
    alone = preset.model_copy(update=changes)
    asyncio.run(execute(alone, RunFolder(tmp_path / "r"), Settings(), Unwatched()))
    # Others have other students: without them nothing of these changes but what tells of the whole.
    named = [name for name in COLUMNS if name not in ("experiment_hash", "prompts", "notes")]

    def told(rows: list[Row]) -> list[list[str]]:
        own = (row for row in rows if row["group"] == "Urology")
        return [
            [row[name] for name in named]
            for row in own
            if "patient-zero" not in row["method"] + row["minus"]
        ]

    made = told(read(tmp_path / "r/tables/rows.csv"))
    assert made == told(published("table5"))
    assert len(made) == 3 + 1  # along the curve, and the difference of its ends


def test_the_page_on_medqa_says_what_is_published() -> None:
    """What it should say stands in the message of the failure."""
    exam = preset("table5").stages["exam"]
    assert isinstance(exam, Exam)
    whole = [row for row in published("table5") if (row["part"], row["by"]) == ("", "all")]
    patients = {"0", str(exam.own.cases)}
    rows = {
        row["method"]: row
        for row in whole
        if not row["minus"] and json.loads(row["factors"])["patients"] in patients
    }
    paired = {
        row["method"]: row
        for row in whole
        if row["minus"] and json.loads(row["minus"])["method"] == ZERO_SHOT
    }

    def share(method: str) -> str:
        row = rows[method]
        n, (value, low, high) = (
            int(row["n"]),
            (100 * float(row[name]) for name in ("value", "ci_low", "ci_high")),
        )
        return f"{round(n * value / 100)} of {n}, {value:.2f} % [{low:.2f}, {high:.2f}]"

    def trained(method: str) -> str:
        row = paired[method]
        counts = f"+{row['only_first']} -{row['only_second']}"
        return f"on {method} {share(method)} ({counts}, p = {float(row['p_value']):.2g})"

    guessed = int(rows[ZERO_SHOT]["n"]) / exam.test.options
    said = (
        f"zero-shot {share(ZERO_SHOT)}; trained on {exam.own.cases} patients a department, "
        f"{' and '.join(trained(method) for method in paired)}. Guessing would give {guessed:g}."
    )
    page = (ROOT / "docs" / "medqa.md").read_text(encoding="utf-8")
    section = " ".join(page.partition("\n## Table 5\n")[2].partition("\n## ")[0].split())
    assert said in section, f"docs/medqa.md, Table 5, should say: {said}"
