"""The stage `exam`: who practises on whom, resumed, extended and refused."""

import json
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Any

import pytest
from counting import asked, files
from exam_run import (
    ACCURACY,
    ALL,
    EACH,
    FILES,
    MODEL,
    QUESTIONS,
    SETTINGS,
    WORDED,
    answers,
    few,
    figure,
    practised,
    records,
    rows,
    sat,
)
from openai_server import OpenAIServer
from patients import patient
from rules_run import LIBRARY, results_of

from bench.api.context import Context
from bench.api.generator import GeneratorCard
from bench.core.errors import UserError
from bench.core.registry import GENERATORS
from bench.journal.journal import Journal
from bench.knowledge.cases import Case
from bench.medqa.sources import SAMPLE_FILE, load_questions
from bench.records.formats import Text
from bench.records.record import PatientRecord
from bench.report.results import Results
from bench.runs.folder import RunFolder
from bench.students.contamination import Suspect
from bench.students.training import PracticeStep


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Results]:
    folder = tmp_path_factory.mktemp("examining") / "run"
    return folder, sat(folder)


@pytest.fixture
def model(openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> OpenAIServer:
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.url)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    return openai_server


def test_every_student_answers_every_question(run: tuple[Path, Results]) -> None:
    found = answers(run[0])
    assert set(found) == {
        "rules/zero-shot/0",
        "rules/direct/1",
        "rules/direct/2",
        "rules/patient-zero/1",
        "rules/patient-zero/2",
    }
    # Departments in the paper's order, questions in that of their file.
    for several in found.values():
        assert [one.id for one in several] == [one.id for one in ALL]
        assert [one.department for one in several] == ["Urology"] * EACH + ["Orthopedics"] * EACH
    assert {one.retrieved for one in found["rules/zero-shot/0"]} == {()}
    assert any(one.retrieved for one in found["rules/patient-zero/2"])
    for name, several in found.items():
        numbers = {
            int(shown.split()[1].split(".")[0]) for one in several for shown in one.retrieved
        }
        assert max(numbers, default=0) <= int(name.rpartition("/")[2])
    gold = {one.id: one.answer_idx for one in ALL}
    for one in (one for several in found.values() for one in several):
        assert (one.outcome == "right") == (one.letter == gold[one.id])


def test_methods_train_on_the_same_first_patients_of_each_department(
    run: tuple[Path, Results],
) -> None:
    folder, _ = run
    for method in ("direct", "patient-zero"):
        own = records(folder, method)
        # The paper's order of departments, not the plan's.
        first = [own[3].id, own[4].id, own[0].id, own[1].id]
        assert practised(folder, method) == first
        assert [own[0].department, own[3].department] == ["Orthopedics", "Urology"]
    assert not (folder / "details/exam/rules/zero-shot").exists()


def test_scores_are_exact_and_differences_paired(run: tuple[Path, Results]) -> None:
    folder, results = run
    found = answers(folder)
    for method, patients in (("zero-shot", 0), ("direct", 1), ("direct", 2), ("patient-zero", 2)):
        several = found[f"rules/{method}/{patients}"]
        right = [one.outcome == "right" for one in several]
        score = figure(results, method, patients).score
        assert (score.value, score.n) == (sum(right) / 8, 8)
        assert score.interval is not None
        assert score.interval.method == "wilson"
        assert score.stand_in
        path = folder / f"evaluations/{ACCURACY}/rules/{method}/{patients}.jsonl"
        evaluations = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        assert [one["item"] for one in evaluations] == [one.id for one in several]
        assert [one["keys"] for one in evaluations] == [list(one.keys) for one in several]
        for place, name in enumerate(QUESTIONS):
            (part,) = results.select(
                ACCURACY, by="department", group=name, method=method, patients=str(patients)
            )
            assert part.score.value == sum(right[EACH * place : EACH * place + EACH]) / EACH


def test_students_at_the_end_are_compared_the_untrained_first(run: tuple[Path, Results]) -> None:
    folder, results = run
    found = answers(folder)
    couples = []
    for result in results.select(ACCURACY, differences=True):
        assert result.minus is not None
        first, second = ((cell["method"], cell["patients"]) for cell in (result.cell, result.minus))
        couples.append((first, second))
        pairs = [
            (one.outcome == "right", other.outcome == "right")
            for one, other in zip(
                found[f"rules/{'/'.join(first)}"],
                found[f"rules/{'/'.join(second)}"],
                strict=True,
            )
        ]
        only = (pairs.count((True, False)), pairs.count((False, True)))
        assert result.score.discordant == only
        assert result.score.value == pytest.approx((only[0] - only[1]) / 8)
        assert (result.score.n, result.score.p_value is not None) == (8, True)
    assert couples == [
        (("direct", "2"), ("zero-shot", "0")),
        (("patient-zero", "2"), ("zero-shot", "0")),
        (("patient-zero", "2"), ("direct", "2")),
    ]


def test_every_answer_is_in_the_journal(run: tuple[Path, Results]) -> None:
    folder, _ = run
    journal = Journal.open(folder / "journal.sqlite")
    keys = [key for several in answers(folder).values() for one in several for key in one.keys]
    assert len(keys) == 5 * 8
    assert all(journal.get(key) is not None for key in keys)


def test_the_manifest_tells_what_was_trained(run: tuple[Path, Results]) -> None:
    folder, results = run
    told = results.manifest["stages"]["exam"]
    assert told["patients"] == {"Urology": 2, "Orthopedics": 2}
    assert told["set"]["questions"] == {"Urology": EACH, "Orthopedics": EACH}
    assert not told["set"]["audited"]
    for method in ("direct", "patient-zero"):
        steps = rows(folder / f"details/exam/rules/{method}/steps.jsonl", PracticeStep)
        counts = told["training"][f"rules {method}"]
        assert counts["factors"] == {"backbone": "rules", "method": method}
        assert (counts["patients"], counts["practice questions"]) == (4, len(steps))
        assert counts["right"] == sum(step.outcome == "right" for step in steps)
        assert counts["rules kept"] == sum(step.rule == "kept" for step in steps)
    signature = figure(results, "direct", 2).score.signature
    for pin in (f"set:{told['set']['digest'][:12]}", "cases:2", "k:3+4", "words:600", "student:"):
        assert pin in signature
    assert "cases:0" in figure(results, "zero-shot", 0).score.signature


def test_a_run_again_asks_nothing_and_gives_the_same_bytes(run: tuple[Path, Results]) -> None:
    folder, _ = run
    before = files(folder, *FILES)
    assert asked(sat(folder)).total() == 0
    assert files(folder, *FILES) == before


def test_questions_may_lie_elsewhere_but_not_be_others(
    run: tuple[Path, Results], tmp_path: Path
) -> None:
    folder, before = run
    moved = tmp_path / "moved.jsonl"
    moved.write_bytes(Path(few(tmp_path)).read_bytes())
    results = sat(folder, exam={"questions": str(moved)})
    assert asked(results).total() == 0
    assert results.manifest["experiment"] == before.manifest["experiment"]
    lines = moved.read_text("utf-8").splitlines(keepends=True)
    moved.write_text("".join(lines[1:]), "utf-8")
    with pytest.raises(UserError, match=r"exam\.digest is"):
        sat(folder, exam={"questions": str(moved)})
    sat(folder)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"exam": {"cases": 3}}, "exam.cases is 2 there and 3 now"),
        ({"exam": {"k_cases": 1}}, "exam.k_cases is 3 there and 1 now"),
        ({"exam": {"k_rules": 1}}, "exam.k_rules"),
        ({"exam": {"budget": 10}}, "exam.budget"),
        ({"exam": {"guard": False}}, "exam.guard is True there and False now"),
        ({"exam": {"curve": []}}, "exam.curve"),
        ({"exam": {"include_borderline": True}}, "exam.include_borderline"),
        (
            {"roles": {"generator": "rules", "student": {"name": "rules", "as": "other"}}},
            "roles.student is absent there and rules",
        ),
        ({"exam": {"questions": "sample"}}, "exam.digest"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_changed_setting_is_refused(
    run: tuple[Path, Results], changed: dict[str, Any], named: str
) -> None:
    with pytest.raises(UserError, match=named):
        sat(run[0], **changed)


def test_an_exam_cannot_be_taken_away_but_can_be_added(tmp_path: Path) -> None:
    one: dict[str, Any] = {"methods": ["direct"], "departments": ["Urology"], "metrics": []}
    folder = tmp_path / "run"
    results_of(folder, **{**SETTINGS, **one})
    results = sat(folder, **one, exam={"curve": []})
    assert set(answers(folder)) == {"rules/zero-shot/0", "rules/direct/2"}
    assert asked(results)["generator"] == 0
    with pytest.raises(UserError, match="exam is there there and absent now"):
        results_of(folder, **{**SETTINGS, **one})


def test_a_curve_and_methods_extend_an_exam(model: OpenAIServer, tmp_path: Path) -> None:
    one = {**WORDED, "departments": ["Urology"]}
    folder = tmp_path / "run"
    sat(folder, **one, exam={"cases": 3, "curve": []})
    before = files(folder, "items/exam/**/*", "details/exam/**/steps.jsonl")
    more = {**one, "methods": ["direct", "patient-zero"]}
    results = sat(folder, **more, exam={"cases": 3, "curve": [1, 2]})
    after = files(folder, "items/exam/**/*", "details/exam/**/steps.jsonl")
    assert before.items() <= after.items()
    assert results.values("patients") == ["0", "1", "2", "3"]


@pytest.mark.parametrize(
    ("exam", "named"),
    [
        ({"curve": [1, 1]}, "twice"),
        ({"curve": [3]}, "more than the 2 patients"),
        ({"cases": 0}, "greater than 0"),
        ({"case": 3}, "did you mean 'cases'"),
        ({"questions": "nowhere.jsonl"}, "no file or folder"),
        ({"digest": "0" * 64}, r"not the set that exam\.digest names"),
    ],
)
def test_what_cannot_be_held_is_refused_before_anything_is_asked(
    tmp_path: Path, exam: dict[str, Any], named: str
) -> None:
    with pytest.raises(UserError, match=named):
        sat(tmp_path / "run", exam=exam)
    assert not (tmp_path / "run/items").exists()


def test_departments_without_questions_are_refused_before_anything_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "one.jsonl"
    path.write_text(SAMPLE_FILE.read_text("utf-8").splitlines()[0], "utf-8")
    known = load_questions("sample").questions[0].department
    other = next(name for name in LIBRARY.departments if name not in (known, "Urology"))
    with pytest.raises(UserError, match="has no questions of"):
        sat(tmp_path / "run", departments=[other], exam={"questions": str(path)})
    assert not (tmp_path / "run/items").exists()


def test_fewer_patients_than_asked_for_are_all_practised_on(
    model: OpenAIServer, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    results = sat(folder, **WORDED, exam={"cases": 10, "curve": [1, 5]})
    assert len(practised(folder, "direct")) == 6
    assert results.manifest["stages"]["exam"]["patients"] == {"Urology": 3, "Orthopedics": 3}
    # No student came to five patients: that point is not there, and nothing is missing of it.
    assert results.values("patients", results.select(ACCURACY)) == ["0", "1", "5", "10"]
    whole, never = figure(results, "direct", 10).score, figure(results, "direct", 5).score
    assert (whole.n, whole.n_missing) == (8, 0)
    assert (never.value, never.n, never.n_missing) == (None, 0, 0)
    assert "cases:3|" in whole.signature


def test_all_methods_practise_on_as_many_patients_as_the_one_with_the_fewest(
    model: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Brief:
        """A generator of its own patients: one of each department."""

        card = GeneratorCard(name="brief", summary="", needs=(), paired=False)

        async def generate(
            self, cases: Iterable[Case], context: Context
        ) -> AsyncIterator[PatientRecord]:
            departments: set[str] = set()
            for case in cases:
                if case.department not in departments:
                    departments.add(case.department)
                    yield patient(f"own {case.id}", case.department, "a cough", case.disease)

    load = GENERATORS.load
    monkeypatch.setattr(GENERATORS, "load", lambda name: Brief if name == "brief" else load(name))
    folder = tmp_path / "run"
    results = sat(folder, **{**WORDED, "methods": ["direct", "brief"]}, exam={"curve": []})
    assert results.manifest["stages"]["exam"]["patients"] == {"Urology": 1, "Orthopedics": 1}
    own = records(folder, "direct")
    assert practised(folder, "direct") == [own[3].id, own[0].id]


def test_several_students_are_a_factor(model: OpenAIServer, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    students = [{"name": MODEL, "as": "one"}, {"name": MODEL, "as": "other"}]
    results = sat(folder, methods=["direct"], roles={"generator": "rules", "student": students})
    assert set(answers(folder)) == {
        f"rules/{cell}/{student}"
        for cell in ("zero-shot/0", "direct/1", "direct/2")
        for student in ("one", "other")
    }
    told = {role["label"]: role["asked"] for role in results.manifest["roles"]}
    assert told["other"] > 0
    compared = [
        (result.cell["student"], result.cell["method"], result.minus["student"])
        for result in results.select(ACCURACY, differences=True)
        if result.minus is not None
    ]
    assert compared == [("one", "direct", "one"), ("other", "direct", "other")]
    trained = results.manifest["stages"]["exam"]["training"]
    assert {told["factors"]["student"] for told in trained.values()} == {"one", "other"}


@pytest.mark.parametrize("guard", [True, False])
def test_a_record_that_is_a_question_is_left_out_for_all_methods(
    run: tuple[Path, Results], tmp_path: Path, guard: bool
) -> None:
    own = records(run[0], "direct")
    copied, *others = [record for record in own if record.department == "Urology"]
    options = {"A": "one", "B": "two"}
    told = {"question": Text().render(copied, identity=False), "options": options}
    path = tmp_path / "copied.jsonl"
    path.write_text(json.dumps({**told, "answer_idx": "A", "department": "Urology"}), "utf-8")
    folder = tmp_path / "run"
    exam = {"questions": str(path), "curve": [], "guard": guard}
    results = sat(folder, departments=["Urology"], exam=exam)
    for method in ("direct", "patient-zero"):
        kept = others if guard else [copied, others[0]]
        assert practised(folder, method) == [one.id for one in kept]
    (suspect,) = rows(folder / "details/exam/rules/direct/suspects.jsonl", Suspect)
    assert suspect.record == copied.id
    details = results.manifest["stages"]["exam"]
    assert details["settings"]["guard"] is guard
    assert details["training"]["rules direct"]["records near a test question"] == 1


def test_a_guard_that_leaves_nobody_costs_the_department_alone(
    run: tuple[Path, Results], tmp_path: Path
) -> None:
    lines = Path(few(tmp_path)).read_text("utf-8")
    for record in (one for one in records(run[0], "direct") if one.department == "Urology"):
        told = {"question": Text().render(record, identity=False), "options": ALL[0].options}
        lines += json.dumps({**told, "answer_idx": "A", "department": "Urology"}) + "\n"
    path = tmp_path / "copied.jsonl"
    path.write_text(lines, "utf-8")
    folder = tmp_path / "run"
    results = sat(folder, methods=["direct"], exam={"questions": str(path)})
    (failure,) = RunFolder(folder).failures()[:1]
    assert (failure.item, failure.stage, failure.cell["method"]) == ("Urology", "exam", "direct")
    assert "all 3 records are nearly test questions" in failure.reason
    assert figure(results, "direct", 2).score.n == EACH
    (part,) = results.select(
        ACCURACY, by="department", group="Orthopedics", method="direct", patients="2"
    )
    assert part.score.n == EACH
