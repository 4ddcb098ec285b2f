"""What an exam asks: planned, failed in part, killed and run again."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from commands import inside, started
from counting import asked, files, install_twin
from exam_run import (
    ACCURACY,
    ALL,
    EACH,
    FILES,
    MODEL,
    QUESTIONS,
    WORDED,
    answers,
    figure,
    rows,
    sat,
    settings_of,
)
from openai_server import OpenAIServer, Seen
from rules_run import LIBRARY, small
from serving import kill, serving, stats, until

from bench.experiments.plan import estimate
from bench.records.record import PatientRecord
from bench.records.record_files import ItemFile
from bench.runs.folder import RunFolder
from bench.students.answer import Answered
from bench.students.training import PracticeStep


@pytest.fixture
def model(openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> OpenAIServer:
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    return openai_server


def outcomes(given: Iterable[Answered]) -> set[str]:
    return {one.outcome for one in given}


def test_who_is_asked_untrained_is_asked_once(model: OpenAIServer, tmp_path: Path) -> None:
    roles = {"generator": ["rules", {"name": "rules", "as": "other"}], "student": MODEL}
    folder = tmp_path / "run"
    sat(folder, roles=roles, exam={"curve": []})
    found = answers(folder)
    first, second = (
        [one.keys for one in found[f"{name}/zero-shot/0"]] for name in ("rules", "other")
    )
    assert first == second
    tests = Counter(
        seen.words for seen in model.seen if any(one.question in seen.words for one in ALL)
    )
    assert set(tests.values()) == {1}


def practising(department: str) -> Callable[[Seen], bool]:
    """Whether a request is a practice question of a department, by the diseases to choose from."""
    names = [one.name for one in LIBRARY.diseases(department)]
    return lambda seen: (
        "is seen" in seen.words
        and "likely diagnosis?" in seen.words
        and sum(f". {name}" in seen.words for name in names) > 2
    )


def test_questions_without_answer_are_counted_by_kind_and_not_right(
    model: OpenAIServer, tmp_path: Path
) -> None:
    refused, garbled = QUESTIONS["Urology"][0], QUESTIONS["Orthopedics"][3]
    model.fail("refusal", when=lambda seen: refused.question in seen.words)
    model.hook = lambda seen: "hm" if garbled.question in seen.words else None
    folder = tmp_path / "run"
    results = sat(folder, **WORDED)
    failures = RunFolder(folder).failures()
    assert {(one.stage, one.metric) for one in failures} == {("exam", ACCURACY)}
    assert Counter((one.cell["method"], one.cell["patients"]) for one in failures) == {
        ("zero-shot", "0"): 2,
        ("direct", "1"): 2,
        ("direct", "2"): 2,
    }
    assert {(one.item, one.outcome) for one in failures} == {
        (refused.id, "refusal"),
        (garbled.id, "invalid"),
    }
    found = answers(folder)["rules/direct/2"]
    right = sum(one.outcome == "right" for one in found)
    whole = figure(results, "direct", 2).score
    assert (whole.value, whole.n, whole.n_missing) == (right / 8, 8, 2)
    assert whole.bounds == (right / 8, (right + 2) / 8)
    answered = figure(results, "direct", 2, "answered").score
    assert (answered.value, answered.n, answered.n_missing) == (right / 6, 6, 2)
    for outcome, number in (("refused", 1), ("invalid", 1), ("unreachable", 0), ("right", right)):
        assert figure(results, "direct", 2, outcome).score.value == number / 8
    model.faults.clear()
    model.hook = None
    sat(folder, retry_failed=True, **WORDED)
    assert outcomes(answers(folder)["rules/direct/2"]) <= {"right", "wrong"}
    assert RunFolder(folder).failures() == []


def test_a_student_whose_training_breaks_off_is_not_asked(
    model: OpenAIServer, tmp_path: Path
) -> None:
    model.fail("no-choices", when=practising("Urology"))
    folder = tmp_path / "run"
    results = sat(folder, **WORDED)
    lost = [failure for failure in RunFolder(folder).failures() if not failure.metric]
    assert [(one.item, one.stage, one.outcome) for one in lost] == [
        ("Urology", "exam", "unreachable")
    ]
    assert (lost[0].cell["method"], lost[0].heals) == ("direct", True)
    found = answers(folder)
    assert outcomes(found["rules/direct/2"][:EACH]) == {"unreachable"}
    assert outcomes(found["rules/direct/2"][EACH:]) <= {"right", "wrong"}
    assert outcomes(found["rules/zero-shot/0"]) <= {"right", "wrong"}
    # What was never asked counts as nothing: not in the share, not in the test, not in the curve.
    whole = figure(results, "direct", 2).score
    right = sum(one.outcome == "right" for one in found["rules/direct/2"])
    assert (whole.value, whole.n, whole.n_missing) == (right / 4, 4, 4)
    assert whole.bounds == (right / 8, (right + 4) / 8)
    assert "no student" in "; ".join(whole.notes)
    by_department = {
        one.score.group: one.score
        for group in QUESTIONS
        for one in results.select(
            ACCURACY, by="department", group=group, method="direct", patients="2"
        )
    }
    lacking = by_department["Urology"]
    assert (lacking.value, lacking.n, lacking.bounds) == (None, 0, (0.0, 1.0))
    assert by_department["Orthopedics"].n == EACH
    (compared,) = results.select(ACCURACY, differences=True)
    assert compared.score.n == EACH
    assert found["rules/direct/1"] == []
    assert figure(results, "direct", 1).score.n_missing == 0
    model.faults.clear()
    healed = sat(folder, **WORDED)
    assert RunFolder(folder).failures() == []
    assert figure(healed, "direct", 1).score.n == 8


def test_a_practice_question_that_is_rejected_costs_itself_alone(
    model: OpenAIServer, tmp_path: Path
) -> None:
    model.fail("status", status=400, message="too long", when=practising("Urology"))
    folder = tmp_path / "run"
    sat(folder, **WORDED)
    steps = rows(folder / "details/exam/rules/direct/steps.jsonl", PracticeStep)
    lost = [step for step in steps if step.outcome == "error"]
    assert [step.kind for step in lost] == ["diagnosis"] * 2
    failures = RunFolder(folder).failures()
    assert {(one.stage, one.outcome) for one in failures} == {("exam", "error")}
    assert [one.item for one in failures] == [step.record for step in lost]
    assert all("too long" in one.reason for one in failures)
    for several in answers(folder).values():
        assert outcomes(several) <= {"right", "wrong"}


def test_a_backbone_without_records_costs_itself_alone(model: OpenAIServer, tmp_path: Path) -> None:
    roles = {"generator": ["rules", MODEL], "student": "rules"}
    folder = tmp_path / "run"
    model.fail("refusal")
    results = sat(folder, methods=["direct"], roles=roles)
    good = figure(results, "direct", 2, backbone="rules").score
    none = figure(results, "direct", 2, backbone=MODEL).score
    assert (good.n, none.n, none.value) == (8, 0, None)
    assert "nobody of Urology to practise on: there are no records" in "; ".join(none.notes)
    assert figure(results, "direct", 1, backbone="rules").score.n == 8
    assert figure(results, "zero-shot", 0, backbone=MODEL).score.n == 8
    lost = [one for one in RunFolder(folder).failures() if one.stage == "exam" and not one.metric]
    assert {(one.item, one.cell["backbone"]) for one in lost} == {
        ("Urology", MODEL),
        ("Orthopedics", MODEL),
    }


def test_a_case_that_one_method_lost_is_practised_on_by_none(
    model: OpenAIServer, tmp_path: Path
) -> None:
    roles = {"generator": ["rules", MODEL], "student": MODEL}
    folder = tmp_path / "run"
    sat(folder, methods=["direct"], roles=roles, exam={"curve": []})
    theirs = folder / "items/generate" / MODEL.replace("/", "%2f") / "direct.jsonl"
    known = {record.id for record in ItemFile(theirs, PatientRecord)}
    for name in ("rules", MODEL.replace("/", "%2f")):
        path = folder / f"details/exam/{name}/direct/steps.jsonl"
        assert {step.record for step in rows(path, PracticeStep)} <= known


def test_a_plan_counts_what_the_student_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_twin(monkeypatch)
    wanted: dict[str, Any] = {
        "methods": ["direct"],
        "roles": {"generator": "twin"},
        "exam": {"cases": 3},
    }
    costs = {cost.role: cost for cost in estimate(small(**settings_of(tmp_path, **wanted)))}
    assert set(costs) == {"generator", "student"}
    done = asked(sat(tmp_path / "run", **wanted))
    assert costs["generator"].exchanges == done["generator"]
    planned = costs["student"].exchanges
    assert costs["student"].guessed
    # Questions to whom memory shows the same are one exchange; wrong answers are guessed.
    assert 0.7 * planned <= done["student"] <= 1.3 * planned


LATENCY = 0.02


def written(folder: Path) -> Path:
    """The experiment file of a run in which a model is the student."""
    path = folder / "examined.yaml"
    experiment = small(**settings_of(folder, **WORDED))
    path.write_text(yaml.safe_dump(experiment.as_data()), "utf-8")
    return path


def test_a_killed_exam_goes_on_and_asks_only_what_was_in_flight(tmp_path: Path) -> None:
    file, at_once = written(tmp_path), 2
    arguments = ("run", file, "--at-once", at_once, "--out")
    with serving(LATENCY) as server:
        variables = {"OPENAI_BASE_URL": f"{server}/v1", "OPENAI_API_KEY": "sk-x"}
        whole = tmp_path / "whole"
        assert inside(*arguments, whole, **variables).code == 0
        wanted = files(whole, *FILES)
        once = Counter(stats(server)["bodies"])
    with serving(LATENCY) as server:
        variables = {"OPENAI_BASE_URL": f"{server}/v1", "OPENAI_API_KEY": "sk-x"}
        folder = tmp_path / "run"
        process = started(*arguments, folder, **variables)
        until(lambda: stats(server)["total"] >= 0.6 * once.total(), process)
        kill(process)
        assert not (folder / "manifest.json").exists()
        ended = inside(*arguments, folder, **variables)
        assert ended.code == 0, ended
        again = Counter(stats(server)["bodies"])
    assert not once - again
    assert (again - once).total() <= at_once
    assert files(folder, *FILES) == wanted


def test_reproduce_takes_what_is_asked_of_the_exam(tmp_path: Path) -> None:
    out = ("--out", tmp_path / "run", "--department", "Urology", "--method", "direct")
    ended = inside("reproduce", "table5", "--cases", 1, "--curve", "none", *out)
    assert ended.code == 0, ended
    assert "Table 5" in ended.out
    assert "not reviewed by a clinician" in " ".join(ended.out.split())
    made = RunFolder(tmp_path / "run").experiment()
    assert made is not None
    assert made["generate"]["cases_per_department"] == 1
    again = inside("run", tmp_path / "run/experiment.yaml", "--out", tmp_path / "run")
    assert again.code == 0, again
    strange = inside("reproduce", "table3", "--medqa", "sample")
    assert (strange.code, "--medqa" in strange.err) == (2, True), strange
    nowhere = inside("reproduce", "table5", "--out", tmp_path / "x", PZBENCH_MEDQA="/nowhere")
    assert "/nowhere" in nowhere.error
