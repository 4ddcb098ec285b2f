"""SIGKILL at any moment: little is asked twice, nothing is lost, the tables are the same."""

import json
import signal
from collections import Counter
from pathlib import Path

import pytest
from commands import experiment, inside, started, tables
from journals import journal_rows
from serving import kill, serving, stats, until

AT_ONCE = 4
MODEL = "openai/words"


def arguments(folder: Path, run: str) -> tuple[str | Path, ...]:
    file = experiment(
        folder / "killed.yaml",
        cases_per_department=5,
        roles={"generator": MODEL, "judge": MODEL},
        metrics=["accuracy", "bleu"],
    )
    return "run", file, "--out", folder / run, "--at-once", str(AT_ONCE)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], Counter[str]]:
    """The tables of a run that nobody killed, and how often each body was asked for."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with serving() as server:
        ended = inside(*arguments(folder, "run"), OPENAI_BASE_URL=f"{server}/v1")
        assert ended.code == 0, ended
        return tables(folder / "run"), Counter(stats(server)["bodies"])


@pytest.mark.parametrize(
    ("moment", "number"),
    [(20, signal.SIGKILL), (36, signal.SIGKILL), (20, signal.SIGTERM)],
    ids=["writing", "judging", "terminated"],
)
def test_kill_during_exchanges(
    tmp_path: Path,
    undisturbed: tuple[dict[str, bytes], Counter[str]],
    moment: int,
    number: signal.Signals,
) -> None:
    wanted, once = undisturbed
    assert once.total() == 10 + 20 + 20
    run = tmp_path / "run"
    with serving() as server:
        variables = {"OPENAI_BASE_URL": f"{server}/v1"}
        process = started(*arguments(tmp_path, "run"), **variables)
        until(lambda: stats(server)["total"] >= moment, process)
        kill(process, number)
        seen = stats(server)["total"]
        kept = journal_rows(run)
        assert moment <= seen < once.total()
        assert seen - kept <= 2 * AT_ONCE  # in flight, or answered and being written
        assert not (run / "manifest.json").exists()
        assert not [path for path in run.rglob("*") if path.name in wanted]

        ended = inside(*arguments(tmp_path, "run"), **variables)
        assert ended.code == 0, ended
        asked = Counter(stats(server)["bodies"])
    assert not once - asked
    assert (asked - once).total() <= 2 * AT_ONCE
    assert asked.total() == once.total() + seen - kept
    assert tables(run) == wanted


def test_kill_while_the_rules_answer(tmp_path: Path) -> None:
    """Nobody is waited for: what is asked and what is stored are under way at once."""
    file = experiment(tmp_path / "rules.yaml", cases_per_department=40, metrics=["accuracy"])
    free, run = tmp_path / "free", tmp_path / "run"
    assert inside("run", file, "--out", free).code == 0
    exchanges = journal_rows(free)
    process = started("run", file, "--out", run)
    until(lambda: journal_rows(run) >= 0.1 * exchanges, process)
    kill(process)
    kept = journal_rows(run)
    assert kept < exchanges
    assert not (run / "manifest.json").exists()

    assert inside("run", file, "--out", run).code == 0
    assert tables(run) == tables(free)
    roles = json.loads((run / "manifest.json").read_text())["roles"]
    assert sum(role["asked"] for role in roles) == exchanges - kept
    assert sum(role["replayed"] for role in roles) == kept
