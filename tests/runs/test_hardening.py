"""What once went wrong without a word, or with too many."""

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
import typer
from commands import experiment, inside
from openai_server import OpenAIServer
from rules_run import LIBRARY, Seen, context, results_of, run, small

from bench.api.cell import safe_name
from bench.api.context import Context
from bench.api.failure import Failure
from bench.api.generator import GeneratorCard
from bench.backbones.prompt import GENERATING, Completion, Invalid, Prompt
from bench.backbones.requests import Extract
from bench.backbones.structured import parse, strict_schema
from bench.cli.screen import report_failures
from bench.core.concurrency import ordered_map
from bench.core.errors import UserError
from bench.core.registry import GENERATORS, METRICS
from bench.experiments.plan import estimate
from bench.journal.journal import Journal
from bench.knowledge.cases import Case, plan
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


CASES = list(plan(LIBRARY, ["Urology"], 3, seed=1))


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"view": "valuez"}, "view is 'valuez'"),
        ({"pairs": "diseas"}, "pairs is 'diseas'"),
    ],
)
def test_a_misspelt_option_value_is_refused(options, told):
    with pytest.raises(UserError, match=told):
        METRICS.make("bleu", options)


def test_labels_with_dots_keep_their_own_files(tmp_path):
    methods = [{"name": "direct", "as": "v1.0"}, {"name": "direct", "as": "v1.1"}]
    results = results_of(tmp_path / "r", methods=methods, metrics=["bleu"])
    assert results.values("method") == ["v1.0", "v1.1"]
    files = sorted(path.name for path in (tmp_path / "r/items/generate/rules").iterdir())
    assert files == ["v1.0.jsonl", "v1.1.jsonl"]


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


def record_of(case: Case) -> dict[str, Any]:
    """A plain record."""
    parts = ("medical_history", "lifestyle", "vaccination_history", "family_history")
    return {
        "id": case.id,
        "department": case.department,
        "basic_information": {"name": "A", "gender": case.gender, "age": case.age},
        "epidemiology": dict.fromkeys(parts, ()),
        "disease_information": {"disease": case.disease, "symptoms": [case.id]},
        "examination_results": (),
    }


def installed(monkeypatch: pytest.MonkeyPatch, name: str, generator: Any) -> None:
    """Let a generator be known by a name."""
    load = GENERATORS.load
    monkeypatch.setattr(GENERATORS, "load", lambda n: generator if n == name else load(n))


def test_an_error_does_not_wait_behind_a_slow_item():
    async def work(number: int) -> int:
        if number == 0:
            await asyncio.sleep(20)
        if number == 3:
            raise UserError("stop")
        return number

    async def collect() -> list[int]:
        return [found async for found in ordered_map(work, range(10), 2)]

    start = time.monotonic()
    with pytest.raises(UserError):
        asyncio.run(collect())
    assert time.monotonic() - start < 10


def test_others_go_on_behind_a_slow_item():
    finished: list[int] = []

    async def work(number: int) -> int:
        if number == 0:
            while len(finished) < 9:
                await asyncio.sleep(0)
        finished.append(number)
        return number

    async def collect() -> list[int]:
        return [found async for found in ordered_map(work, range(10), 2)]

    assert asyncio.run(asyncio.wait_for(collect(), 20)) == list(range(10))


class Says(Seen):
    """Answers with one text, whatever is asked."""

    def __init__(self, text: str, outcome: Any = "answer") -> None:
        super().__init__()
        self.completion = Completion(text=text, outcome=outcome)

    async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
        self.prompts.append(prompt)
        return self.completion


@pytest.mark.parametrize("answer", [str, Examination])
def test_a_cut_answer_is_never_taken_for_whole(answer):
    cut = Says('{"category": "laboratory", "test": "Lipase", "value": "45', outcome="cut")
    prompt = Prompt(Extract(text=""), (), answer, GENERATING, "r")
    with context(judge=cut) as given, pytest.raises(Invalid, match="cut off after 4096 tokens"):
        asyncio.run(given.role("judge").ask(prompt))
    assert len(cut.prompts) == 3


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


class Silent:
    """A generator that asks nobody."""

    card = GeneratorCard(name="silent", summary="", needs=())

    async def write(self, case: Case, context: Context) -> dict[str, Any]:
        return record_of(case)


def test_a_journal_that_is_damaged_ends_the_run_in_one_sentence(tmp_path):
    path = tmp_path / "j.sqlite"

    async def fill() -> None:
        journal = Journal.open(path)
        for number in range(300):

            async def body(_: str) -> bytes:
                return b"x" * 5000

            await journal.once({"n": number}, body)
        await journal.close()

    asyncio.run(fill())
    data = bytearray(path.read_bytes())
    for page in range(2, len(data) // 16384):
        data[page * 16384 : page * 16384 + 200] = b"\xff" * 200
    path.write_bytes(data)

    async def read() -> None:
        journal = Journal.open(path)
        try:
            for number in range(300):

                async def body(_: str) -> bytes:
                    return b"y"

                await journal.once({"n": number}, body)
        finally:
            await journal.close()

    with pytest.raises(UserError, match=r"journal .* is damaged"):
        asyncio.run(read())


def test_a_body_that_is_no_bytes_or_a_closed_journal_does_not_hang():
    async def go() -> None:
        journal = Journal.open(None)

        async def text(_: str) -> Any:
            return "text"

        with pytest.raises(TypeError, match="must be bytes"):
            await journal.once({"a": 1}, text)

        async def body(_: str) -> bytes:
            return b"1"

        assert (await journal.once({"a": 1}, body)).body == b"1"
        await journal.close()
        for again in (journal.once({"a": 2}, body), journal.forget(["00" * 32])):
            with pytest.raises(RuntimeError, match="closed"):
                await again

    asyncio.run(asyncio.wait_for(go(), 20))


def test_score_keeps_what_a_judge_was_paid_for(openai_server: OpenAIServer, tmp_path: Path):
    made = run(tmp_path / "r", methods=["direct"], metrics=["bleu"])
    records = tmp_path / "mine.jsonl"
    records.write_bytes((made.path / RECORDS).read_bytes())
    arguments = ("score", records, "-m", "accuracy", "--judge", "openai/gpt-4o")
    for _ in range(2):
        ended = inside(*arguments, OPENAI_BASE_URL=openai_server.url)
        assert ended.code == 0, ended.err
    assert openai_server.stats()["total"] == 8


def test_a_metric_with_other_options_is_not_comparable(tmp_path):
    results = results_of(tmp_path / "r", metrics=[{"name": "bleu", "view": "values"}])
    main = Table3().grids(results)[0]
    assert "(not comparable)" in main.rows[0][main.columns.index("BLEU ↓")]


def test_a_journal_that_is_gone_or_another_is_refused(tmp_path):
    made = run(tmp_path / "r", methods=["direct"], metrics=["bleu"])
    with pytest.raises(UserError, match="keeps its answers in"):
        made.journal(tmp_path / "other.sqlite")
    assert made.journal(made.path / "journal.sqlite") == made.path / "journal.sqlite"
    (made.path / "journal.sqlite").unlink()
    with pytest.raises(UserError, match="is gone: put a copy back"):
        run(tmp_path / "r", methods=["direct"], metrics=["bleu"])


def test_what_is_unfinished_is_said_to_be(tmp_path):
    made = run(tmp_path / "runs/r", methods=["direct"], metrics=["bleu"])
    assert inside("list", "runs").out == "runs/r  small  rules  done\n"
    extended = small(methods=["direct"], metrics=["bleu", "rouge-l"])
    made.save_experiment(extended.as_data())
    assert inside("list", "runs").out == "runs/r  small  rules  not finished\n"
    (made.path / "manifest.json").unlink()
    assert inside("list", "runs").out == "runs/r  small  rules  not finished\n"
    said = inside("show", made.path).error
    assert f"not finished: `pzbench run {made.path}` goes on" in said
    assert inside("run", made.path).code == 0
    assert {one.score.metric for one in read_results(made.results)} == {"bleu", "rouge-l"}
    (tmp_path / "runs/old").mkdir()
    (tmp_path / "runs/old/experiment.json").write_text("{}")
    assert "runs/old  runs/old was made by an earlier version" in inside("list", "runs").out


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


def test_a_plan_counts_the_judge_of_a_method_that_asks_nobody(monkeypatch):
    installed(monkeypatch, "silent", Silent)
    wanted = small(
        departments=["Urology"],
        cases_per_department=10,
        methods=["silent"],
        roles={"generator": "rules", "judge": {"name": "openai/gpt-4o", "as": "wise"}},
        metrics=["accuracy"],
    )
    (cost,) = estimate(wanted)
    assert (cost.role, cost.exchanges) == ("judge", 10)
    assert "wise (openai/gpt-4o)" in str(cost)


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


def test_records_written_anew_are_counted_and_shown(openai_server: OpenAIServer, tmp_path: Path):
    checked = {"name": "patient-zero", "as": "checked", "plausibility": "regenerate"}
    roles = {"generator": "openai/gpt-4o-2024-08-06", "judge": "rules"}
    file = experiment(tmp_path / "x.yaml", roles=roles, methods=[checked], metrics=["bleu"])
    folder = tmp_path / "run"
    assert inside("run", file, "--out", folder, OPENAI_BASE_URL=openai_server.url).code == 0
    lines = next(folder.glob("items/generate/*/checked.jsonl")).read_text().splitlines()
    again = sum(json.loads(line)["origin"]["rewritten"] > 0 for line in lines)
    assert again  # the server's verdicts are mostly, not always, good
    told = f"checked: its plausibility check had {again} records written anew"
    assert told in (folder / "tables" / "table3.md").read_text()
