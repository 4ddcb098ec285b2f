"""Table 3 over a real endpoint, undisturbed and with everything an endpoint can do to a run."""

import json
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from commands import KEY, Ended, experiment, inside, script, tables, whole_text
from openai_server import Kind, OpenAIServer, Seen

from bench.journal.table import open_rows
from bench.knowledge.cases import Case, plan
from bench.knowledge.library import Library
from bench.report.results import Result, read_results

MODEL = "openai/gpt-4o-2024-08-06"
DEPARTMENTS = ("Endocrinology", "Psychiatry")
METHODS = {"direct": 1, "multi-step": 2, "patient-zero": 2}


def reproduce(run: Path) -> tuple[object, ...]:
    """The command that makes a small table 3."""
    return (
        *("reproduce", "table3", "--backbone", MODEL, "--judge", MODEL, "--cases", "2"),
        *(word for name in DEPARTMENTS for word in ("--department", name)),
        *(word for name in ("accuracy", "bleu", "rouge-l") for word in ("--metric", name)),
        *("--out", run),
    )


def scores_of(run: Path) -> dict[tuple[str, str], Result]:
    """The scores over all items, by method and metric."""
    return {
        (one.cell["method"], one.score.metric): one
        for one in read_results(run / "results.csv")
        if one.minus is None and one.score.by == "all" and not one.score.part
    }


def test_table_3_over_an_endpoint(openai_server: OpenAIServer, tmp_path: Path) -> None:
    openai_server.key = KEY
    run = tmp_path / "run"
    ended = script(*reproduce(run), OPENAI_BASE_URL=openai_server.url, OPENAI_API_KEY=KEY)
    assert (ended.code, "Traceback" in ended.err) == (0, False), ended
    cases, grid = 4, len(METHODS)
    asked = {"generator": cases * sum(METHODS.values()), "judge": cases * grid}
    for role, count in asked.items():
        assert f"plan: {role} {MODEL}: {count} exchanges" in ended.err
    assert openai_server.stats()["total"] == sum(asked.values())

    scores = scores_of(run)
    assert scores.keys() == {
        (method, metric) for method in METHODS for metric in ("accuracy", "bleu", "rouge-l")
    }
    for result in scores.values():
        assert (result.cell["backbone"], result.score.stand_in) == (MODEL, False)
        assert (result.score.n, result.score.n_missing) == (4, 0)
        assert result.score.value is not None
        assert 0 <= result.score.value <= 1
    shown = ended.out + (run / "tables" / "table3.md").read_text()
    assert "stand-in" not in shown
    assert "not in the paper" not in shown
    for printed in ("95.79", "0.3320", "96.76", "0.4019", "Accuracy", "BLEU", "ROUGE-L"):
        assert printed in shown

    roles = {
        role["role"]: role for role in json.loads((run / "manifest.json").read_text())["roles"]
    }
    assert set(roles) == {"generator", "judge"}
    for role, count in asked.items():
        told = roles[role]
        assert (told["backbone"], told["stand_in"]) == (MODEL, False)
        assert (told["asked"], told["replayed"]) == (count, 0)

    searched = list(whole_text(run))
    assert sum(": a body" in name for name, _ in searched) == sum(asked.values())
    assert not [name for name, found in searched if KEY.encode() in found]
    assert KEY not in ended.out + ended.err

    # All of it is in the journal: no server, no key, the same table.
    before = tables(run)
    openai_server.stop()
    again = inside(*reproduce(run), OPENAI_BASE_URL=openai_server.url)
    assert again.code == 0, again
    assert tables(run) == before


# Faults

EACH = 5
PLANNED = EACH * len(DEPARTMENTS)
BAD: tuple[tuple[Kind, dict[str, Any], str], ...] = (
    ("status", {"status": 429}, "unreachable"),
    ("status", {"status": 503}, "unreachable"),
    ("reset", {}, "unreachable"),
    ("broken-json", {}, "unreachable"),
    ("html", {}, "unreachable"),
    ("wrong-schema", {}, "invalid"),
    ("refusal", {}, "refusal"),
    ("wrong-schema", {"times": 1}, "repaired"),
)
"""What happens to the first cases of `direct`, one each, and how the case ends."""


def cases_of() -> list[Case]:
    cases = list(islice(plan(Library(), DEPARTMENTS, EACH, seed=3), PLANNED))
    assert len({about(case) for case in cases}) == PLANNED, "cases that read alike"
    return cases


def about(case: Case) -> str:
    return f"Disease: {case.disease} (give it exactly so)\nGender: {case.gender}\nAge: {case.age}\n"


def asks(case: Case, of: str) -> Callable[[Seen], bool]:
    return lambda seen: about(case) in seen.words + "\n" and of in seen.words


DIRECT = "Write the complete record"
LAST_STEP = "Now write the examination results of this patient"
JUDGE = "checks medical records"


def stage_of(seen: Seen) -> str:
    if JUDGE in seen.words:
        return "judge"
    return "direct" if DIRECT in seen.words else "multi-step"


def counted(server: OpenAIServer, cases: list[Case]) -> Counter[str]:
    """Requests for each case of `direct`, those of multi-step, and the judge's."""
    found: Counter[str] = Counter()
    for seen in server.seen:
        stage = stage_of(seen)
        if stage == "direct":
            (stage,) = (case.id for case in cases if asks(case, DIRECT)(seen))
        found[stage] += 1
    server.seen.clear()
    return found


def failures_of(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (run / "failures.jsonl").read_text().splitlines()]


def lost_to(one: dict[str, Any]) -> str:
    """The metric that a failure is of, or the method."""
    return str(one.get("metric") or one["cell"]["method"])


def items_of(run: Path, method: str) -> Path:
    (path,) = (run / "items" / "generate").glob(f"*/{method}.jsonl")
    return path


def records_of(run: Path, method: str) -> list[str]:
    return [json.loads(line)["id"] for line in items_of(run, method).read_text().splitlines()]


def disturbed(server: OpenAIServer, folder: Path, *more: str) -> Ended:
    """An experiment whose server does what `BAD` says."""
    model = {"name": MODEL, "max_retries": 0, "timeout": 60.0}
    file = experiment(
        folder / "faults.yaml",
        departments=list(DEPARTMENTS),
        cases_per_department=EACH,
        roles={"generator": model, "judge": model},
    )
    return inside(
        *("run", file, "--out", folder / "run", *more),
        OPENAI_BASE_URL=server.url,
        OPENAI_API_KEY=KEY,
    )


def test_every_fault_is_a_record_or_a_counted_failure_until_asked_again(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    cases, run = cases_of(), tmp_path / "run"
    for case, (kind, detail, _) in zip(cases, BAD, strict=False):
        openai_server.fail(kind, when=asks(case, DIRECT), **detail)
    openai_server.fail("refusal", when=lambda seen: LAST_STEP in seen.words, times=1)
    openai_server.fail("refusal", when=lambda seen: stage_of(seen) == "judge", times=1)
    expected = {case.id: how for case, (_, _, how) in zip(cases, BAD, strict=False)}
    first = disturbed(openai_server, tmp_path)
    assert first.code == 3, first
    before, was = counted(openai_server, cases), tables(run)
    tries = {"invalid": 3, "repaired": 2}
    assert {case.id: before[case.id] for case in cases} == {
        case.id: tries.get(expected.get(case.id, ""), 1) for case in cases
    }
    check_what_failed(run, cases, expected)
    for told in (f"{len(failures_of(run))} items failed", "1 invalid, 3 refusal, 5 unreachable"):
        assert told in first.out + first.err
    assert f"{PLANNED} cases for each method" in first.out

    # The faults stand: only transport failures are asked again, and the table stays.
    assert disturbed(openai_server, tmp_path).code == 3
    unreachable = {item: 1 for item, how in expected.items() if how == "unreachable"}
    assert counted(openai_server, cases) == unreachable
    assert tables(run) == was

    # The server is well again: refusals and invalid answers stand all the same.
    openai_server.faults.clear()
    assert disturbed(openai_server, tmp_path).code == 3
    assert counted(openai_server, cases) == unreachable | {"judge": len(unreachable)}
    left = Counter(one["outcome"] for one in failures_of(run))
    assert left == {"refusal": 3, "invalid": 1}

    # Until they are to be asked again.
    assert disturbed(openai_server, tmp_path, "--retry-failed").code == 0
    asked = counted(openai_server, cases)
    anew = {item: 1 for item, how in expected.items() if how in ("refusal", "invalid")}
    assert {name: count for name, count in asked.items() if name in expected} == anew
    assert asked["judge"] == len(anew) + 1 + 1  # their verdicts, multi-step's, the one refused
    assert failures_of(run) == []
    for result in scores_of(run).values():
        assert (result.score.n, result.score.n_missing) == (PLANNED, 0)


def check_what_failed(run: Path, cases: list[Case], expected: dict[str, str]) -> None:
    """Each case is a record or a failure, its exchanges are kept, and the scores count both."""
    failures = failures_of(run)
    ended = {one["item"]: one["outcome"] for one in failures if lost_to(one) == "direct"}
    assert ended == {item: how for item, how in expected.items() if how != "repaired"}
    written = {method: records_of(run, method) for method in ("direct", "multi-step")}
    for method, kept in written.items():
        lost = [one["item"] for one in failures if lost_to(one) == method]
        assert sorted(lost + kept) == sorted(case.id for case in cases)
        assert [case.id for case in cases if case.id in kept] == kept
    assert len(written["multi-step"]) == PLANNED - 1
    assert [one["outcome"] for one in failures if lost_to(one) == "accuracy"] == ["refusal"]

    # Keys: what was stored can be looked up, what never came has none.
    wanted = {"unreachable": 0, "invalid": 3, "refusal": 1}
    with closing(open_rows(run / "journal.sqlite")) as rows:
        for one in failures:
            # The second of two steps is told with the first, which went well.
            keys = one.get("keys", [])
            before = lost_to(one) == "multi-step" and len(keys) > wanted[one["outcome"]]
            assert len(keys) == wanted[one["outcome"]] + before, one
            assert all(rows.get(bytes.fromhex(key)) is not None for key in keys)

    for (method, metric), result in scores_of(run).items():
        assert result.score.n + result.score.n_missing == PLANNED
        if metric != "accuracy":
            assert result.score.n == len(written[method])
    judged = sum(scores_of(run)[method, "accuracy"].score.n for method in written)
    assert judged == sum(map(len, written.values())) - 1


HALF = "\ud83d"
"""Half an emoji, which models do send when the other half is cut off."""


@pytest.mark.parametrize("escaped", [True, False])
def test_half_a_character_costs_nothing_but_itself(
    openai_server: OpenAIServer, tmp_path: Path, escaped: bool
) -> None:
    case = cases_of()[1]
    sections = {
        "basic_information": {"name": f"A {HALF} B", "gender": case.gender, "age": case.age},
        "epidemiology": {
            part: ["none"]
            for part in ("medical_history", "lifestyle", "vaccination_history", "family_history")
        },
        "disease_information": {"disease": case.disease, "symptoms": ["pain"]},
        "examination_results": [],
    }
    answer = json.dumps(sections, ensure_ascii=escaped)
    openai_server.hook = lambda seen: answer if asks(case, DIRECT)(seen) else None
    roles = {"generator": MODEL, "judge": "rules"}
    file = experiment(
        tmp_path / "x.yaml",
        departments=list(DEPARTMENTS),
        methods=["direct"],
        metrics=["bleu"],
        roles=roles,
    )
    for _ in range(2):  # the second time from the journal
        ended = inside("run", file, "--out", tmp_path / "run", OPENAI_BASE_URL=openai_server.url)
        assert ended.code == 0, ended
        assert len(records_of(tmp_path / "run", "direct")) == 4
    path = items_of(tmp_path / "run", "direct")
    names = [json.loads(line)["basic_information"]["name"] for line in path.open(encoding="utf-8")]
    assert names[1] == "A ? B"
    assert openai_server.stats()["total"] == 4
