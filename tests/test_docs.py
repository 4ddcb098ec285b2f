"""What the documents show is run, so that it stays true."""

import asyncio
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import inside
from rules_run import LIBRARY, context, generate, run

from bench.agents.styles import styles
from bench.api.generator import GeneratorCard
from bench.api.metric import Items, MetricCard
from bench.cli.chat_session import COMMANDS
from bench.cli.main import app
from bench.experiments.experiment import experiment_from
from bench.knowledge.cases import plan
from bench.records.dialogue import Dialogue
from bench.records.record import PatientRecord
from bench.records.record_files import RecordFile
from bench.scoring.pairs import MatrixKernel, PairMetric

ROOT = Path(__file__).resolve().parents[1]
PAGES = {path.name: path.read_text("utf-8") for path in (ROOT / "README.md", *ROOT.glob("docs/*"))}


def blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], re.MULTILINE | re.DOTALL)


def defined(page: str, name: str) -> Any:
    """A class that a page shows."""
    import numpy as np

    (code,) = (block for block in blocks(page, "python") if f"class {name}" in block)
    names = {"PairMetric": PairMetric, "MetricCard": MetricCard, "MatrixKernel": MatrixKernel}
    space: dict[str, Any] = {**names, "np": np}
    exec(code, space)
    return space[name]


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Items:
    folder = run(tmp_path_factory.mktemp("docs") / "r", methods=["direct"], metrics=["bleu"])
    return Items(list(RecordFile(folder.path / "records/rules/direct.jsonl")))


def test_the_readmes_experiment_is_one():
    (text,) = blocks("README.md", "yaml")
    assert len(experiment_from(yaml.safe_load(text)).methods) == 3


def test_the_readmes_metric_scores(records):
    found = asyncio.run(defined("README.md", "Length")().score(records, None))
    assert found["n"] == 8
    assert 3 <= found["value"] <= 8


def test_the_similarity_of_the_guide_scores(records):
    metric = defined("extending.md", "Same")()
    with context() as given:
        (score,) = asyncio.run(metric.score(records, given))
    assert score.value == 0
    assert score.n == 8


def test_the_generator_of_the_guide_writes():
    copies = defined("extending.md", "Copies")()
    copies.card = GeneratorCard(**{"name": "copies", **copies.card})
    with context() as given:
        made = generate(copies, list(plan(LIBRARY, ["Urology"], 3, 1)), given)
    assert len({PatientRecord.model_validate(one).id for one in made}) == 3


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


def test_the_commands_of_an_interview_are_told():
    told = set(re.findall(r"`(/[a-z]+)", PAGES["dialogues.md"]))
    assert told == set(COMMANDS)


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
