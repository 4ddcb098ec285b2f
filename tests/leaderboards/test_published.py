"""The rows that the project publishes are those that this code gives; `make publish` makes them."""

import csv
import re
from hashlib import sha256
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rules_run import LIBRARY, run

from bench.api.adapters import make_generator, make_metric
from bench.backbones.rules.backbone import Rules
from bench.core.registry import TABLES
from bench.experiments.experiment import MEDQA, Experiment, load_experiment
from bench.report.results import make_tables
from bench.runs.manifest import describe_run
from bench.runs.roles import Team
from bench.stages.exam_questions import with_test
from leaderboards.exam import ALL
from leaderboards.rows import COLUMNS
from leaderboards.table5_csv import DIFFERENCES

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "leaderboards" / "results"
PAIRED = FOLDER / "table5_differences.csv"
RESULTS = sorted(path for path in FOLDER.glob("*.csv") if path != PAIRED)
EXAM = FOLDER / "table5.csv"


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def preset(table: str) -> Experiment:
    """The experiment that makes a table, with the hash of its questions."""
    path = TABLES.load(table).preset
    return with_test(load_experiment(path), LIBRARY.departments)[0]


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_published_rows_have_the_columns_and_no_stand_in_ranks(path):
    rows = read(path)
    assert rows
    for row in rows:
        assert list(row) == list(COLUMNS)
        assert row["ranked"] == ("false" if row["stand_in"] == "true" else "true")
        assert (row["backbone"] == "rules") <= (row["stand_in"] == "true")
        assert int(row["n"]) >= 0
        if row["value"] and row["ci_low"]:
            assert float(row["ci_low"]) <= float(row["value"]) <= float(row["ci_high"])


def test_something_is_published():
    assert RESULTS


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_published_rows_are_of_this_knowledge_these_prompts_and_these_rules(path):
    experiment = preset(path.stem)
    methods = {choice.label: make_generator(choice) for choice in experiment.methods}
    metrics = [make_metric(choice) for choice in experiment.metrics]
    nobody = cast(Team, SimpleNamespace(engaged=()))
    now: dict[str, Any] = describe_run(experiment, nobody, methods, metrics, LIBRARY)
    told = "\n".join(f"{name} {found}" for name, found in sorted(now["prompts"].items()))
    version = Rules(library=LIBRARY).version
    for row in read(path):
        assert row["outlines"] == now["outlines"]
        assert row["experiment_hash"] == now["experiment"]
        assert row["prompts"] == sha256(told.encode()).hexdigest()
        assert set(re.findall(r"rules@(\w+)", row["signature"])) <= {version}


def test_the_published_exam_is_of_these_questions():
    exam = preset("table5").medqa
    assert exam is not None
    assert exam.digest is not None
    rows = [row for row in read(EXAM) if row["metric"].startswith(MEDQA)]
    assert rows
    assert all(f"|set:{exam.digest[:12]}|" in row["signature"] for row in rows)
    assert tuple(read(PAIRED)[0]) == DIFFERENCES


def test_a_department_of_the_published_exam_is_what_this_code_gives(tmp_path: Path):
    data = load_experiment(TABLES.load("table5").preset).model_dump(mode="json")
    folder = run(tmp_path / "r", **data | {"departments": ["Urology"]})
    make_tables(folder)
    metric = f"{MEDQA}/Urology"
    counted = ("method", "value", "ci_low", "ci_high", "n", "n_missing", "notes")

    def told(path: Path) -> list[list[str]]:
        return [[row[name] for name in counted] for row in read(path) if row["metric"] == metric]

    def paired(path: Path) -> list[dict[str, str]]:
        return [row for row in read(path) if row["department"] == "Urology"]

    # Other departments have other students: without them nothing of these changes but the notes.
    made = [row[:-1] for row in told(folder.path / "rows.csv")]
    assert made == [row[:-1] for row in told(EXAM)]
    assert len(made) == 3
    assert paired(folder.path / "table5_differences.csv") == paired(PAIRED)


def test_the_page_on_medqa_says_what_is_published():
    """What it should say stands in the message of the failure."""
    rows = {row["method"]: row for row in read(EXAM) if row["metric"] == MEDQA}
    paired = {
        row["first"]: row
        for row in read(PAIRED)
        if (row["second"], row["department"]) == ("zero-shot", ALL)
    }
    exam = preset("table5").medqa
    assert exam is not None

    def share(method: str) -> str:
        row = rows[method]
        n, (value, low, high) = (
            int(row["n"]),
            (100 * float(row[name]) for name in ("value", "ci_low", "ci_high")),
        )
        return f"{round(n * value / 100)} of {n}, {value:.2f} % [{low:.2f}, {high:.2f}]"

    def trained(method: str) -> str:
        row = paired[method]
        counts = f"+{row['only_first_right']} -{row['only_second_right']}"
        return f"on {method} {share(method)} ({counts}, p = {float(row['p_mcnemar']):.2g})"

    options = {re.findall(r"\|options:(\d)\|", row["signature"])[0] for row in rows.values()}
    guessed = int(rows["zero-shot"]["n"]) / int(options.pop())
    said = (
        f"zero-shot {share('zero-shot')}; trained on {exam.cases} patients a department, "
        f"{' and '.join(trained(method) for method in paired)}. Guessing would give {guessed:g}."
    )
    page = (ROOT / "docs" / "medqa.md").read_text(encoding="utf-8")
    section = " ".join(page.partition("\n## Table 5\n")[2].partition("\n## ")[0].split())
    assert said in section, f"docs/medqa.md, Table 5, should say: {said}"
