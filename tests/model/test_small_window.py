"""A window of 2,048 tokens and answers of at most 200: most ends as a failure that tells why.

The model is small and draws its answers: what it says is of no interest, what becomes of it is.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from commands import Ended, experiment, started
from journals import journal_rows
from model_run import (
    AT_ONCE,
    Exchange,
    accounted,
    exchanges,
    ran,
    short_outlines,
    stand_in_records,
    variables,
)
from model_server import ModelServer, model_server
from serving import kill, until

from bench.runs.folder import RunFolder

pytestmark = [pytest.mark.model, pytest.mark.timeout(1200)]

DEPARTMENTS = ("Orthopedics", "Psychiatry")
NEARLY_FULL = 3
"""Longest list of their outlines with which the first prompt that shows one has room for an answer,
and one that showed two such answers whole would have none."""
LIMITS = 4
"""Limits of an answer that are tried, each half the last, before a prompt is called too long."""
METHODS = 3
KEPT = 3
"""Answers that are kept when a run is killed."""
PATIENCE = 600


@pytest.fixture(scope="module")
def server() -> Iterator[ModelServer]:
    with model_server(2048, 200) as found:
        yield found


@dataclass(frozen=True)
class Table3:
    """A run that was killed and resumed."""

    run: Path
    ended: Ended
    kept: dict[str, Exchange]
    """What its journal held when it was killed."""
    seen: int
    """Requests that had reached the server."""
    asked: int
    """Requests that had at the end."""


@pytest.fixture(scope="module")
def table3(server: ModelServer, tmp_path_factory: pytest.TempPathFactory) -> Table3:
    """One case of each department by each method, killed in the middle, then gone on with."""
    folder = tmp_path_factory.mktemp("table3")
    outlines = short_outlines(folder / "outlines", NEARLY_FULL, *DEPARTMENTS)
    run = folder / "run"
    scope = [word for name in DEPARTMENTS for word in ("--department", name)]
    metrics = [word for name in ("accuracy", "bleu", "rouge-l") for word in ("--metric", name)]
    roles = ("--backbone", server.name, "--judge", "rules")
    settings = (*scope, "--cases", 1, "--kb", outlines, *roles, *metrics, "--out", run)
    command = ("reproduce", "table3", *settings)
    first = started(*command, "--at-once", AT_ONCE, **variables(server))
    try:
        until(lambda: journal_rows(run) >= KEPT, first, PATIENCE)
    finally:
        kill(first)
    assert not (run / "manifest.json").exists()
    kept, seen = exchanges(run, server), len(server.asked)
    ended = ran(server, *command)
    return Table3(run, ended, kept, seen, len(server.asked))


def test_table3_ends_in_records_and_failures(server: ModelServer, table3: Table3) -> None:
    assert accounted(table3.run, table3.ended, server)
    cells = RunFolder(table3.run).manifest()["stages"]["generate"]["cells"]
    assert [cell["planned"] for cell in cells] == [len(DEPARTMENTS)] * METHODS
    asked = exchanges(table3.run, server).values()
    assert f"openai/{next(iter(asked)).completion.model}" == server.name
    cut = [one.completion.output_tokens for one in asked if one.completion.outcome == "cut"]
    assert server.limit in cut
    assert (table3.run / "tables/table3.csv").exists()


def test_what_a_killed_run_kept_is_not_asked_again(server: ModelServer, table3: Table3) -> None:
    assert KEPT <= len(table3.kept) <= table3.seen <= len(table3.kept) + 2 * AT_ONCE
    whole = exchanges(table3.run, server)
    assert {key: whole[key] for key in table3.kept} == table3.kept
    failures = RunFolder(table3.run).failures()
    refused = sum(one.outcome == "error" for one in failures)  # prompts without an answer
    again = table3.asked - len(whole) - refused
    assert again == table3.seen - len(table3.kept)


def test_a_prompt_that_is_longer_than_the_window(server: ModelServer, tmp_path: Path) -> None:
    records = stand_in_records(tmp_path, *DEPARTMENTS)
    run, before = tmp_path / "run", len(server.asked)
    judged = ("score", records, "-m", "accuracy", "--judge", server.name, "--out", run)
    failures = accounted(run, ran(server, *judged), server)
    assert Counter(one.outcome for one in failures) == {"error": len(DEPARTMENTS)}
    assert not exchanges(run, server)
    assert len(server.asked) == before + LIMITS * len(DEPARTMENTS)


def test_an_interview_of_two_turns(server: ModelServer, tmp_path: Path) -> None:
    department = DEPARTMENTS[0]
    file = experiment(
        tmp_path / "interview.yaml",
        departments=[department],
        knowledge=str(short_outlines(tmp_path / "outlines", 1, department)),
        roles={"generator": "rules", "patient": server.name},
        cases_per_department=1,
        methods=["direct"],
        interview={"questions": 2, "formats": ["text"], "interactions": ["single-with"]},
        metrics=["conduct"],
        tables=["rows"],
    )
    run = tmp_path / "run"
    accounted(run, ran(server, "run", file, "--out", run), server)
    assert exchanges(run, server)


def test_a_repair_fits_where_the_first_prompt_did(table3: Table3) -> None:
    failures = RunFolder(table3.run).failures()
    assert not [one for one in failures if one.outcome == "error" and one.keys]


def test_a_repair_shows_the_beginning_of_a_bad_answer(server: ModelServer, table3: Table3) -> None:
    asked = exchanges(table3.run, server).values()
    cut = {one.completion.text for one in asked if one.completion.outcome == "cut"}
    assert not cut & {words for one in asked if one.repair for words in one.words}


def test_the_names_of_the_fields_are_said_in_words(server: ModelServer, table3: Table3) -> None:
    for one in exchanges(table3.run, server).values():
        assert all(name in " ".join(one.words) for name in one.request["answer"]["properties"])


def test_the_bounds_of_a_number_are_sent(server: ModelServer, table3: Table3) -> None:
    sent = [str(body["response_format"]) for body in server.asked[: table3.asked]]
    assert all("maximum" in schema for schema in sent if "'age'" in schema)


def test_what_changes_the_draw_is_sent(server: ModelServer, table3: Table3) -> None:
    assert all("top_p" in body for body in server.asked[: table3.asked])


def test_the_manifest_counts_repairs_and_cuts(server: ModelServer, table3: Table3) -> None:
    roles = RunFolder(table3.run).manifest()["roles"]
    (generator,) = (one for one in roles if one["backbone"] == server.name)
    asked = exchanges(table3.run, server).values()
    assert generator["cut"] == sum(one.completion.outcome == "cut" for one in asked)
    assert generator["served"] == {server.name.partition("/")[2]: len(asked)}
    failed = Counter(one.outcome for one in RunFolder(table3.run).failures() if one.keys)
    assert generator["failed"].items() <= failed.items()  # an error is not stored
    assert generator["repaired"] <= sum(one.repair for one in asked)


@pytest.mark.xfail(strict=True, reason="an endpoint that never answered is asked several at once")
def test_an_endpoint_is_asked_one_at_a_time_until_it_answers(
    server: ModelServer, table3: Table3
) -> None:
    assert [body["under_way"] for body in server.asked[:AT_ONCE]] == [1] * AT_ONCE
