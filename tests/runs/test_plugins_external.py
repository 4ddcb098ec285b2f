"""Generators and metrics in a package of somebody else's that imports nothing of ours."""

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import Ended, experiment, script

PROJECT = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "their-plugins"
version = "0.7"

[project.entry-points."pzbench.generators"]
theirs = "their_plugins:Theirs"
stumbling = "their_plugins:Stumbling"
ending = "their_plugins:Ending"

[project.entry-points."pzbench.metrics"]
words = "their_plugins:Words"
broken = "their_plugins:Broken"
nonsense = "their_plugins:Nonsense"

[tool.hatch.build.targets.wheel]
only-include = ["their_plugins.py"]
"""

MODULE = '''
import os
import pathlib

pathlib.Path(os.environ["MARKER"]).touch()
UNLUCKY = "URO-02-0001"


def record(case):
    return {
        "id": case.id,
        "department": case.department,
        "basic_information": {"name": "A B", "gender": case.gender, "age": case.age},
        "epidemiology": {
            "medical_history": [],
            "lifestyle": [],
            "vaccination_history": [],
            "family_history": [],
        },
        "disease_information": {"disease": case.disease, "symptoms": ["pain", case.id]},
        "examination_results": [],
    }


class Theirs:
    card = {"name": "theirs", "summary": "Plain records.", "needs": ()}

    def __init__(self, *, more=0):
        self.more = more

    async def generate(self, cases, context):
        for case in cases:
            made = record(case)
            made["disease_information"]["symptoms"] += ["fever"] * self.more
            yield made


class Stumbling:
    """One case makes no record that we would take."""

    card = {"name": "stumbling", "summary": "A wrong record.", "needs": ()}

    async def generate(self, cases, context):
        for case in cases:
            made = record(case)
            if case.id == UNLUCKY:
                made["basic_information"]["age"] = "old"
            yield made


class Ending:
    """One that raises amid its cases, by which Python ends it."""

    card = {"name": "ending", "summary": "Raises.", "needs": ()}

    async def generate(self, cases, context):
        for case in cases:
            if case.id == UNLUCKY:
                raise LookupError("no such patient")
            yield record(case)


class Words:
    card = {"name": "words", "summary": "Symptoms.", "unit": "symptoms", "better": "higher"}

    async def score(self, items, context):
        counts = {one.id: float(len(one.disease_information.symptoms)) for one in items}
        value = sum(counts.values()) / len(counts)
        return [{"value": value, "n": len(counts), "items": counts}]


class Broken(Words):
    card = {**Words.card, "name": "broken"}

    async def score(self, items, context):
        raise ZeroDivisionError("their fault")


class Nonsense(Words):
    card = {**Words.card, "name": "nonsense"}

    def score(self, items, context):
        return 42
'''

Command = Callable[..., Ended]


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the package is really installed: a folder of its own, without an index."""
    project = tmp_path_factory.mktemp("their-project")
    (project / "pyproject.toml").write_text(PROJECT)
    (project / "their_plugins.py").write_text(MODULE)
    target = tmp_path_factory.mktemp("their-target")
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"),
            *("--no-build-isolation", "--disable-pip-version-check"),
            *("--target", str(target), str(project)),
        ],
        check=True,
        timeout=60,
    )
    return target


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A file that the plug-in makes when it is imported."""
    return tmp_path / "imported"


@pytest.fixture
def pzbench(target: Path, marker: Path, tmp_path: Path) -> Command:
    """The console script where the package is installed."""

    def go(*arguments: object, first: Path | None = None) -> Ended:
        path = os.pathsep.join(str(one) for one in (first, target) if one is not None)
        return script(*arguments, cwd=tmp_path, PYTHONPATH=path, MARKER=str(marker))

    return go


def shown(run: Path) -> dict[tuple[str, str], dict[str, str]]:
    """rows.csv by method and metric."""
    with (run / "rows.csv").open(encoding="utf-8", newline="") as file:
        return {(row["method"], row["metric"]): row for row in csv.DictReader(file)}


def failures(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "failures.jsonl").read_text().splitlines()]


def ids(run: Path, method: str) -> list[str]:
    (path,) = run.glob(f"records/*/{method}.jsonl")
    lines = path.read_text().splitlines()
    return [json.loads(line)["id"] for line in lines]


def test_listed_with_their_package_and_not_imported(pzbench: Command, marker: Path) -> None:
    ended = pzbench("list")
    assert ended.code == 0, ended
    for name, target in (("theirs", "their_plugins:Theirs"), ("words", "their_plugins:Words")):
        (line,) = [line for line in ended.out.splitlines() if line.split()[:1] == [name]]
        assert line.split() == [name, target, "their-plugins", "0.7"]
    assert not marker.exists()


def test_run_beside_ours(pzbench: Command, marker: Path, tmp_path: Path) -> None:
    file = experiment(
        tmp_path / "x.yaml",
        methods=["direct", {"name": "theirs", "more": 2}],
        metrics=["accuracy", "words", "bleu"],
    )
    ended = pzbench("run", file, "--out", "run")
    assert ended.code == 0, ended
    assert marker.exists()
    rows = shown(tmp_path / "run")
    assert (rows["theirs", "words"]["value"], rows["theirs", "words"]["n"]) == ("4.000000", "4")
    assert rows["theirs", "words"]["unit"] == "symptoms"
    assert rows["direct", "words"]["n"] == rows["theirs", "accuracy"]["n"] == "4"
    assert float(rows["theirs", "bleu"]["value"]) > float(rows["direct", "bleu"]["value"])
    assert ids(tmp_path / "run", "theirs") == ids(tmp_path / "run", "direct")
    differences = json.loads((tmp_path / "run" / "differences.json").read_text())
    assert [part["backbone"] for part in differences] == ["none", "rules"]
    assert {one["metric"] for one in differences[1]["differences"]} == {"accuracy", "words", "bleu"}


def test_what_fails_is_counted_and_the_rest_stands(pzbench: Command, tmp_path: Path) -> None:
    file = experiment(
        tmp_path / "x.yaml",
        methods=["theirs", "stumbling", "ending"],
        metrics=["broken", "nonsense", "words"],
    )
    ended = pzbench("run", file, "--out", "run")
    assert ended.code == 3, ended
    assert "Traceback" not in ended.err
    run = tmp_path / "run"
    rows, unlucky = shown(run), "URO-02-0001"
    planned = ids(run, "theirs")
    assert unlucky in planned
    assert ids(run, "stumbling") == [one for one in planned if one != unlucky]
    assert ids(run, "ending") == planned[: planned.index(unlucky)] == planned[:1]
    counts = {
        method: (rows[method, "words"]["n"], rows[method, "words"]["n_missing"])
        for method in ("theirs", "stumbling", "ending")
    }
    assert counts == {"theirs": ("4", "0"), "stumbling": ("3", "1"), "ending": ("1", "3")}
    for method, count in counts.items():
        for metric in ("broken", "nonsense"):
            row = rows[method, metric]
            assert (row["value"], row["n"]) == ("", "0")
            assert int(row["n_missing"]) == sum(map(int, count))
            assert row["notes"].startswith("failed: ")
    told = {(one["stage"], one["item"]): (one["outcome"], one["reason"]) for one in failures(run)}
    outcome, reason = told["stumbling", unlucky]
    assert (outcome, reason.partition(":")[0]) == ("invalid", "basic_information.age")
    assert "no such patient" in told["ending", "*"][1]
    for method in ("theirs", "stumbling", "ending"):
        assert told["broken", method] == ("error", "ZeroDivisionError: their fault")
        assert told["nonsense", method][0] == "error"
    assert len(told) == 2 + 2 * 3


@pytest.mark.parametrize(
    ("setting", "name", "near"),
    [
        ("methods", "their", "theirs"),
        ("methods", "multistep", "multi-step"),
        ("metrics", "wordz", "words"),
        ("metrics", "rouge", "rouge-l"),
    ],
)
def test_unknown_names_get_the_nearest_theirs_among_them(
    pzbench: Command, tmp_path: Path, setting: str, name: str, near: str
) -> None:
    file = experiment(tmp_path / "x.yaml", **{setting: [name]})
    said = pzbench("run", file, "--out", "run").error
    assert f"{name!r}; did you mean {near!r}?" in said


def test_unknown_option_of_theirs(pzbench: Command, tmp_path: Path) -> None:
    file = experiment(tmp_path / "x.yaml", methods=[{"name": "theirs", "mor": 1}])
    said = pzbench("run", file, "--out", "run").error
    assert said == "the generator 'theirs' has no option 'mor'; did you mean 'more'?"


def test_a_file_that_hides_ours_is_named(pzbench: Command, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    shadow = tmp_path / "mine" / "metrics.py"
    shadow.write_text("nothing = 0\n")
    file = experiment(tmp_path / "x.yaml")
    said = pzbench("run", file, "--out", "run", first=tmp_path / "mine").error
    assert f"{shadow} hides the package 'metrics'" in said
    assert "rename it, or run from another folder" in said
