"""What the documents show is run, so that it stays true."""

import asyncio
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from commands import inside
from rules_run import LIBRARY, context, generate, results_of

from bench.agents.styles import styles
from bench.api.adapters import make_metric, whole_card
from bench.api.cell import Cell
from bench.api.choice import Choice
from bench.api.context import Context
from bench.api.evaluation import Evaluation
from bench.api.generator import GeneratorCard
from bench.api.item import Items
from bench.api.metric import MetricCard
from bench.api.pair_metric import MatrixKernel, PairMetric
from bench.cli.app import app
from bench.cli.chat_session import COMMANDS
from bench.core.registry import REGISTRIES
from bench.experiments.experiment import experiment_from
from bench.knowledge.cases import plan
from bench.records.dialogue import Dialogue
from bench.records.record import PatientRecord
from bench.records.record_files import RecordFile
from bench.report.pivot import Axis, Pivot
from bench.report.results import FIGURES, MINUS, STAGE, Results
from bench.scoring.evaluations import evaluate
from bench.scoring.pairs import score_pairs
from bench.scoring.scores import scores_of

ROOT = Path(__file__).resolve().parents[1]
PAGES = {path.name: path.read_text("utf-8") for path in (ROOT / "README.md", *ROOT.glob("docs/*"))}
PLUGINS = ROOT / "tests" / "runs" / "test_plugins_external.py"
"""Where the stage of the guide is installed and run."""


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], re.MULTILINE | re.DOTALL)


def defined(page: str, name: str) -> Any:
    """A class that a page shows."""
    (code,) = (block for block in blocks(page, "python") if f"class {name}" in block)
    given = (PairMetric, MetricCard, MatrixKernel, Pivot, Axis)
    space: dict[str, Any] = {"np": np, **{one.__name__: one for one in given}}
    exec(code, space)
    return space[name]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("docs") / "r"


@pytest.fixture(scope="module")
def results(folder: Path) -> Results:
    return results_of(folder, methods=["direct"], metrics=["accuracy"], tables=["rows"])


@pytest.fixture(scope="module")
def records(folder: Path, results: Results) -> Items:
    return Items(list(RecordFile(folder / "items/generate/rules/direct.jsonl")))


def test_the_readmes_experiment_is_one() -> None:
    (text,) = blocks("README.md", "yaml")
    (generating,) = experiment_from(yaml.safe_load(text)).sections.values()
    assert len(generating.methods) == 3  # type: ignore[attr-defined]


def test_the_interview_that_a_page_asks_for_is_one() -> None:
    (text,) = blocks("dialogues.md", "yaml")
    (interview,) = experiment_from({"name": "x", **yaml.safe_load(text)}).sections.values()
    assert [one.rounds for one in interview.interactions] == [1, 4]  # type: ignore[attr-defined]


def test_the_readmes_metric_scores(records: Items) -> None:
    metric = defined("README.md", "Symptoms")()
    metric.card = whole_card(metric.card, "symptoms", "symptoms", MetricCard)

    async def evaluations(given: Context) -> list[Evaluation]:
        return [one async for one in evaluate(metric, records, given)]

    with context() as given:
        found = asyncio.run(evaluations(given))
    score, *_ = scores_of(metric.card, found, records, "")
    assert score.n == 8
    assert score.value is not None
    assert 3 <= score.value <= 8


def test_the_similarity_of_the_guide_scores(records: Items) -> None:
    metric, cell = defined("extending.md", "Same")(), Cell(method="direct")
    with context() as given:
        found = asyncio.run(score_pairs(metric, {cell: records}, (), given))
    score, *_ = found.scores[cell]
    assert (score.value, score.n) == (0, 8)


def test_the_generator_of_the_guide_writes() -> None:
    copies = defined("extending.md", "Copies")()
    copies.card = GeneratorCard(**{"name": "copies", **copies.card})
    with context() as given:
        written = generate(copies, list(plan(LIBRARY, ["Urology"], 3, 1)), given)
    assert len({PatientRecord.model_validate(one).id for one in written}) == 3


def test_the_stage_of_the_guide_is_the_one_that_is_tested() -> None:
    (code,) = (block for block in blocks("extending.md", "python") if "class Summary" in block)
    assert code in PLUGINS.read_text("utf-8")


def test_the_table_of_the_guide_lays_out_results(results: Results) -> None:
    table = defined("extending.md", "Lengths")()
    measured = {"metric": "length", "unit": "characters"}
    lengths = [
        replace(one, cell=one.cell.and_(length="5"), score=one.score.model_copy(update=measured))
        for one in results.select("accuracy")
    ]
    (grid,) = table.grids(replace(results, results=tuple(lengths)))
    assert grid.columns == ("Method", "5")
    assert [row[0] for row in grid.rows] == ["direct"]


def test_the_groups_of_plug_ins_are_all_listed() -> None:
    listed = set(re.findall(r"^\| `(pzbench\.\w+)`", PAGES["extending.md"], re.MULTILINE))
    assert listed == {registry.group for registry in REGISTRIES.values()}


def test_the_columns_of_results_are_all_listed() -> None:
    page = PAGES["protocol.md"].partition("### Results")[2].partition("### ")[0]
    cells = "".join(re.findall(r"^\| (`.*?) \|", page, re.MULTILINE))
    assert set(re.findall(r"`(\w+)`", cells)) == {STAGE, MINUS, *FIGURES}


def test_the_parts_of_metrics_are_all_listed() -> None:
    for name in ("accuracy", "conduct", "medqa-accuracy"):
        for part in make_metric(Choice(name=name)).card.parts:
            assert f"`{part.name}`" in PAGES["protocol.md"], (name, part.name)


def test_the_record_that_is_shown_is_one():
    import json

    (text,) = blocks("records.md", "json")
    assert PatientRecord.model_validate(json.loads(text)).id == "10024"


def test_the_dialogue_that_is_shown_is_one():
    (text,) = blocks("dialogues.md", "json")
    assert Dialogue.model_validate_json(text).id == "10024"


def test_the_interview_that_is_shown_can_be_held(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = next(
        block for block in blocks("dialogues.md", "text") if block.startswith("$ pzbench chat")
    )
    command, *_ = shown.splitlines()
    typed = re.findall(r"^Doctor: (.*)", shown, re.MULTILINE)
    done = inside(*command.split()[2:], answers=typed)
    assert done.code == 0
    answers = [line for line in done.out.splitlines() if line.startswith("Patient: ")]
    assert len(answers) == shown.count("\nPatient: ") == 10
    for line in (
        "Right: the diagnosis is Lumbar disc herniation with sciatica.",
        "[wrote interview",
    ):
        assert line in done.out
        assert line in shown
    assert inside("memory", "interview.jsonl", "ORT-02-0001").code == 0


def test_the_styles_that_are_shown_are_those_there_are():
    shown = re.findall(r"^\| `(\w+)` \| .* \| (\d) \|$", PAGES["dialogues.md"], re.MULTILINE)
    assert shown == [(one.name, str(one.sentences)) for one in styles().values()]


def test_the_commands_of_an_interview_are_listed():
    listed = set(re.findall(r"`(/[a-z]+)", PAGES["dialogues.md"]))
    assert listed == set(COMMANDS)


def test_every_command_that_is_shown_exists():
    commands = {command.name for command in app.registered_commands}
    groups = {group.name for group in app.registered_groups}
    shown = {
        word
        for page in PAGES.values()
        for word in re.findall(r"(?:^|`| )pzbench ([a-z][a-z-]*)", page, re.MULTILINE)
    }
    assert shown
    assert shown <= commands | groups


def test_links_between_pages_hold():
    for name, page in PAGES.items():
        folder = ROOT if name == "README.md" else ROOT / "docs"
        for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page):
            assert (folder / target).exists(), (name, target)
