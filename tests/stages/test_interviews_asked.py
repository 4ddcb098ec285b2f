"""What interviews ask: planned, failed in part, killed and run again."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import inside, started
from counting import asked, files, install_twin
from interview_run import (
    FILES,
    FORMATS,
    MODEL,
    THRICE,
    dialogues,
    held,
    records,
    settings_of,
    words,
)
from openai_server import OpenAIServer
from rules_run import results_of, score_in, small
from serving import kill, serving, stats, until

from bench.experiments.plan import estimate
from bench.journal.journal import Journal
from bench.runs.folder import RunFolder


@pytest.fixture
def model(openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> OpenAIServer:
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    return openai_server


def test_a_patient_who_fails_costs_that_dialogue_alone(model: OpenAIServer, tmp_path: Path) -> None:
    held(tmp_path / "whole", **words())
    first, *_ = dialogues(tmp_path / "whole")["rules/patient-zero/single-with/json"]
    assert first.record is not None
    name = first.record.basic_information.name

    model.fail("refusal", when=lambda seen: name in seen.words)
    folder = tmp_path / "failed"
    results = held(folder, **words())
    failures = RunFolder(folder).failures()
    assert {(one.item, one.stage, one.outcome) for one in failures} == {
        (first.id, "interview", "refusal")
    }
    assert Counter((one.cell["interaction"], one.cell["format"]) for one in failures) == Counter(
        (interaction, form) for interaction in ("single-with", "cross-without") for form in FORMATS
    )
    journal = Journal.open(folder / "journal.sqlite")
    assert all(one.keys and journal.get(one.keys[-1]) is not None for one in failures)
    for several in dialogues(folder).values():
        assert len(several) == 3
        assert first.id not in {one.id for one in several}
    counted = [
        (one.score.n, one.score.n_missing) for one in results.select("emotional-consistency")
    ]
    assert counted == [(3, 1)] * 6
    # Of answers, as many are missing as the dialogue would have had.
    answers = score_in(results, "conduct", "over-cap", interaction="cross-without")
    assert (answers.n, answers.n_missing) == (3 * 4, 4)

    model.faults.clear()
    held(folder, retry_failed=True, **words())
    assert RunFolder(folder).failures() == []
    assert files(folder, "items/**/*", "results.csv") == files(
        tmp_path / "whole", "items/**/*", "results.csv"
    )


def test_a_record_that_was_never_made_is_missing_among_the_dialogues(
    model: OpenAIServer, tmp_path: Path
) -> None:
    model.fail("refusal", times=1)
    results = held(
        tmp_path,
        cases_per_department=2,
        methods=["direct"],
        roles={"generator": MODEL, "patient": "rules"},
        interview={"interactions": ["single-without"], "formats": ["json"]},
        metrics=["conduct"],
    )
    # The server writes of other diseases than planned: all that matters is who is missing.
    made = len(records(tmp_path, f"{MODEL.replace('/', '%2f')}/direct"))
    score = score_in(results, "conduct", "leaked-diagnosis")
    assert (score.n, score.n_missing) == (made, 4 - made)
    assert made < 4


def test_a_plan_counts_what_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_twin(monkeypatch)
    settings = settings_of(
        cases_per_department=1,
        methods=["direct", "patient-zero"],
        roles={"generator": "twin", "judge": "twin", "rater": "twin"},
        interview={"questions": 2, "interactions": ["single-with", "cross-without", THRICE]},
    )
    planned = {cost.role: cost for cost in estimate(small(**settings))}
    results = results_of(tmp_path, **settings)
    done = asked(results)
    for role in ("generator", "patient", "doctor", "triplets"):
        assert planned[role].exchanges == done[role], role
    # What several formats have in the same words is asked once.
    for role in ("judge", "rater"):
        replayed = sum(one["replayed"] for one in results.manifest["roles"] if one["role"] == role)
        assert planned[role].exchanges == done[role] + replayed, role
    assert set(planned) == set(done)
    # Each of the replies that are checked may be made anew five times, and is labelled anew.
    checked = 2 * 2 * 3 * 2 * (1 + 3)
    made_anew = sum(
        len(exchange.attempts) - 1
        for name, several in dialogues(tmp_path).items()
        if "without" not in name
        for one in several
        for exchange in one.exchanges()
    )
    assert {role for role, cost in planned.items() if cost.again} == {"patient", "triplets"}
    assert planned["patient"].again == planned["triplets"].again == 5 * checked - made_anew


def test_a_plan_scales_what_it_tries(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_twin(monkeypatch)
    settings = settings_of(
        cases_per_department=8,
        roles={"generator": "twin", "patient": "twin", "doctor": "twin", "rater": "twin"},
        interview={"patients_per_department": 5, "interactions": ["cross-without"]},
        metrics=["emotional-consistency"],
    )
    planned = {cost.role: cost for cost in estimate(small(**settings))}
    results = results_of(tmp_path, **settings)
    done = asked(results)
    assert planned["generator"].exchanges == done["generator"] == 2 * 2 * 8
    assert planned["doctor"].exchanges == done["doctor"] == 3 * 2 * 5 * 2 * 3
    assert planned["patient"].exchanges == done["patient"] == 3 * 2 * 5 * 2 * 3
    assert planned["rater"].exchanges == 3 * 2 * 5
    assert planned["patient"].input_tokens > planned["patient"].output_tokens > 0
    assert not planned["patient"].again


AT_ONCE = 2


def test_killed_in_a_dialogue_and_run_again(tmp_path: Path) -> None:
    path, wanted, folder = tmp_path / "talked.yaml", tmp_path / "wanted", tmp_path / "run"
    settings = settings_of(**words())
    settings["interview"] |= {"formats": ["json", "atomic"]}
    path.write_text(yaml.safe_dump(small(**settings).as_data()), "utf-8")
    with serving() as server:
        at = {"OPENAI_BASE_URL": f"{server}/v1"}
        assert inside("run", path, "--out", wanted, **at).code == 0
        once = Counter(stats(server)["bodies"])

        how = ("run", path, "--out", folder, "--at-once", AT_ONCE)
        process = started(*how, **at)
        until(lambda: stats(server)["total"] >= 1.5 * once.total(), process)
        kill(process)
        assert not (folder / "manifest.json").exists()
        assert not (folder / "results.csv").exists()
        ended = inside(*how, **at)
        assert ended.code == 0, ended
        again = Counter(stats(server)["bodies"]) - once
    assert not once - again
    assert (again - once).total() <= AT_ONCE
    assert files(folder, *FILES) == files(wanted, *FILES)
    assert (folder / "failures.jsonl").read_text("utf-8") == ""


def test_reproduce_takes_who_talks_and_how_many(tmp_path: Path) -> None:
    more = ("--patients", 2, "--cases", 2, "--triplets", "rules", "--updating", "algorithm")
    few = ("--questions", 1, "--department", "Urology", "--metric", "conduct")
    ended = inside("reproduce", "table4", *few, *more, "--out", tmp_path)
    assert ended.code == 0, ended
    assert "Table 4" in ended.out
    found: Any = RunFolder(tmp_path).experiment()
    interview = found["interview"]
    assert found["generate"]["cases_per_department"] == interview["patients_per_department"] == 2
    assert (interview["questions"], interview["updating"]) == (1, "algorithm")
    assert [one["name"] for one in found["roles"]["triplets"]] == ["rules"]
    assert "patient" not in found["roles"]
    assert "--questions" in inside("reproduce", "table3", "--questions", 3).err
