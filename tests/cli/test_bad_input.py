"""Bad input ends with exit code 2 and one sentence, and leaves nothing half-written."""

import fcntl
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import KEY, Ended, experiment, inside, script
from openai_server import OpenAIServer

from bench.api.failure import Failure
from bench.report.results import read_results
from bench.runs.folder import RunFolder

MODEL = "openai/gpt-4o-2024-08-06"
RECORDS = Path("items", "generate", "rules", "direct.jsonl")
CASES = "generate.cases_per_department: Input should "


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs go below a folder of the test's own."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return tmp_path / "run"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run; its experiment file is beside it. Not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    file = experiment(folder / "x.yaml", cases_per_department=1, metrics=["accuracy"])
    ended = inside("run", file, "--out", folder / "run")
    assert ended.code == 0, ended
    return folder / "run"


def state(folder: Path) -> dict[str, bytes]:
    """What a folder holds, the lock and SQLite's side files left out."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock" and not path.name.endswith(("-shm", "-wal"))
    }


def nothing_made(run: Path) -> bool:
    """Whether a run folder is absent or holds no result, not even a hidden half of one."""
    made = {path.name for path in run.rglob("*") if path.is_file()}
    allowed = {".lock", "journal.sqlite", "journal.sqlite-shm", "journal.sqlite-wal"}
    return made <= allowed | {"experiment.yaml"}


# Experiments


def test_missing_key(tmp_path: Path, run: Path) -> None:
    file = experiment(tmp_path / "x.yaml", roles={"generator": MODEL, "judge": "rules"})
    said = script("run", file, "--out", run).error
    assert said.startswith(f"{MODEL} needs an API key: set the environment variable OPENAI_API_KEY")
    assert nothing_made(run)


def test_wrong_model(openai_server: OpenAIServer, tmp_path: Path, run: Path) -> None:
    said = "The model `gpt-9` does not exist or you do not have access to it."
    openai_server.fail("status", status=404, code="model_not_found", message=said)
    roles = {"generator": "openai/gpt-9", "judge": "rules"}
    file = experiment(tmp_path / "x.yaml", roles=roles)
    error = script(
        "run", file, "--out", run, OPENAI_BASE_URL=openai_server.url, OPENAI_API_KEY=KEY
    ).error
    assert error.startswith(f"openai/gpt-9 at {openai_server.url} answers 404 ({said}): check the")
    assert nothing_made(run)


def test_a_wrong_model_can_be_put_right_in_the_same_folder(
    openai_server: OpenAIServer, tmp_path: Path, run: Path
) -> None:
    openai_server.fail("status", status=404, when=lambda seen: seen.body["model"] == "gpt-9")
    for model, code in (("openai/gpt-9", 2), ("openai/gpt-4o", 0)):
        roles = {"generator": model, "judge": "rules"}
        file = experiment(tmp_path / "x.yaml", roles=roles, metrics=["bleu"], methods=["direct"])
        arguments = ("run", file, "--out", run, "--at-once", "1")
        assert inside(*arguments, OPENAI_BASE_URL=openai_server.url).code == code


def test_unreadable_yaml_is_named_with_its_line(tmp_path: Path, run: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("name: x\nseed: 1\nmethods: [direct\nmetrics: [bleu]\n")
    assert inside("run", file, "--out", run).error.startswith(f"{file}, line 4: not valid YAML (")
    file.write_bytes(b"name: \xff\xfe\n")
    assert f"{file} cannot be read" in inside("run", file, "--out", run).error
    file.write_bytes(b"name: \x07\n")
    assert f"{file}: not valid YAML" in inside("run", file, "--out", run).error
    absent = tmp_path / "absent.yaml"
    assert f"{absent} cannot be read" in inside("run", absent, "--out", run).error
    assert inside("run", tmp_path).error.startswith(f"{tmp_path} holds no run")
    assert not run.exists()


@pytest.mark.parametrize(
    ("written", "fault"),
    [
        ("sed: 3", "sed: there is no such setting; did you mean 'seed'?"),
        ("departments: []", "departments: Tuple should have at least 1 item"),
        ("generate: {cases_per_department: 0, methods: direct}", CASES + "be greater than 0"),
        ("generate: {cases_per_department: many, methods: direct}", CASES + "be a valid integer"),
        (
            "generate: {methods: [{nme: direct}]}",
            "generate.methods.0.nme: there is no such setting",
        ),
        (
            "methods: [direct]",
            "methods: there is no such setting here; it belongs under `generate:`",
        ),
    ],
)
def test_wrong_setting_is_named_with_its_line(
    tmp_path: Path, run: Path, written: str, fault: str
) -> None:
    file = tmp_path / "x.yaml"
    plain = {
        "name": "x",
        "departments": "[Urology]",
        "generate": "{cases_per_department: 1, methods: [direct]}",
        "roles": "{generator: rules}",
    }
    setting = written.partition(":")[0]
    plain.pop(setting, None)
    file.write_text("".join(f"{name}: {value}\n" for name, value in plain.items()) + written)
    said = inside("run", file, "--out", run).error
    assert said.startswith(f"{file}, line {len(plain) + 1}: {fault}")
    assert not run.exists()


@pytest.mark.parametrize("text", ["", "just words", "- a list", "[1, 2"])
def test_what_is_no_experiment(tmp_path: Path, run: Path, text: str) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text)
    said = inside("run", file, "--out", run).error
    # An unclosed list is found where the text ends.
    assert said.startswith(f"{file}, line {2 if text.startswith('[') else 1}: ")
    assert not run.exists()


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"metrics": ["blue"]}, "there is no metric 'blue'; did you mean 'bleu'?"),
        ({"methods": ["dircet"]}, "there is no generator 'dircet'; did you mean 'direct'?"),
        (
            {"roles": {"generator": "opnai/gpt-4o", "judge": "rules"}},
            "there is no backbone 'opnai'; did you mean 'openai'?",
        ),
        (
            {"roles": {"generator": "rules", "judge": "ruels"}},
            "there is no backbone 'ruels'; did you mean 'rules'?",
        ),
        ({"roles": {"generator": "openai", "judge": "rules"}}, "openai/ lacks a model"),
        (
            {"tables": ["table33"]},
            "there is no table 'table33'; did you mean 'table3'?",
        ),
        (
            {"departments": ["urology"]},
            "there is no department 'urology'; did you mean 'Urology'?",
        ),
        (
            {"metrics": [{"name": "bleu", "vew": "full"}]},
            "the metric 'bleu' has no option 'vew'; did you mean 'view'?",
        ),
        (
            {"roles": {"generator": "rules"}},
            "nobody is named for the role 'judge': add --judge",
        ),
        (
            {"roles": {"generator": "rules", "juge": "rules"}},
            "nobody asks the role 'juge'; did you mean 'judge'?",
        ),
        (
            {"interviw": {}},
            "FILE, line 21: interviw: no stage 'interviw' is installed; did you mean",
        ),
    ],
    ids=lambda given: next(iter(given)) if isinstance(given, dict) else "",
)
def test_unknown_names(tmp_path: Path, run: Path, settings: dict[str, Any], fault: str) -> None:
    file = experiment(tmp_path / "x.yaml", **settings)
    said = inside("run", file, "--out", run).error
    assert said.startswith(fault.replace("FILE", str(file)))
    assert nothing_made(run)


def test_unknown_table_and_option_of_reproduce(run: Path) -> None:
    said = inside("reproduce", "table33", "--out", run).error
    assert "did you mean 'table3'? (there are: rows, table3, table4, table5)" in said
    assert "is not a table of the paper" in inside("reproduce", "rows", "--out", run).error
    department = inside("reproduce", "table3", "--department", "Nowhere", "--out", run).error
    assert department.startswith("there is no department 'Nowhere'")
    assert nothing_made(run)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--judge", "rules", "table3"), "name the table first"),
        (("table3", "--cases", "0"), CASES + "be greater than 0"),
        (("table3", "--seed", "x"), "seed: Input should be a valid integer"),
        (("table3", "--metric", "blue"), "there is no metric 'blue'; did you mean 'bleu'?"),
        (("table3", "--judge", "ruels:as=x"), "there is no backbone 'ruels'; did you mean 'rules'"),
    ],
)
def test_options_of_a_table(run: Path, arguments: tuple[str, ...], said: str) -> None:
    assert inside("reproduce", *arguments, "--out", run).error.startswith(said)
    assert nothing_made(run)


def test_a_tables_options_are_listed_with_its_help() -> None:
    plain, told = inside("reproduce", "--help"), inside("reproduce", "table4", "--help")
    assert (plain.code, told.code) == (0, 0)
    for option in ("--rater", "--patients", "--triplet-engine", "--format", "--cases"):
        assert f"  {option} " in told.out
        assert f"  {option} " not in plain.out
    assert "--medqa" not in told.out
    assert "--guard / --no-guard" in inside("reproduce", "table5", "--help").out


# Run folders


@pytest.mark.parametrize(
    ("setting", "value", "said"),
    [
        ("seed", 4, "seed is 3 there and 4 now"),
        ("methods", ["direct"], "generate.methods is direct, multi-step there and direct now"),
        ("departments", ["Urology"], "departments is Urology, Psychiatry there and Urology now"),
        (
            "metrics",
            ["bleu"],
            "metrics is accuracy there and bleu now",
        ),
        ("name", "other", "name is 'small' there and 'other' now"),
        (
            "roles",
            {"generator": "rules", "judge": {"name": "rules", "as": "other"}},
            "roles.judge is rules there and rules(as='other') now",
        ),
    ],
)
def test_another_experiment_in_the_folder(
    finished: Path, tmp_path: Path, setting: str, value: Any, said: str
) -> None:
    settings = {"cases_per_department": 1, "metrics": ["accuracy"]} | {setting: value}
    file = experiment(tmp_path / "x.yaml", **settings)
    before = state(finished)
    error = inside("run", file, "--out", finished).error
    assert error.startswith(f"{finished} holds another experiment: {said}; name another run folder")
    assert state(finished) == before


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    file = experiment(tmp_path / "x.yaml")
    for out in (tmp_path / "file" / "run", tmp_path / "file"):
        assert f"the run folder {out} cannot be written" in inside("run", file, "--out", out).error
    journal = tmp_path / "file" / "journal.sqlite"
    said = inside("run", file, "--out", tmp_path / "run", "--journal", journal).error
    assert f"the journal {journal} cannot be opened" in said
    assert (tmp_path / "file").read_text() == "mine"
    assert nothing_made(tmp_path / "run")


def test_a_second_process_in_the_folder(finished: Path) -> None:
    before = state(finished)
    with (finished / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        said = script("run", finished.parent / "x.yaml", "--out", finished).error
    assert said.startswith(f"another process is running in {finished}: wait for it")
    assert state(finished) == before


@pytest.mark.parametrize("name", ["manifest.json", "failures.jsonl"])
def test_a_damaged_file_of_a_run(finished: Path, tmp_path: Path, name: str) -> None:
    copy = tmp_path / "copy"
    for path, found in state(finished).items():
        (copy / path).parent.mkdir(parents=True, exist_ok=True)
        (copy / path).write_bytes(found)
    (copy / name).write_text('{"half": ')
    said = inside("show", copy).error
    assert said.startswith(f"{copy / name} cannot be read")


def test_a_failure_with_a_strange_line_separator_is_read_again(tmp_path: Path) -> None:
    reason = "I cannot.\u2028Really\x85not."
    folder = RunFolder(tmp_path)
    failure = Failure(item="a", stage="direct", outcome="refusal", reason=reason)
    folder.save_failures([failure, failure])
    assert folder.failures() == [failure, failure]


# Records


def record_lines(finished: Path) -> list[dict[str, Any]]:
    text = (finished / RECORDS).read_text()
    return [json.loads(line) for line in text.splitlines()]


def wrong_field(lines: list[dict[str, Any]]) -> None:
    lines[1]["basic_information"]["age"] = "old"


def unknown_field(lines: list[dict[str, Any]]) -> None:
    lines[0]["basic_information"]["agee"] = 4


def missing_section(lines: list[dict[str, Any]]) -> None:
    del lines[1]["epidemiology"]


def duplicate(lines: list[dict[str, Any]]) -> None:
    lines[1]["id"] = lines[0]["id"]


def none(lines: list[dict[str, Any]]) -> None:
    lines.clear()


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (wrong_field, ", line 2: field basic_information.age: Input should be a valid integer"),
        (unknown_field, ", line 1: field basic_information.agee: Extra inputs are not permitted"),
        (missing_section, ", line 2: field epidemiology: Field required"),
        (duplicate, ", line 2: the id 'URO-01-0001' stands in line 1 too"),
        (none, " holds no records"),
    ],
)
def test_records_at_fault(
    finished: Path,
    tmp_path: Path,
    spoil: Callable[[list[dict[str, Any]]], None],
    fault: str,
) -> None:
    lines = record_lines(finished)
    spoil(lines)
    file, out = tmp_path / "records.jsonl", tmp_path / "run"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    said = inside("score", file, "--metric", "bleu", "--out", out).error
    assert said.startswith(f"{file}{fault}")
    assert not out.exists()


def test_records_that_are_no_json_lines(tmp_path: Path) -> None:
    file = tmp_path / "records.jsonl"
    file.write_text('\n{"id": \n')
    said = inside("score", file, "--metric", "bleu").error
    assert said.startswith(f"{file}, line 2: not JSON (")
    assert f"there is no file {tmp_path}" in inside("score", tmp_path).error
    file.rename(tmp_path / "records.parquet")
    said = inside("score", tmp_path / "records.parquet").error
    assert "records.parquet cannot be read as Parquet" in said or "needs the extra" in said


def test_unknown_metric_or_judge_of_score(finished: Path) -> None:
    records = finished / RECORDS
    said = inside("score", records, "--metric", "blue").error
    assert said == "there is no metric 'blue'; did you mean 'bleu'?"
    said = inside("score", records, "--metric", "accuracy", "--judge", "ruels").error
    assert said.startswith("there is no backbone 'ruels'; did you mean 'rules'?")
    said = inside("score", records, "--metric", "accuracy").error
    assert said.startswith("nobody is named for the role 'judge': add --judge BACKBONE")


# Show and list


def test_show_of_what_is_not_there(finished: Path, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "nowhere", finished / "manifest.json"):
        assert inside("show", folder).error.startswith(f"{folder} holds no run")
    assert "URO-99-0001" in inside("show", finished, "--item", "URO-99-0001").error
    said = inside("show", finished, "--item", "URO-01-0001", "--format", "jsn").error
    assert said.startswith("there is no format 'jsn'; did you mean 'json'?")
    assert inside("list", "metric").error.endswith("did you mean 'metrics'?")


def test_an_unknown_format_is_told_without_a_record_too(finished: Path) -> None:
    assert "no format 'jsn'" in inside("show", finished, "--format", "jsn").error


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("shwo", "x"),
        ("run", "x.yaml", "--at-once", "0"),
        ("show", "x", "--recrd", "y"),
        ("reproduce", "table5", "--guard=perhaps"),
        ("reproduce", "table3", "--juge", "rules"),
        ("reproduce", "table3", "--medqa", "sample"),
        ("reproduce", "table3", "rules"),
        ("reproduce", "table5", "--judge"),
    ],
    ids=" ".join,
)
def test_wrong_usage_exits_2_too(arguments: tuple[str, ...]) -> None:
    ended: Ended = inside(*arguments)
    assert (ended.code, "Traceback" in ended.err) == (2, False)
    assert ended.err


# And what is no bad input


def test_extending_is_no_change(tmp_path: Path) -> None:
    run = tmp_path / "run"
    first = experiment(
        tmp_path / "x.yaml", cases_per_department=1, methods=["direct"], metrics=["bleu"]
    )
    assert inside("run", first, "--out", run).code == 0
    more = experiment(tmp_path / "x.yaml", departments=["all"])
    assert inside("run", more, "--out", run).code == 0
    results = read_results(run / "results.csv")
    counts = {
        (one.cell["method"], one.score.metric): one.score.n
        for one in results
        if one.score.by == "all" and not one.score.part and one.minus is None
    }
    assert counts["direct", "bleu"] == counts["multi-step", "accuracy"] == 12


def test_a_misspelt_setting_is_told_before_the_one_it_leaves_missing(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("name: x\ngenerate:\n  cases_per_department: 2\n  methds: [direct]\n")
    said = inside("run", file, "--out", tmp_path / "run").error
    assert said == (
        f"{file}, line 4: generate.methds: there is no such setting; did you mean 'methods'?"
    )
