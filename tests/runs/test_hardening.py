"""What once went wrong without a word, or with too many."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
import typer
from commands import experiment, inside
from journals import ran, said
from openai_server import OpenAIServer
from rules_run import context, results_of, run, small
from scripted import Scripted

from bench.api.cell import safe_name
from bench.api.failure import Failure
from bench.backbones.prompt import GENERATING, Completion, Invalid, Prompt
from bench.backbones.requests import Extract
from bench.backbones.structured import parse, strict_schema
from bench.cli.screen import report_failures
from bench.core.errors import UserError
from bench.experiments.plan import estimate
from bench.journal.journal import Journal
from bench.records.record import Examination, RecordSections
from bench.report.results import read_results
from bench.report.text import printable
from leaderboards.rows import Rows
from leaderboards.table3 import Table3

RECORDS = Path("items", "generate", "rules", "direct.jsonl")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs go below a folder of the test's own."""
    monkeypatch.chdir(tmp_path)


def test_safe_names_stay_apart_and_visible():
    names = [".a", "a", "..", "...", "%2ea", "a/b", "a b"]
    assert len({safe_name(name) for name in names}) == len(names)
    assert not any(safe_name(name).startswith(".") or "/" in safe_name(name) for name in names)


def test_the_paper_stands_beside_what_was_run_not_beside_what_it_is_called(tmp_path):
    results = results_of(
        tmp_path / "r",
        methods=[{"name": "direct", "as": "patient-zero"}],
        metrics=[{"name": "bleu", "as": "rouge-l"}],
        roles={"generator": [{"name": "rules", "as": "gpt-4o"}]},
    )
    main = Table3().grids(results)[0]
    columns = dict(zip(main.columns, main.rows[0], strict=True))
    assert columns["ROUGE-L ↓"].startswith("not asked for")
    (bleu,) = [cell for column, cell in columns.items() if column.startswith("BLEU")]
    assert "paper: 0.3320" in bleu  # the paper's direct
    assert "stand-in" in main.title
    row = Rows().files(results)["rows.csv"].splitlines()[1]
    assert ",rules,direct," in row
    assert "gpt-4o | patient-zero" in row


def test_rules_that_only_judge_are_marked_where_they_judged(
    openai_server: OpenAIServer, tmp_path: Path
):
    roles = {"generator": "openai/gpt-4o-2024-08-06", "judge": "rules"}
    file = experiment(tmp_path / "x.yaml", roles=roles, methods=["direct"], tables=["table3"])
    folder = tmp_path / "run"
    ended = inside("run", file, "--out", folder, OPENAI_BASE_URL=openai_server.url)
    assert ended.code == 0, ended.err
    assert "partly a stand-in" in (folder / "tables" / "table3.md").read_text()
    marked = {one.score.metric: one.score.stand_in for one in read_results(folder / "results.csv")}
    assert marked == {"accuracy": True, "bleu": False, "rouge-l": False}


@pytest.mark.parametrize("answer", [str, Examination])
def test_a_cut_answer_is_never_taken_for_whole(answer):
    half = '{"category": "laboratory", "test": "Lipase", "value": "45'
    cut = Scripted(extract=lambda task: Completion(half, outcome="cut", output_tokens=17))
    prompt = Prompt(Extract(text=""), (), answer, GENERATING, "r")
    with context(judge=cut) as given, pytest.raises(Invalid, match="cut off") as caught:
        asyncio.run(given.role("judge").ask(prompt))
    assert len(cut.prompts) == 3
    # The endpoint's own limit ended it, not the one that was asked for.
    assert "after 17 tokens" in caught.value.reason


def test_words_with_braces_around_the_object_do_no_harm():
    told = '```json\n{"category": "x", "test": "y"}\n```\nHope {this} helps'
    assert parse(told, Examination).test == "y"


def test_the_strict_schema_holds_nothing_that_endpoints_refuse_or_readers_alone_need():
    text = json.dumps(strict_schema(RecordSections))
    for keyword in ('"default"', '"minimum"', '"maximum"', '"title"', "paper", "step"):
        assert keyword not in text
    assert "Full name; invented." in text


def test_a_plan_counts_what_a_scorer_is_asked():
    wanted = small(
        cases_per_department=20,
        methods=["direct"],
        roles={"generator": "rules", "scorer": "openai/davinci-002"},
        metrics=["gptscore"],
    )
    (cost,) = estimate(wanted)
    assert (cost.role, cost.exchanges) == ("scorer", 2 * 20 * 19)


def test_model_text_cannot_drive_the_terminal(capsys):
    evil = "\x1b]0;title\x07\x1b[31mred\x00\x9b1m\n\ttab"
    assert printable(evil) == "\\x1b]0;title\\x07\\x1b[31mred\\x00\\x9b1m\n\ttab"
    with pytest.raises(typer.Exit):
        report_failures([Failure(item="a", stage="b", outcome="c", reason=evil)], "here")
    assert "\x1b" not in capsys.readouterr().err


def test_a_body_that_is_no_bytes_or_a_closed_journal_does_not_hang():
    async def go() -> None:
        journal = Journal.open(None)

        async def text(_: str) -> Any:
            return "text"

        with pytest.raises(TypeError, match="bytes"):
            await journal.once({"a": 1}, text)
        assert (await journal.once({"a": 1}, said)).body == b"an answer"
        await journal.close()
        for again in (journal.once({"a": 2}, said), journal.forget(["00" * 32])):
            with pytest.raises(RuntimeError, match="closed"):
                await again

    ran(go())


def test_score_keeps_what_a_judge_was_paid_for(openai_server: OpenAIServer, tmp_path: Path):
    made = run(tmp_path / "r", methods=["direct"], metrics=["bleu"])
    records = tmp_path / "mine.jsonl"
    records.write_bytes((made.path / RECORDS).read_bytes())
    arguments = ("score", records, "-m", "accuracy", "--judge", "openai/gpt-4o")
    for _ in range(2):
        ended = inside(*arguments, OPENAI_BASE_URL=openai_server.url)
        assert ended.code == 0, ended.err
    assert openai_server.stats()["total"] == 8


def test_a_journal_that_is_gone_or_another_is_refused(tmp_path):
    made = run(tmp_path / "r", methods=["direct"], metrics=["bleu"])
    with pytest.raises(UserError, match="keeps its answers in"):
        made.journal(tmp_path / "other.sqlite")
    assert made.journal(made.path / "journal.sqlite") == made.path / "journal.sqlite"
    (made.path / "journal.sqlite").unlink()
    with pytest.raises(UserError, match="is gone"):
        run(tmp_path / "r", methods=["direct"], metrics=["bleu"])


def test_what_is_unfinished_is_said_to_be(tmp_path):
    made = run(tmp_path / "runs/r", methods=["direct"], metrics=["bleu"])
    assert inside("list", "runs").out.split() == ["runs/r", "small", "rules", "done"]
    extended = small(methods=["direct"], metrics=["bleu", "rouge-l"])
    made.save_experiment(extended.as_data())
    assert "not finished" in inside("list", "runs").out
    (made.path / "manifest.json").unlink()
    assert "rules  not finished" in inside("list", "runs").out
    assert f"`pzbench run {made.path}`" in inside("show", made.path).error
    assert inside("run", made.path).code == 0
    assert {one.score.metric for one in read_results(made.results)} == {"bleu", "rouge-l"}
    (tmp_path / "runs/old").mkdir()
    (tmp_path / "runs/old/experiment.json").write_text("{}")
    assert "earlier version" in inside("list", "runs").out


def test_what_the_rules_wrote_elsewhere_is_marked(tmp_path):
    made = run(tmp_path / "r", methods=["direct"], metrics=["bleu"])
    mine = tmp_path / "mine.jsonl"
    lines = (made.path / RECORDS).read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    for name, marked in (("rules", True), ("openai/gpt-4o", False)):
        for row in rows:
            row["origin"]["backbone"] = name
        mine.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        ended = inside("score", mine, "-m", "bleu", "--out", tmp_path / name)
        assert ended.code == 0, ended.err
        assert ("stand-in" in ended.out) == marked
        results = read_results(tmp_path / name / "results.csv")
        assert {one.score.stand_in for one in results} == {marked}


def test_score_leaves_its_input_alone(tmp_path):
    made = run(tmp_path / "r", methods=["direct"], metrics=["bleu"])
    records = made.path / RECORDS
    before = records.read_bytes()
    assert "name another" in inside("score", records, "-m", "bleu", "--out", records).error
    assert records.read_bytes() == before
    twice = inside("score", records, "-m", "bleu", "-m", "bleu:view=values")
    assert twice.code == 2
    assert "tell them apart" in twice.err
    apart = inside("score", records, "-m", "bleu", "-m", "bleu:view=values,as=bare")
    assert apart.code == 0
    assert "bare" in apart.out


def test_a_refused_verdict_of_a_scored_file_can_be_asked_again(
    openai_server: OpenAIServer, tmp_path: Path
):
    made = run(tmp_path / "r", methods=["direct"], metrics=["bleu"])
    records = made.path / RECORDS
    openai_server.fail("refusal", times=1)
    arguments = ("score", records, "-m", "accuracy", "--judge", "openai/gpt-4o")
    codes = [
        inside(*arguments, *more, OPENAI_BASE_URL=openai_server.url).code
        for more in ((), (), ("--retry-failed",))
    ]
    assert codes == [3, 3, 0]
