"""What the documents show is run, so that it stays true."""

import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml
from commands import KEY, inside, script
from openai_server import OpenAIServer
from pages import PAGES, ROOT, blocks, files, install

from bench.agents.styles import styles
from bench.api.adapters import make_metric
from bench.api.choice import Choice
from bench.cli.app import app
from bench.cli.chat_session import COMMANDS
from bench.core.registry import REGISTRIES
from bench.experiments.experiment import experiment_from
from bench.records.dialogue import Dialogue
from bench.records.record import PatientRecord
from bench.report.results import FIGURES, MINUS, STAGE, read_results


def test_the_interview_that_a_page_asks_for_is_one() -> None:
    (text,) = blocks("dialogues.md", "yaml")
    (interview,) = experiment_from({"name": "x", **yaml.safe_load(text)}).sections.values()
    assert [one.rounds for one in interview.interactions] == [1, 4]  # type: ignore[attr-defined]


def test_the_examples_of_plug_ins_run_as_they_stand(tmp_path: Path) -> None:
    install(tmp_path, "README.md", "extending.md")

    def pzbench(*arguments: object) -> str:
        ended = script(*arguments, cwd=tmp_path, PYTHONPATH=str(tmp_path))
        assert ended.code == 0, ended
        return ended.out

    assert "Characters of summaries" in pzbench("run", "summaries.yaml")
    run = tmp_path / "runs/summaries"
    scores = [one for one in read_results(run / "results.csv") if one.score.by == "all"]
    lengths = {(one.get("method"), one.get("length")) for one in scores if one.get("length")}
    assert lengths == {(method, n) for method in ("direct", "copies") for n in ("5", "9")}
    assert {one.get("method") for one in scores if one.get("metric") == "same"} >= {"copies"}
    records = run / "items/generate/none/copies.jsonl"
    assert "1.0000" in pzbench("score", records, "-m", "symptoms")


def test_the_commands_of_the_readme_run(
    openai_server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a small server in the models' place; what takes minutes is only planned."""
    monkeypatch.chdir(tmp_path)
    mine = files("README.md")["mine.yaml"].replace(
        "cases_per_department: 50", "cases_per_department: 2"
    )
    Path("mine.yaml").write_text(mine.replace("http://127.0.0.1:8000/v1", openai_server.url))
    for line in "".join(blocks("README.md", "sh")).splitlines():
        words = shlex.split(line, comments=True)
        if words[:1] != ["pzbench"] or "runs/table4" in words:
            continue
        if words[1] == "reproduce" and "--plan" not in words:
            words.append("--plan")
        if words[1] == "score":
            made = Path("runs/mine/items/generate").glob("*/checked.jsonl")
            shutil.copy(next(made), "records.jsonl")
        variables = {"OPENAI_API_KEY": KEY, "OPENAI_BASE_URL": openai_server.url}
        ended = inside(*words[1:], answers=["/quit"], **variables)
        assert ended.code == 0, (line, ended)


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
    assert shown == [(name, str(style.sentences)) for name, style in styles().items()]


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
