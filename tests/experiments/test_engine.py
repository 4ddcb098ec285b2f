"""Runs: what stands on disk, what is compared, and that nothing finished is lost."""

import csv
import errno
import json
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from commands import python
from openai_server import OpenAIServer
from patients import patient
from pydantic import BaseModel
from rules_run import install, results_of, run, small
from scripted import Scripted

from bench.api.cell import Cell
from bench.api.metric import MetricCard
from bench.api.stage import Stage, StageCard, StageSettings
from bench.backbones.prompt import Unreachable
from bench.core.atomic import PARTIAL
from bench.core.errors import UserError
from bench.core.registry import BACKBONES, STAGES
from bench.experiments.assembly import assemble
from bench.experiments.plan import estimate
from bench.records.record import PatientRecord
from bench.report.results import read_results
from bench.runs.folder import RunFolder
from bench.scoring.evaluations import EvaluationFile
from leaderboards.table3 import Table3
from metrics.accuracy import Accuracy
from metrics.bleu import Bleu
from metrics.rouge_l import RougeL


def whole(folder: Path) -> dict[str, bytes]:
    """Everything that a finished run shows, by name."""
    names = ("experiment.yaml", "manifest.json", "results.csv", "failures.jsonl")
    files = [folder / name for name in names]
    files += (path for path in folder.rglob("*") if path.parent.name == "tables")
    return {str(path.relative_to(folder)): path.read_bytes() for path in files if path.is_file()}


def test_every_step_is_on_disk_and_can_be_read_again(tmp_path):
    results = results_of(tmp_path / "r")
    folder = RunFolder(tmp_path / "r")
    assert list(results.results) == read_results(folder.results)
    cell = Cell(backbone="rules", method="direct")
    items = (folder.items("generate", cell)).read_text().splitlines()
    evaluations = list(EvaluationFile(folder.evaluations("accuracy", cell.and_(judge="rules"))))
    assert [json.loads(line)["id"] for line in items] == [one.item for one in evaluations]
    for evaluation in evaluations:
        assert evaluation.keys
        assert [reason.where for reason in evaluation.reasons]
        assert all(reason.text and reason.keys for reason in evaluation.reasons)
    for metric in ("bleu", "rouge-l"):
        assert len(list(EvaluationFile(folder.evaluations(metric, cell)))) == len(items)


def test_a_run_again_asks_nobody_and_is_the_same_to_the_byte(tmp_path):
    run(tmp_path / "r")
    before = whole(tmp_path / "r")
    run(tmp_path / "r")
    after = whole(tmp_path / "r")
    manifest = json.loads(after.pop("manifest.json"))
    assert all(role["asked"] == 0 for role in manifest["roles"])
    del before["manifest.json"]
    assert after == before


def test_one_kernel_is_built_for_each_group_of_each_method(tmp_path, monkeypatch):
    built: list[tuple[str, int]] = []
    for kind in (Bleu, RougeL):
        build = kind.kernel

        async def counting(self, texts, context, build=build):
            built.append((self.card.name, len(texts)))
            return await build(self, texts, context)

        monkeypatch.setattr(kind, "kernel", counting)
    results = results_of(tmp_path / "r", metrics=["bleu", "rouge-l"])
    # Of each metric three methods in two departments, the differences included.
    assert built == [("bleu", 4)] * 6 + [("rouge-l", 4)] * 6
    assert sum(1 for one in results.differences if one.score.by == "all") == 6


def test_several_judges_are_a_factor(tmp_path):
    judges = ["rules", {"name": "rules", "as": "second"}]
    results = results_of(
        tmp_path / "r",
        methods=["direct", "multi-step"],
        roles={"generator": "rules", "judge": judges},
        metrics=["accuracy", "bleu"],
    )
    assert results.values("judge") == ["rules", "second"]
    for judge in ("rules", "second"):
        assert results.find("accuracy", method="direct", judge=judge)
    assert {one.cell.get("judge") for one in results.select("bleu")} == {None}
    compared = list(results.select("accuracy", differences=True))
    assert [(one.cell["judge"], one.minus and one.minus["judge"]) for one in compared] == [
        ("rules", "rules"),
        ("second", "second"),
    ]
    paths = (tmp_path / "r" / "evaluations" / "accuracy").rglob("*.jsonl")
    assert {path.stem for path in paths} == {"rules", "second"}
    with (tmp_path / "r/tables/rows.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "accuracy"]
    assert {row["judge"] for row in rows} == {"rules"}
    assert {row["factors"] for row in rows} == {"", '{"judge": "second"}'}
    table, _ = Table3().grids(results)
    assert table.columns[:3] == ("Backbone", "Method", "Judge")
    assert table.rows[0][4] == table.rows[1][4]  # no judge has a part in BLEU


def test_a_metric_may_be_pointed_at_another_role(tmp_path):
    results = results_of(
        tmp_path / "r",
        methods=["direct"],
        roles={"generator": "rules", "judge": "rules", "grader": {"name": "rules", "as": "g"}},
        metrics=["accuracy", {"name": "accuracy", "as": "graded", "roles": {"judge": "grader"}}],
    )
    (first,), (second,) = results.select("accuracy"), results.select("graded")
    assert (first.cell["judge"], second.cell["judge"]) == ("rules", "g")


def test_who_fills_a_role_for_another_leaves_the_item_its_own_factor(monkeypatch):
    card = MetricCard("mine", "", "share", "higher", takes="dialogues", needs=("patient",))
    monkeypatch.setattr(Accuracy, "card", card)
    experiment = small(
        roles={
            "generator": "rules",
            "patient": ["rules", {"name": "rules", "as": "second"}],
            "judge": {"name": "rules", "as": "third"},
        },
        interview={"formats": ["text"], "interactions": ["single-with"]},
        metrics=[{"name": "accuracy", "roles": {"patient": "judge"}}],
    )
    assembly = assemble(experiment)
    (metric,) = assembly.metrics
    judged = [
        (own["patient"], own["judge"], chosen["patient"].label)
        for cell in assembly.cells["interview"]
        for own, chosen in assembly.judged(metric, cell)
    ]
    assert set(judged) == {("rules", "third", "third"), ("second", "third", "third")}


def test_a_role_that_nobody_asks_is_told_or_mended(tmp_path):
    with pytest.raises(UserError, match="'jugde'; did you mean 'judge'"):
        run(
            tmp_path / "r",
            roles={"generator": "rules", "jugde": "rules"},
            metrics=["bleu", "accuracy"],
        )
    idle = results_of(
        tmp_path / "r", roles={"generator": "rules", "judge": "rules"}, metrics=["bleu"]
    )
    assert idle.manifest["idle_roles"] == ["judge"]


def test_a_dead_key_costs_a_finished_run_nothing(
    tmp_path, openai_server: OpenAIServer, monkeypatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-expired")
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.url)
    roles = {"generator": "openai/words"}
    settings = {"methods": ["direct"], "metrics": ["bleu"], "roles": roles, "tables": ["rows"]}
    run(tmp_path / "r", **settings)
    before = whole(tmp_path / "r")
    openai_server.key = "sk-renewed"
    with pytest.raises(UserError):
        run(tmp_path / "r", **settings, cases_per_department=6)
    assert whole(tmp_path / "r") == before
    run(tmp_path / "r", **settings)  # what it was goes on as before
    assert {**whole(tmp_path / "r"), "manifest.json": b""} == {**before, "manifest.json": b""}


def test_left_over_files_are_swept_in_its_own_folders_alone(tmp_path):
    other = tmp_path / "other" / "items" / "generate"
    other.mkdir(parents=True)
    theirs = other / f".x.jsonl.abc{PARTIAL}"
    theirs.write_text("half")
    run(tmp_path, metrics=["bleu"], methods=["direct"])
    ours = tmp_path / "items" / "generate" / f".y.jsonl.abc{PARTIAL}"
    ours.write_text("half")
    run(tmp_path, metrics=["bleu"], methods=["direct"])
    assert theirs.exists()
    assert not ours.exists()


def test_a_folder_of_an_earlier_version_is_refused(tmp_path):
    (tmp_path / "experiment.json").write_text("{}")
    with pytest.raises(UserError, match="earlier version"):
        run(tmp_path)


APART = """
import sys
from pathlib import Path
from rules_run import run
run(Path(sys.argv[1]), methods=["direct"], metrics=["accuracy", "bleu"], cases_per_department=1)
others = ("stages.exam", "stages.interview", "agents", "students", "medqa", "records.dialogue")
print(*[name for name in sys.modules if name.removeprefix("bench.").startswith(others)])
"""


def test_a_run_of_records_alone_imports_no_other_stage(tmp_path):
    done = python(APART, tmp_path / "r")
    assert (done.code, done.out.strip()) == (0, ""), done


def test_a_run_without_file_handles_stops_and_leaves_what_was_made(tmp_path, monkeypatch):
    made = run(tmp_path, methods=["direct"], metrics=["bleu"])
    before = {path: path.read_bytes() for path in made.path.rglob("*.jsonl")}

    async def write(*_: object) -> PatientRecord:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr("generators.direct.Direct.write", write)
    with pytest.raises(UserError, match="ulimit"):
        run(tmp_path, methods=["direct"], metrics=["bleu"])
    assert {path: path.read_bytes() for path in made.path.rglob("*.jsonl")} == before != {}


def test_a_second_process_is_kept_out(tmp_path):
    folder = RunFolder(tmp_path)
    with folder.locked(), pytest.raises(UserError, match="another process"):
        run(tmp_path)


class Odd:
    """A stage of somebody else's that misbehaves, as its `way` says."""

    card = {"name": "odd", "summary": "Odd.", "makes": "records"}

    def __init__(self, settings, scope):
        self.own = settings

    class settings(BaseModel):
        way: str

    item = PatientRecord

    def cells(self, given):
        if self.own.way == "bare":
            return [{}]
        if self.own.way == "one place":
            return [{"a": "x", "b": "y"}, {"b": "x", "a": "y"}]
        if self.own.way == "column":
            return [{"value": "x"}]
        return [{"a": ""}] if self.own.way == "empty" else [{"a": "x"}]

    async def make(self, cell, given, context):
        yield patient("p1", "Urology", "pain")
        if self.own.way == "raises":
            raise LookupError("their fault")
        if self.own.way == "surrogate":
            yield patient("p2", "Urology", "pain \ud83d")
        if self.own.way == "twice":
            yield patient("p1", "Urology", "fever")
        yield patient("p3", "Urology", "fever")


@pytest.fixture
def odd(monkeypatch):
    """Runs an experiment of the odd stage alone."""
    monkeypatch.setattr("bench.api.adapters.STAGES.load", lambda name: Odd)
    points = [EntryPoint("odd", "x:Odd", "theirs")]
    monkeypatch.setattr("bench.experiments.experiment.STAGES.plugins", lambda: points)

    def go(folder: Path, way: str) -> list[str]:
        run(folder, generate=None, odd={"way": way}, roles={}, metrics=["bleu"], tables=["rows"])
        lines = (folder / "items" / "odd" / "x.jsonl").read_text().splitlines()
        return [json.loads(line)["id"] for line in lines]

    return go


@pytest.mark.parametrize(
    ("way", "kept", "lost"),
    [
        ("raises", ["p1"], ("*", "error")),
        ("surrogate", ["p1", "p3"], ("p2", "invalid")),
        ("twice", ["p1", "p3"], ("p1", "invalid")),
    ],
)
def test_a_stage_that_misbehaves_costs_its_item_or_its_cell(odd, tmp_path, way, kept, lost):
    assert odd(tmp_path / "r", way) == kept
    (failure,) = RunFolder(tmp_path / "r").failures()
    assert (failure.item, failure.outcome) == lost


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ("bare", "a bare cell"),
        ("one place", "two cells"),
        ("column", "a column of results"),
        ("empty", "the a .. is empty"),
    ],
)
def test_cells_that_cannot_be_kept_apart_are_refused(odd, tmp_path, way, words):
    with pytest.raises(UserError, match=words):
        odd(tmp_path / "r", way)


def test_names_that_mean_something_else_are_refused(tmp_path):
    for long in (
        {"methods": [{"name": "direct", "as": "x" * 300}]},
        {"roles": {"generator": "rules", "judge": {"name": "rules", "as": "x" * 300}}},
    ):
        with pytest.raises(UserError, match="too long for the name of a file"):
            run(tmp_path / "r", **long)
    with pytest.raises(UserError, match="'none'"):
        run(tmp_path / "r", roles={"generator": {"name": "rules", "as": "none"}}, metrics=["bleu"])


def test_a_metric_that_asks_the_generator_asks_each_its_own(tmp_path, monkeypatch):
    card = replace(Accuracy.card, needs=("generator",))
    monkeypatch.setattr(Accuracy, "card", card)
    monkeypatch.setattr("metrics.accuracy.ROLE", "generator")
    results = results_of(
        tmp_path / "r",
        methods=["direct"],
        roles={"generator": ["rules", {"name": "rules", "as": "again"}]},
        metrics=["accuracy"],
    )
    cells = [one.cell["backbone"] for one in results.select("accuracy")]
    assert cells == ["rules", "again"]


def test_a_metric_that_fails_leaves_no_evaluation_of_before(tmp_path, monkeypatch):
    run(tmp_path / "r", methods=["direct"], metrics=["bleu"])
    path = RunFolder(tmp_path / "r").evaluations("bleu", Cell(backbone="rules", method="direct"))
    assert path.read_text()

    async def fails(self, texts, context):
        raise ValueError("not today")

    monkeypatch.setattr(Bleu, "kernel", fails)
    results = results_of(tmp_path / "r", methods=["direct"], metrics=["bleu"])
    assert [one.score.value for one in results.select("bleu")] == [None]
    assert path.read_text() == ""
    (failure,) = RunFolder(tmp_path / "r").failures()
    assert (failure.metric, failure.cell["method"]) == ("bleu", "direct")


def dead(model: str) -> Scripted:
    """A backbone whose model is not there."""

    def fail(task: Any) -> Any:
        raise Unreachable("no such model")

    return Scripted(f"dead/{model}", judge=fail)


def test_a_judge_that_never_answered_can_be_put_right(tmp_path, monkeypatch):
    install(monkeypatch, BACKBONES, "dead", dead)
    settings: dict[str, Any] = {"methods": ["direct"], "metrics": ["accuracy"], "tables": ["rows"]}
    roles = {"generator": "rules", "judge": "dead/misspelt"}
    first = results_of(tmp_path / "r", **settings, roles=roles)
    assert [one.score.value for one in first.scores if one.score.by == "all"][:1] == [None]
    again = results_of(tmp_path / "r", **settings, roles=roles | {"judge": "rules"})
    assert [one.score.value for one in again.scores if one.score.by == "all"][:1] == [1.0]
    with pytest.raises(UserError, match=r"roles\.judge"):
        run(tmp_path / "r", **settings, roles=roles)


def test_a_run_whose_experiment_is_gone_is_not_written_over(tmp_path):
    folder = tmp_path / "r"
    run(folder, methods=["direct"], metrics=["bleu"])
    (folder / "experiment.yaml").rename(tmp_path / "kept.yaml")
    before = whole(folder)
    with pytest.raises(UserError, match=r"experiment\.yaml is gone"):
        run(folder, methods=["direct"], metrics=["bleu"], seed=5)
    assert whole(folder) == before
    (folder / "experiment.yaml").touch()
    with pytest.raises(UserError, match=r"experiment\.yaml"):
        run(folder, methods=["direct"], metrics=["bleu"], seed=5)
    (tmp_path / "kept.yaml").replace(folder / "experiment.yaml")
    run(folder, methods=["direct"], metrics=["bleu"])


def test_a_table_that_cannot_be_made_costs_no_results(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path / "r")
    run(folder.path, methods=["direct"], metrics=["bleu"], tables=["rows", "table3"])
    assert {path.stem for path in folder.tables.iterdir()} == {"rows", "table3"}
    monkeypatch.setattr("leaderboards.rows.Rows.files", lambda self, results: 1 / 0)
    with pytest.raises(UserError, match="table 'rows'"):
        run(folder.path, methods=["direct"], metrics=["bleu", "rouge-l"])
    assert {one.score.metric for one in read_results(folder.results)} == {"bleu", "rouge-l"}
    monkeypatch.undo()
    (folder.tables / "table3.xlsx").touch()
    run(folder.path, methods=["direct"], metrics=["bleu", "rouge-l"], tables=["rows"])
    # A table that is asked for no more would show what is no more so.
    assert {path.name for path in folder.tables.iterdir()} == {"rows.csv", "table3.xlsx"}


class Review(Stage):
    """A stage that makes something else in the same cells."""

    card = StageCard(name="review", summary="", makes="reviews", takes="records")
    settings = StageSettings

    def cells(self, given):
        return list(given)

    def expected(self, cell, given):
        return given[cell].everyone()

    async def make(self, cell, given, context):
        for record in given[cell]:
            yield {"id": record.id, "department": record.department}


def test_a_plan_keeps_apart_what_two_stages_make_in_the_same_cells(monkeypatch):
    settings = {
        "methods": ["direct"],
        "roles": {"generator": "openai/gpt-4o"},
        "interview": {"patients_per_department": 1, "questions": 1},
        "metrics": [],
        "tables": ["rows"],
    }
    alone = estimate(small(**settings))
    points = [*STAGES.plugins(), EntryPoint("review", "x:Review", "theirs")]
    install(monkeypatch, STAGES, "review", Review)
    monkeypatch.setattr(STAGES, "plugins", lambda: points)
    beside = estimate(small(review={}, **settings))
    assert len(alone) > 1
    assert beside == alone
