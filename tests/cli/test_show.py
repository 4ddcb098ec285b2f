"""`pzbench show`: what a run holds of an item, why, and what failed; nothing is written."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import KEY, inside, script
from openai_server import OpenAIServer
from rules_run import run as run_rules

from bench.api.item import PlainItem
from bench.api.stage import Scope, Stage
from bench.journal.table import open_rows
from bench.knowledge.cases import plan
from bench.knowledge.library import Library
from bench.medqa.sources import SAMPLE_FILE
from bench.records.dialogue_files import DialogueFile, transcript
from bench.records.formats import Atomic, Text
from bench.records.record_files import RecordFile
from bench.runs.folder import RunFolder

DEPARTMENTS = ("Urology", "Psychiatry")
ID = "URO-01-0001"
DIRECT = ("--where", "method=direct")


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of records alone."""
    return run_rules(
        tmp_path_factory.mktemp("show") / "records",
        departments=list(DEPARTMENTS),
        cases_per_department=3,
        methods=["direct", "patient-zero"],
        metrics=["accuracy", "bleu"],
        tables=["table3", "rows"],
    ).path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of all three stages, its questions in a file of its own beside it."""
    folder = tmp_path_factory.mktemp("show")
    shutil.copy(SAMPLE_FILE, folder / "questions.jsonl")
    return run_rules(
        folder / "whole",
        departments=["Urology"],
        cases_per_department=1,
        methods=["direct"],
        interview={
            "questions": 4,
            "formats": ["atomic", "json"],
            "interactions": ["single-with"],
        },
        exam={"questions": str(folder / "questions.jsonl"), "cases": 1, "curve": []},
        metrics=["accuracy", "dialogue-consistency", "conduct", "medqa-accuracy"],
        tables=[],
    ).path


def shown(run: Path, *options: object) -> str:
    done = inside("show", run, *options)
    assert done.code == 0, done
    return done.out


def data(run: Path, *options: object) -> dict[str, Any]:
    given: dict[str, Any] = json.loads(shown(run, *options, "--format", "json"))
    return given


def copied(run: Path, folder: Path) -> Path:
    return Path(shutil.copytree(run, folder / "copy"))


def state(folder: Path) -> dict[str, tuple[bytes, int]]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mtime_ns) for path in files}


def test_a_run_is_its_first_table_and_where_the_others_are(records: Path):
    out = shown(records)
    assert "Table 3" in out
    assert "other tables: rows" in out
    assert "table3.csv" in out
    assert str(records / "results.csv") in out
    (first, *_) = data(records)["grids"]
    assert first["title"].startswith("Table 3")
    assert "table3.csv" in data(records)["files"]


def test_an_item_is_its_plan_its_record_and_every_verdict_with_its_reasons(records: Path):
    report = data(records, "--item", ID)
    (case,) = (one for one in plan(Library(), DEPARTMENTS, 3, 1) if one.id == ID)
    assert (report["plan"]["seed"], report["plan"]["disease"]) == (case.seed, case.disease)
    assert [view["cell"]["method"] for view in report["items"]] == ["direct", "patient-zero"]
    for view in report["items"]:
        path = records / f"items/generate/rules/{view['cell']['method']}.jsonl"
        (record,) = (one for one in RecordFile(path) if one.id == ID)
        assert view["item"] == record.model_dump(mode="json", exclude_none=True)
        accuracy, bleu = view["evaluations"]
        assert accuracy["cell"] == {**view["cell"], "judge": "rules"}
        assert [reason["where"] for reason in accuracy["reasons"]] == [
            part for part in accuracy["values"] if part
        ]
        assert len(bleu["values"][""]) == 1
        out = shown(records, "--item", ID, "--where", f"method={view['cell']['method']}")
        assert f"seed {case.seed}" in out
        assert Text().render(record) in out
        for reason in accuracy["reasons"]:
            assert f"{reason['where']} {reason['value']:g}: {reason['text']}" in out
            assert f"[{reason['keys'][0][:12]}]" in out
    first = next(iter(RecordFile(records / "items/generate/rules/direct.jsonl")))
    out = shown(records, "--item", first.id, *DIRECT, "--format", "atomic")
    assert Atomic().render(first) in out


def test_reasons_are_linked_to_the_exchanges_that_gave_them(records: Path):
    report = data(records, "--item", ID, *DIRECT, "--exchanges")
    asked = {exchange["key"]: exchange for exchange in report["exchanges"]}
    (view,) = report["items"]
    with closing(open_rows(records / "journal.sqlite")) as rows:
        for key, exchange in asked.items():
            request = rows.request(bytes.fromhex(key))
            assert request is not None
            assert exchange["messages"] == json.loads(request)["messages"]
    assert set(view["item"]["origin"]["keys"]) <= asked.keys()
    for reason in view["evaluations"][0]["reasons"]:
        for key in reason["keys"]:
            assert reason["text"] in asked[key]["answer"]
            assert asked[key]["messages"][-1]["role"] == "user"
    out = shown(records, "--item", ID, *DIRECT, "--exchanges")
    for key, exchange in asked.items():
        assert f"## exchange {key}\n" in out
        assert exchange["messages"][-1]["content"] in out
        assert f"answer by rules: {exchange['answer']}" in out


def test_a_dialogue_is_a_transcript_with_a_verdict_on_each_answer(whole: Path):
    report = data(whole, "--item", ID, "--where", "stage=interview")
    assert [view["cell"]["format"] for view in report["items"]] == ["atomic", "json"]
    for view in report["items"]:
        path = whole / f"items/interview/rules/direct/single-with/{view['cell']['format']}.jsonl"
        (dialogue,) = (one for one in DialogueFile(path) if one.id == ID)
        assert view["text"] == transcript(dialogue)
        consistency = view["evaluations"][0]
        assert [reason["where"] for reason in consistency["reasons"]] == [
            f"r1/t{number}" for number in range(1, 5)
        ]
    every = data(whole, "--item", ID)
    assert [view["stage"] for view in every["items"]] == ["generate", "interview", "interview"]


def test_an_answer_is_shown_with_its_question_by_a_shortened_hash(whole: Path):
    answers = whole / "items/exam/rules/direct/1.jsonl"
    answer = json.loads(answers.read_text().splitlines()[0])
    report = data(whole, "--item", answer["id"][:10], *DIRECT)
    (view,) = report["items"]
    assert view["item"] == answer
    assert f"Answer: {answer['letter']} ({answer['outcome']})" in view["text"]
    assert sum(line.startswith("* ") for line in view["text"].splitlines()) == 1
    questions = whole.parent / "questions.jsonl"
    assert any(json.loads(line)["question"] in view["text"] for line in questions.open())
    with without(questions):
        lost = data(whole, "--item", answer["id"][:10], *DIRECT)
    assert str(questions) in " ".join(lost["remarks"])
    assert json.loads(lost["items"][0]["text"]) == answer
    assert lost["items"][0]["evaluations"] == view["evaluations"]


@contextmanager
def without(path: Path) -> Iterator[None]:
    """A file is gone meanwhile."""
    away = path.rename(path.with_name("away"))
    try:
        yield
    finally:
        away.rename(path)


def test_ids_may_be_shortened_and_are_told_apart(records: Path):
    def error(*options: object) -> str:
        return inside("show", records, *options).error

    assert data(records, "--item", "URO-01")["id"] == ID
    assert error("--item", "URO-0").endswith("'URO-0': URO-01-0001, URO-02-0001, URO-03-0001")
    assert "did you mean 'URO-01-0001'" in error("--item", "URO-01-001")
    assert "did you mean 'direct'" in error("--item", ID, "--where", "method=dirct")
    assert "did you mean 'method'" in error("--item", ID, "--where", "methods=direct")
    assert "as in method=direct" in error("--item", ID, "--where", "method")
    assert "did you mean 'text'" in error("--item", ID, "--format", "txt")
    assert "add --item ID" in error("--exchanges")
    assert "leave --failures out" in error("--item", ID, "--failures")
    assert "results.csv" in error("--where", "method=direct")
    assert "holds no run" in inside("show", records / "nowhere").error


def test_evaluations_are_narrowed_by_whom_they_asked_and_by_metric(whole: Path):
    by_judge = data(whole, "--item", ID, "--where", "judge=rules")
    names = {one["metric"] for view in by_judge["items"] for one in view["evaluations"]}
    assert names == {"accuracy", "dialogue-consistency"}
    (view,) = data(whole, "--item", ID, "--where", "metric=accuracy")["items"]
    assert view["stage"] == "generate"
    assert (
        "did you mean 'rules'" in inside("show", whole, "--item", ID, "--where", "judge=rule").error
    )


def test_nothing_is_written(records: Path, tmp_path: Path):
    run = copied(records, tmp_path / "runs")
    paths = [run, *run.rglob("*")]
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before = state(run)
    try:
        shown(run)
        shown(run, "--item", ID, "--exchanges")
        shown(run, "--failures")
        listed = script("list", "runs", cwd=tmp_path)
        assert (listed.code, "runs/copy" in listed.out) == (0, True)
        assert state(run) == before
    finally:
        for path in paths:
            path.chmod(0o755)


def test_what_is_missing_is_said(records: Path, tmp_path: Path):
    run = copied(records, tmp_path)
    (run / "evaluations/accuracy/rules/direct/rules.jsonl").unlink()
    (run / "items/generate/rules/patient-zero.jsonl").unlink()
    with sqlite3.connect(run / "journal.sqlite") as journal:
        journal.execute("delete from entries")
    journal.close()
    out = shown(run, "--item", ID, "--exchanges")
    assert "accuracy (judge rules): there is no evaluation" in out
    assert "patient-zero.jsonl is missing" in out
    assert "the journal does not hold it" in out
    (run / "journal.sqlite").unlink()
    report = data(run, "--item", ID, "--exchanges")
    assert report["exchanges"] == []
    assert "journal.sqlite is gone" in " ".join(report["remarks"])
    (run / "results.csv").unlink()
    assert "results.csv cannot be read" in inside("show", run).error


def test_an_unfinished_run_is_read_as_far_as_it_is(records: Path, tmp_path: Path):
    run = copied(records, tmp_path)
    settings = yaml.safe_load((run / "experiment.yaml").read_text())
    settings["generate"]["cases_per_department"] = 5
    (run / "experiment.yaml").write_text(yaml.safe_dump(settings))
    extended = inside("show", run)
    assert "was extended and is not finished" in extended.err
    assert "Table 3" in extended.out
    report = data(run, "--item", "URO-05-0001")
    assert (report["items"], report["plan"]["id"]) == ([], "URO-05-0001")
    assert "no cell holds it" in report["remarks"][-1]
    (run / "manifest.json").unlink()
    assert "is not finished: `pzbench run" in inside("show", run).error
    report = data(run, "--item", ID)
    assert len(report["items"]) == 2
    assert "is not finished" in report["remarks"][0]


@pytest.fixture
def judged(openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A run whose judge refuses twice and cannot be reached once."""
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    openai_server.fail("refusal", at=(0, 1))
    openai_server.fail("status", at=(2,), status=503)
    judge = {"name": "openai/words", "base_url": openai_server.url, "max_retries": 0}
    return run_rules(
        tmp_path / "judged",
        departments=["Urology"],
        cases_per_department=5,
        methods=["direct"],
        roles={"generator": "rules", "judge": judge},
        metrics=["accuracy"],
        tables=[],
    ).path


def test_failures_are_grouped_and_told_what_heals_them(judged: Path):
    run = judged
    report = data(run, "--failures")
    refused, unreachable = report["groups"]
    assert (refused["count"], refused["outcome"], refused["heals"]) == (2, "refusal", False)
    assert (unreachable["count"], unreachable["outcome"]) == (1, "unreachable")
    place = {"backbone": "rules", "method": "direct", "judge": "openai/words"}
    assert (refused["metric"], refused["cell"]) == ("accuracy", place)
    out = shown(run, "--failures")
    assert f"`pzbench run {run}` asks again" in out
    assert f"`pzbench run {run} --retry-failed` asks again" in out
    assert data(run, "--failures", "--where", "stage=generate") == report
    told = inside("show", run)
    assert told.code == 3
    assert "3 items failed" in told.err


def test_a_failed_verdict_is_shown_with_its_item_and_its_exchange(judged: Path):
    run = judged
    (lost,) = {one.item for one in RunFolder(run).failures() if one.outcome == "unreachable"}
    refused = next(one for one in RunFolder(run).failures() if one.outcome == "refusal")
    assert "unreachable" in shown(run, "--item", lost)
    report = data(run, "--item", refused.item, "--exchanges")
    (evaluation,) = report["items"][0]["evaluations"]
    assert evaluation["failures"][0]["reason"] == refused.reason
    assert report["items"][0]["failures"] == []
    answered = {exchange["key"]: exchange["outcome"] for exchange in report["exchanges"]}
    assert [answered[key] for key in refused.keys] == ["refusal"]


def test_foreign_text_does_not_reach_the_terminal_raw(records: Path, tmp_path: Path):
    run = copied(records, tmp_path)
    path = run / "items/generate/rules/direct.jsonl"
    record = next(iter(RecordFile(path)))
    path.write_text(path.read_text().replace(record.basic_information.name, "A\\u001b[2J\\u009b"))
    for options in (("--item", record.id), ("--item", record.id, "--format", "json")):
        out = shown(run, *options)
        assert "\x1b" not in out
        assert "\x9b" not in out


def test_an_item_of_any_stage_can_be_read():
    item = PlainItem.model_validate({"id": "a", "mood": "calm"})
    scope = Scope(0, (), Library(), {})
    assert json.loads(Stage(None, scope).describe(item)) == {
        "id": "a",
        "department": "",
        "mood": "calm",
    }


def test_what_cannot_be_read_is_one_sentence(records: Path, tmp_path: Path):
    run = copied(records, tmp_path)
    assert "holds no item '\\udcff'" in script("show", run, "--item", "\udcff").error
    path = run / "items/generate/rules/direct.jsonl"
    path.unlink()
    path.mkdir()
    assert f"{path} cannot be read" in inside("show", run, "--item", ID).error
