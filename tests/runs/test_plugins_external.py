"""Generators and metrics in a package of somebody else's that imports nothing of ours."""

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import Ended, experiment, inside, script, started
from pages import files
from serving import kill, serving, stats, until

from bench.core.registry import REGISTRIES
from bench.report.results import Result, read_results

Go = Callable[..., Ended]
POINTS = """
[pzbench.generators]
theirs = their_plugins:Theirs
stumbling = their_plugins:Stumbling
ending = their_plugins:Ending

[pzbench.metrics]
words = their_plugins:Words
broken = their_plugins:Broken
nonsense = their_plugins:Nonsense
whole = their_plugins:Whole
length = their_stage:Length

[pzbench.stages]
summary = their_stage:Summary

[pzbench.formats]
capitals = their_stage:Capitals

[pzbench.tables]
summaries = their_stage:Summaries
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

    async def evaluate(self, item, context):
        return len(item.disease_information.symptoms)


class Broken(Words):
    card = {**Words.card, "name": "broken"}

    async def evaluate(self, item, context):
        raise ZeroDivisionError("their fault")


class Nonsense(Words):
    card = {**Words.card, "name": "nonsense"}

    def evaluate(self, item, context):
        return 42


class Whole:
    card = {**Words.card, "name": "whole"}

    async def score(self, items, context):
        counts = {one.id: float(len(one.disease_information.symptoms)) for one in items}
        value = sum(counts.values()) / len(counts)
        return [{"value": value, "n": len(counts), "items": counts}]
'''

STAGE = (
    files("extending.md")["their_stage.py"]
    + """
import pathlib


class Capitals:
    name = "capitals"

    def render(self, record, *, identity=True):
        return record.model_dump_json(include={"disease_information"}).upper()


class Summaries:
    preset = pathlib.Path(__file__).with_name("summaries.yaml")

    def grids(self, results):
        from bench.api.table import Grid

        rows = tuple(
            (one.cell["method"], one.cell["length"], f"{one.score.value:.1f}")
            for one in results.select("length")
        )
        return [Grid("Summaries", ("Method", "Length", "Characters"), rows)]
"""
)

PRESET = """
name: summaries
departments: [Urology]
generate: {cases_per_department: 2, methods: [direct]}
summary: {lengths: [5]}
roles: {generator: rules}
metrics: [length]
tables: [summaries, rows]
"""


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the package is installed."""
    target = tmp_path_factory.mktemp("their-target")
    (target / "their_plugins.py").write_text(MODULE)
    (target / "their_stage.py").write_text(STAGE)
    (target / "summaries.yaml").write_text(PRESET)
    package = target / "their_plugins-0.7.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: their-plugins\nVersion: 0.7\n")
    (package / "entry_points.txt").write_text(POINTS)
    return target


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    """A file that the plug-in makes when it is imported."""
    return tmp_path / "imported"


@pytest.fixture
def variables(target: Path, marker: Path) -> dict[str, Any]:
    """The environment of a process that sees the package."""
    return {"PYTHONPATH": str(target), "MARKER": str(marker)}


@pytest.fixture
def pzbench(
    target: Path, marker: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Go]:
    """The command in this process, where the package is seen as long as the test lasts."""

    def forget() -> None:
        for registry in REGISTRIES.values():
            vars(registry).pop("_points", None)
        for name in ("their_plugins", "their_stage"):
            sys.modules.pop(name, None)

    forget()
    monkeypatch.syspath_prepend(target)
    monkeypatch.setenv("MARKER", str(marker))
    monkeypatch.chdir(tmp_path)
    yield inside
    forget()


def results(run: Path) -> dict[tuple[str, str], Result]:
    """The scores over all items, of metrics themselves, by method and metric."""
    return {
        (one.get("method"), one.score.metric): one
        for one in read_results(run / "results.csv")
        if one.minus is None and (one.score.part, one.score.by) == ("", "all")
    }


def failures(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "failures.jsonl").read_text().splitlines()]


def ids(run: Path, method: str) -> list[str]:
    (path,) = run.glob(f"items/generate/*/{method}.jsonl")
    lines = path.read_text().splitlines()
    return [json.loads(line)["id"] for line in lines]


def test_listed_with_their_package_and_not_imported(
    variables: dict[str, Any], marker: Path
) -> None:
    ended = script("list", **variables)
    assert ended.code == 0, ended
    for name, summary in (("theirs", "Plain records."), ("words", "Symptoms.")):
        (line,) = [line for line in ended.out.splitlines() if line.split()[:1] == [name]]
        assert line.split(maxsplit=1)[1] == f"{summary} (their-plugins 0.7)"
    assert not marker.exists()


def test_run_beside_ours(variables: dict[str, Any], marker: Path, tmp_path: Path) -> None:
    file = experiment(
        tmp_path / "x.yaml",
        methods=["direct", {"name": "theirs", "more": 2}],
        metrics=["accuracy", "words", "whole", "bleu"],
    )
    ended = script("run", file, "--out", "run", cwd=tmp_path, **variables)
    assert ended.code == 0, ended
    assert marker.exists()
    scores = results(tmp_path / "run")
    words = scores["theirs", "words"].score
    assert (words.value, words.n, words.unit) == (4.0, 4, "symptoms")
    assert scores["theirs", "whole"].score.value == 4.0
    assert scores["direct", "words"].score.n == scores["theirs", "accuracy"].score.n == 4
    assert ids(tmp_path / "run", "theirs") == ids(tmp_path / "run", "direct")
    # First minus second, with its sign; whatever way a metric gives its values.
    compared = {
        one.score.metric: one.score.value
        for one in read_results(tmp_path / "run" / "results.csv")
        if one.minus is not None and (one.score.part, one.score.by) == ("", "all")
    }
    assert compared.keys() == {"accuracy", "words", "whole", "bleu"}
    ours = scores["direct", "words"].score.value
    assert ours is not None
    assert compared["words"] == compared["whole"] == pytest.approx(4.0 - ours)


def test_what_fails_is_counted_and_the_rest_stands(pzbench: Go, tmp_path: Path) -> None:
    file = experiment(
        tmp_path / "x.yaml",
        methods=["theirs", "stumbling", "ending"],
        metrics=["broken", "nonsense", "words"],
    )
    ended = pzbench("run", file, "--out", "run")
    assert ended.code == 3, ended
    assert "Traceback" not in ended.err
    run = tmp_path / "run"
    scores, unlucky = results(run), "URO-02-0001"
    planned = ids(run, "theirs")
    assert unlucky in planned
    assert ids(run, "stumbling") == [one for one in planned if one != unlucky]
    assert ids(run, "ending") == planned[: planned.index(unlucky)] == planned[:1]
    for method, count in {"theirs": (4, 0), "stumbling": (3, 1), "ending": (1, 3)}.items():
        words = scores[method, "words"].score
        assert (words.n, words.n_missing) == count
        for metric in ("broken", "nonsense"):
            score = scores[method, metric].score
            assert (score.value, score.n, score.n_missing) == (None, 0, sum(count))
            assert score.notes
    told = {
        (one["cell"]["method"], one.get("metric", ""), one["item"]): one for one in failures(run)
    }
    stumbled = told["stumbling", "", unlucky]
    assert stumbled["outcome"] == "invalid"
    assert "basic_information.age" in stumbled["reason"]
    assert "no such patient" in told["ending", "", "*"]["reason"]
    for method in ("theirs", "stumbling", "ending"):
        for item in ids(run, method):
            assert told[method, "broken", item]["reason"].endswith("ZeroDivisionError: their fault")
            assert told[method, "nonsense", item]["outcome"] == "error"
    assert len(told) == 2 + 2 * (4 + 3 + 1)


def test_a_stage_a_metric_and_a_table_of_theirs(pzbench: Go, tmp_path: Path) -> None:
    """A kind of evaluation of their own, by YAML and by name, without a change to ours."""
    listed = pzbench("list").out
    for name in ("summary", "length", "summaries", "capitals"):
        assert [line for line in listed.splitlines() if line.split()[:1] == [name]], name

    file = experiment(
        tmp_path / "x.yaml",
        methods=["direct", "multi-step"],
        summary={"lengths": [5, 9]},
        metrics=["accuracy", "length"],
        tables=["summaries", "rows"],
    )
    ended = pzbench("run", file, "--out", "run")
    assert ended.code == 0, ended
    assert "Characters" in ended.out
    run = tmp_path / "run"
    scores = [one for one in read_results(run / "results.csv") if one.score.metric == "length"]
    cells = {(one.cell["method"], one.cell["length"]) for one in scores if one.score.by == "all"}
    assert cells == {(m, n) for m in ("direct", "multi-step") for n in ("5", "9")}
    apart = {
        tuple(name for name in one.cell if one.cell[name] != one.minus[name])
        for one in scores
        if one.minus is not None
    }
    assert apart == {("length",), ("method",)}
    assert (run / "tables" / "summaries.csv").read_text().count("\n") == 1 + 4
    shown = pzbench("show", "run", "--item", "URO-01-0001", "--exchanges")
    assert shown.code == 0, shown
    assert "it reads" in shown.out
    assert "Summarize in 9 words" in shown.out

    made = pzbench("reproduce", "summaries", "--lengths", "3,4", "--out", "made")
    assert made.code == 0, made
    lengths = {one.get("length") for one in read_results(tmp_path / "made" / "results.csv")}
    assert lengths == {"3", "4"}
    refused = pzbench("reproduce", "summaries", "--lengths", "3", "--out", "made").error
    assert "summary.lengths" in refused


def test_their_stage_is_planned_and_resumed(
    pzbench: Go, variables: dict[str, Any], tmp_path: Path
) -> None:
    file = experiment(
        tmp_path / "x.yaml",
        departments=["Urology"],
        cases_per_department=20,
        methods=["direct"],
        summary={"lengths": [5]},
        roles={"generator": "rules", "writer": "openai/words"},
        metrics=["length"],
        tables=["rows"],
    )
    with serving() as server:
        at = {"OPENAI_BASE_URL": f"{server}/v1"}
        planned = pzbench("run", file, "--plan", **at)
        assert planned.code == 0, planned
        assert "writer openai/words: 20 exchanges" in planned.err
        process = started("run", file, "--out", tmp_path / "run", **variables, **at)
        until(lambda: stats(server)["total"] >= 5, process)
        kill(process)
        seen = stats(server)["total"]
        ended = pzbench("run", file, "--out", "run", **at)
        assert ended.code == 0, ended
        assert stats(server)["total"] <= 20 + 1
        assert seen < 20
    assert results(tmp_path / "run")["direct", "length"].score.n == 20


def test_a_format_of_theirs_is_interviewed(pzbench: Go, tmp_path: Path) -> None:
    file = experiment(
        tmp_path / "x.yaml",
        departments=["Urology"],
        methods=["direct"],
        interview={"questions": 1, "formats": ["capitals"], "interactions": ["single-with"]},
        metrics=["dialogue-consistency"],
        tables=["rows"],
    )
    ended = pzbench("run", file, "--out", "run")
    assert ended.code == 0, ended
    assert results(tmp_path / "run")["direct", "dialogue-consistency"].score.n == 2
    held = list((tmp_path / "run").glob("items/interview/**/capitals.jsonl"))
    assert len(held) == 1


@pytest.mark.parametrize(
    ("setting", "name", "near"),
    [
        ("methods", "their", "theirs"),
        ("metrics", "wordz", "words"),
    ],
)
def test_unknown_names_get_the_nearest_theirs_among_them(
    pzbench: Go, tmp_path: Path, setting: str, name: str, near: str
) -> None:
    file = experiment(tmp_path / "x.yaml", **{setting: [name]})
    said = pzbench("run", file, "--out", "run").error
    assert f"{name!r}; did you mean {near!r}?" in said


def test_unknown_option_of_theirs(pzbench: Go, tmp_path: Path) -> None:
    file = experiment(tmp_path / "x.yaml", methods=[{"name": "theirs", "mor": 1}])
    said = pzbench("run", file, "--out", "run").error
    assert "did you mean 'more'?" in said


def test_a_file_that_hides_ours_is_named(tmp_path: Path) -> None:
    shadow = tmp_path / "metrics.py"
    shadow.write_text("nothing = 0\n")
    file = experiment(tmp_path / "x.yaml")
    said = script("run", file, "--out", "run", cwd=tmp_path, PYTHONPATH=str(tmp_path)).error
    assert f"{shadow} hides the package 'metrics'" in said
