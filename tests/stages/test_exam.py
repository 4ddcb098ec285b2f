"""The exam of a run: trained on the same patients, resumed, extended, refused, failed, killed."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands import experiment, inside, started
from openai_server import OpenAIServer, Seen
from rules_run import LIBRARY, run
from serving import kill, serving, stats, until

from bench.core.errors import UserError
from bench.experiments.experiment import Experiment
from bench.journal.journal import Journal
from bench.medqa.sources import SAMPLE_FILE, load_sample
from bench.records.formats import Text
from bench.records.record_files import RecordFile
from bench.report.results import make_tables, read_results
from bench.runs.folder import RunFolder
from bench.students.answer import Answered
from bench.students.contamination import Suspect
from bench.students.training import Step

TABLES = ("table5.csv", "table5.md", "rows.csv")
MODEL = "openai/words"
EACH = 4
QUESTIONS = {
    name: [one for one in load_sample().questions if one.department == name][:EACH]
    for name in ("Urology", "Orthopedics")
}
ALL = [*QUESTIONS["Urology"], *QUESTIONS["Orthopedics"]]
EXAM: dict[str, Any] = {"cases": 2, "curve": [1]}
SETTINGS: dict[str, Any] = {
    "departments": ["Orthopedics", "Urology"],
    "cases_per_department": 3,
    "methods": ["direct", "patient-zero"],
    "roles": {"generator": "rules"},
    "metrics": [],
    "tables": ["table5", "rows"],
}


def few(folder: Path) -> str:
    """A file of the first sample questions of two departments."""
    kept = {one.name for one in ALL}
    lines = SAMPLE_FILE.read_text("utf-8").splitlines(keepends=True)
    path = folder / "few.jsonl"
    path.write_text("".join(line for line in lines if json.loads(line)["id"] in kept), "utf-8")
    return str(path)


def sat(folder: Path, **settings: Any) -> RunFolder:
    """A small run with an exam on the rules; `medqa` changes that of `EXAM`."""
    medqa = {"questions": few(folder.parent), **EXAM, **settings.pop("medqa", {})}
    return run(folder, **{**SETTINGS, "medqa": medqa, **settings})


def rows(path: Path, kind: type[Any]) -> list[Any]:
    return [kind.model_validate_json(line) for line in path.read_text("utf-8").splitlines()]


def answers(folder: RunFolder) -> dict[str, list[Answered]]:
    """The answers of each file, by its name."""
    return {path.stem: rows(path, Answered) for path in folder.path.glob("answers/*/*.jsonl")}


def files(folder: Path, *patterns: str) -> dict[str, bytes]:
    found = (path for pattern in patterns for path in folder.glob(pattern))
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def asked(folder: RunFolder) -> Counter[str]:
    return Counter({role["role"]: role["asked"] for role in folder.manifest()["roles"]})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    made = sat(tmp_path_factory.mktemp("examining") / "run")
    make_tables(made)
    return made


def test_every_student_answers_every_question(folder: RunFolder) -> None:
    found = answers(folder)
    assert set(found) == {"zero-shot", "direct", "direct@1", "patient-zero", "patient-zero@1"}
    # Departments in the paper's order, questions in that of their file.
    for several in found.values():
        assert [one.question for one in several] == [one.id for one in ALL]
    assert {one.retrieved for one in found["zero-shot"]} == {()}
    assert any(one.retrieved for one in found["patient-zero"])
    for name, several in found.items():
        after = 1 if name.endswith("@1") else 2
        numbers = {
            int(shown.split()[1].split(".")[0]) for one in several for shown in one.retrieved
        }
        assert max(numbers, default=0) <= after
    gold = {one.id: one.answer_idx for one in ALL}
    for one in (one for several in found.values() for one in several):
        assert (one.outcome == "right") == (one.letter == gold[one.question])


def test_methods_train_on_the_same_first_patients_of_each_department(folder: RunFolder) -> None:
    trained = {}
    for method in ("direct", "patient-zero"):
        records = list(RecordFile(folder.path / f"records/rules/{method}.jsonl"))
        steps = rows(folder.path / f"training/rules/{method}/steps.jsonl", Step)
        order = list(dict.fromkeys(step.record for step in steps))
        named = {record.id: record.department for record in records}
        assert Counter(named[one] for one in order) == {"Urology": 2, "Orthopedics": 2}
        first = [records[0].id, records[1].id, records[3].id, records[4].id]
        assert set(order) == set(first)
        trained[method] = order
    assert trained["direct"] == trained["patient-zero"]
    assert not (folder.path / "training/rules/zero-shot").exists()


def test_scores_are_exact_and_differences_paired(folder: RunFolder) -> None:
    results, found = read_results(folder), answers(folder)
    for condition in ("zero-shot", "direct", "patient-zero"):
        right = [one.outcome == "right" for one in found[condition]]
        whole = results.find("rules", condition, "medqa-accuracy")
        assert whole is not None
        assert (whole.score.value, whole.score.n) == (sum(right) / 8, 8)
        assert whole.score.interval is not None
        assert whole.score.interval.method == "wilson"
        assert list(whole.score.items.values()) == [float(one) for one in right]
        assert set(whole.score.keys) == {one.id for one in ALL}
        assert whole.stand_in
        for place, name in enumerate(("Urology", "Orthopedics")):
            part = results.find("rules", condition, f"medqa-accuracy/{name}")
            assert part is not None
            assert part.score.value == sum(right[EACH * place : EACH * place + EACH]) / EACH
            assert whole.score.departments[name] == part.score.value
    compared = {(one.first, one.second, one.metric): one for _, one in results.differences}
    couples = {(first, second) for first, second, _ in compared}
    assert couples == {
        ("direct", "zero-shot"),
        ("patient-zero", "zero-shot"),
        ("patient-zero", "direct"),
    }
    assert len(compared) == 3 * 3
    assert all(one.p_value is not None for one in compared.values())
    assert {one.n for one in compared.values()} == {4, 8}


def test_every_answer_is_in_the_journal(folder: RunFolder) -> None:
    journal = Journal.open(folder.path / "journal.sqlite")
    keys = [key for several in answers(folder).values() for one in several for key in one.keys]
    assert len(keys) == 5 * 8
    assert all(journal.get(key) is not None for key in keys)


def test_a_run_again_asks_nothing_and_gives_the_same_bytes(folder: RunFolder) -> None:
    patterns = ("answers/*/*", "training/*/*/*", "scores/**/*.json", "table5.*", "rows.csv")
    before = files(folder.path, *patterns)
    again = sat(folder.path)
    make_tables(again)
    assert files(folder.path, *patterns) == before
    assert asked(again).total() == 0


def test_questions_may_lie_elsewhere_but_not_be_others(folder: RunFolder, tmp_path: Path) -> None:
    moved = tmp_path / "moved.jsonl"
    moved.write_bytes(Path(few(tmp_path)).read_bytes())
    assert asked(sat(folder.path, medqa={"questions": str(moved)})).total() == 0
    lines = moved.read_text("utf-8").splitlines(keepends=True)
    moved.write_text("".join(lines[1:]), "utf-8")
    with pytest.raises(UserError, match=r"medqa\.questions is a set"):
        sat(folder.path, medqa={"questions": str(moved)})
    sat(folder.path)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"medqa": {"cases": 3}}, "medqa.cases is 2 there and 3 now"),
        ({"medqa": {"k_cases": 1}}, "medqa.k_cases is 3 there and 1 now"),
        ({"medqa": {"k_rules": 1}}, "medqa.k_rules"),
        ({"medqa": {"budget": 10}}, "medqa.budget"),
        ({"medqa": {"guard": False}}, "medqa.guard is True there and False now"),
        ({"medqa": {"curve": []}}, "medqa.curve"),
        ({"medqa": {"include_borderline": True}}, "medqa.include_borderline"),
        (
            {"roles": {"generator": "rules", "student": {"name": "rules", "as": "other"}}},
            "roles.student is absent there and rules now",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_changed_setting_is_refused(folder: RunFolder, changed: Any, named: str) -> None:
    with pytest.raises(UserError, match=named):
        sat(folder.path, **changed)


def test_an_exam_cannot_be_taken_away_but_can_be_added(folder: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="medqa is there there and absent now"):
        run(folder.path, **SETTINGS)
    one = {**SETTINGS, "methods": ["direct"], "departments": ["Urology"]}
    run(tmp_path / "run", **one)
    added = run(tmp_path / "run", **one, medqa={**EXAM, "questions": few(tmp_path), "curve": []})
    assert set(answers(added)) == {"zero-shot", "direct"}
    assert asked(added)["generator"] == 0


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"medqa": {"cases": 4}}, "there are only 3 cases"),
        ({"medqa": {"curve": [1, 1]}}, "twice"),
        ({"methods": [{"name": "direct", "as": "zero-shot"}]}, "which the exam has"),
    ],
)
def test_what_cannot_be_held_is_refused_at_once(settings: Any, named: str) -> None:
    medqa = {"questions": "sample", **EXAM, **settings.get("medqa", {})}
    with pytest.raises(ValueError, match=named):
        Experiment.model_validate({"name": "x", **SETTINGS, **settings, "medqa": medqa})


def test_what_stops_an_exam_is_said_before_anything_is_asked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no file or folder"):
        sat(tmp_path / "a", medqa={"questions": str(tmp_path / "none.jsonl")})
    with pytest.raises(UserError, match=r"not the set that medqa\.digest names"):
        sat(tmp_path / "b", medqa={"digest": "0" * 64})
    one = tmp_path / "one.jsonl"
    one.write_text(SAMPLE_FILE.read_text("utf-8").splitlines()[0], "utf-8")
    known = load_sample().questions[0].department
    (other,) = [name for name in LIBRARY.departments if name not in (known, "Urology")][:1]
    with pytest.raises(UserError, match="has no questions of"):
        sat(tmp_path / "c", departments=[other], medqa={"questions": str(one)})
    assert not list(tmp_path.glob("*/records"))


@pytest.mark.parametrize("guard", [True, False])
def test_a_record_that_is_a_question_is_left_out_for_all_methods(
    folder: RunFolder, tmp_path: Path, guard: bool
) -> None:
    records = list(RecordFile(folder.path / "records/rules/direct.jsonl"))
    copied, *others = [record for record in records if record.department == "Urology"]
    options = {"A": "one", "B": "two"}
    told = {"question": Text().render(copied, identity=False), "options": options}
    path = tmp_path / "copied.jsonl"
    path.write_text(json.dumps({**told, "answer_idx": "A", "department": "Urology"}), "utf-8")
    made = sat(
        tmp_path / "run",
        departments=["Urology"],
        medqa={"questions": str(path), "curve": [], "guard": guard},
    )
    for method in ("direct", "patient-zero"):
        kept = made.path / f"training/rules/{method}"
        steps = rows(kept / "steps.jsonl", Step)
        wanted = others if guard else [copied, others[0]]
        assert list(dict.fromkeys(step.record for step in steps)) == [one.id for one in wanted]
    (suspect,) = rows(made.path / "training/rules/direct/suspects.jsonl", Suspect)
    assert suspect.record == copied.id
    grids, _ = make_tables(made)
    done = "left out for all methods" if guard else "trained on nevertheless"
    assert f"{done}: rules direct 1" in "\n".join(grids[0].notes)


def worded(folder: Path, **settings: Any) -> Path:
    """The experiment file of a run in which a model is the student."""
    plain = {**SETTINGS, "roles": {"generator": "rules", "student": MODEL}}
    plain["medqa"] = {**EXAM, "questions": few(folder)}
    return experiment(folder / "examined.yaml", **{**plain, **settings})


def test_questions_without_answer_are_counted_by_kind_and_not_right(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    refused, garbled = QUESTIONS["Urology"][0], QUESTIONS["Orthopedics"][3]
    openai_server.fail("refusal", when=lambda seen: refused.question in seen.words)
    openai_server.hook = lambda seen: "hm" if garbled.question in seen.words else None
    variables = {"OPENAI_BASE_URL": openai_server.url, "OPENAI_API_KEY": "sk-x"}
    file, folder = worded(tmp_path, methods=["direct"]), RunFolder(tmp_path / "run")
    ended = inside("run", file, "--out", folder.path, **variables)
    assert ended.code == 3, ended
    failures = folder.failures()
    assert Counter(failure.stage for failure in failures) == {
        "exam/zero-shot": 2,
        "exam/direct@1": 2,
        "exam/direct": 2,
    }
    assert {(one.item, one.outcome) for one in failures} == {
        (refused.id, "refusal"),
        (garbled.id, "invalid"),
    }
    found = answers(folder)["direct"]
    assert Counter(one.outcome for one in found)["refused"] == 1
    result = read_results(folder).find("rules", "direct", "medqa-accuracy")
    assert result is not None
    right = sum(one.outcome == "right" for one in found)
    assert (result.score.value, result.score.n, result.score.n_missing) == (right / 8, 8, 2)
    assert result.score.bounds == (right / 8, (right + 2) / 8)
    assert "1 refused, 1 invalid" in "; ".join(result.score.notes)
    answered = read_results(folder).find("rules", "direct", "medqa-accuracy/answered")
    assert answered is not None
    assert (answered.score.value, answered.score.n) == (right / 6, 6)
    openai_server.faults.clear()
    openai_server.hook = None
    assert inside("run", file, "--out", folder.path, "--retry-failed", **variables).code == 0
    assert {one.outcome for one in answers(folder)["direct"]} <= {"right", "wrong"}


def test_a_student_whose_training_breaks_off_is_not_asked(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    variables = {"OPENAI_BASE_URL": openai_server.url, "OPENAI_API_KEY": "sk-x"}
    file, folder = worded(tmp_path, methods=["direct"]), RunFolder(tmp_path / "run")
    openai_server.fail("no-choices", when=practising("Urology"))
    ended = inside("run", file, "--out", folder.path, **variables)
    assert ended.code == 3, ended
    (failure,) = folder.failures()
    assert (failure.item, failure.stage) == ("Urology", "training on direct")
    assert failure.outcome == "unreachable"
    found = answers(folder)
    assert {one.outcome for one in found["direct"][:EACH]} == {"unreachable"}
    assert {one.outcome for one in found["direct"][EACH:]} <= {"right", "wrong"}
    assert not {one.outcome for one in found["zero-shot"]} & {"unreachable"}
    # What was never asked counts as nothing: not in the share, not in the test, not in the curve.
    results = read_results(folder)
    whole = results.find("rules", "direct", "medqa-accuracy")
    part = results.find("rules", "direct", "medqa-accuracy/Urology")
    assert whole is not None
    assert part is not None
    right = sum(one.outcome == "right" for one in found["direct"])
    assert (whole.score.value, whole.score.n, whole.score.n_missing) == (right / 4, 4, 4)
    assert whole.score.bounds == (right / 8, (right + 4) / 8)
    assert (part.score.value, part.score.n, part.score.bounds) == (None, 0, (0.0, 1.0))
    assert "4 unreachable" in "; ".join(whole.score.notes)
    compared = {one.metric: one.n for _, one in results.differences}
    assert compared == {"medqa-accuracy": 4, "medqa-accuracy/Orthopedics": 4}
    assert set(found) == {"zero-shot", "direct"}
    assert "no student" in "; ".join(whole.score.notes)
    openai_server.faults.clear()
    assert inside("run", file, "--out", folder.path, **variables).code == 0
    assert folder.failures() == []


def practising(department: str) -> Callable[[Seen], bool]:
    """Whether a request is a practice question of a department, by the diseases to choose from."""
    names = [one.name for one in LIBRARY.diseases(department)]
    return lambda seen: (
        "is seen" in seen.words
        and "likely diagnosis?" in seen.words
        and sum(f". {name}" in seen.words for name in names) > 2
    )


def test_a_practice_question_that_is_rejected_costs_itself_alone(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    variables = {"OPENAI_BASE_URL": openai_server.url, "OPENAI_API_KEY": "sk-x"}
    file, folder = worded(tmp_path, methods=["direct"]), RunFolder(tmp_path / "run")
    openai_server.fail("status", status=400, message="too long", when=practising("Urology"))
    ended = inside("run", file, "--out", folder.path, **variables)
    assert ended.code == 3, ended
    steps = rows(folder.path / "training/rules/direct/steps.jsonl", Step)
    lost = [step for step in steps if step.outcome == "error"]
    assert {step.kind for step in lost} == {"diagnosis"}
    assert len(lost) == 2
    assert {(one.stage, one.outcome) for one in folder.failures()} == {
        ("training on direct", "error")
    }
    assert [one.item for one in folder.failures()] == [step.record for step in lost]
    assert all("too long" in one.reason for one in folder.failures())
    for several in answers(folder).values():
        assert {one.outcome for one in several} <= {"right", "wrong"}


def test_a_backbone_without_records_costs_itself_alone(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    variables = {"OPENAI_BASE_URL": openai_server.url, "OPENAI_API_KEY": "sk-x"}
    roles = {"generator": ["rules", MODEL], "student": "rules"}
    file = worded(tmp_path, methods=["direct"], roles=roles)
    folder = RunFolder(tmp_path / "run")
    openai_server.fail("refusal")
    ended = inside("run", file, "--out", folder.path, **variables)
    assert ended.code == 3, ended
    results = read_results(folder)
    good = results.find("rules", "direct", "medqa-accuracy")
    none = results.find(MODEL, "direct", "medqa-accuracy")
    assert good is not None
    assert none is not None
    assert (good.score.n, none.score.n, none.score.value) == (8, 0, None)
    notes = "; ".join(none.score.notes)
    assert "nobody of Urology to practise on: there are no records" in notes
    assert results.find("rules", "direct", "medqa-accuracy/after-1") is not None
    assert {one.item for one in folder.failures() if one.stage == "training on direct"} == {
        "Urology",
        "Orthopedics",
    }


def test_a_guard_that_leaves_nobody_costs_the_department_alone(
    folder: RunFolder, tmp_path: Path
) -> None:
    records = list(RecordFile(folder.path / "records/rules/direct.jsonl"))
    lines = Path(few(tmp_path)).read_text("utf-8")
    for record in (one for one in records if one.department == "Urology"):
        told = {"question": Text().render(record, identity=False), "options": ALL[0].options}
        lines += json.dumps({**told, "answer_idx": "A", "department": "Urology"}) + "\n"
    path = tmp_path / "copied.jsonl"
    path.write_text(lines, "utf-8")
    made = sat(tmp_path / "run", methods=["direct"], medqa={"questions": str(path)})
    (failure,) = made.failures()
    assert (failure.item, failure.stage) == ("Urology", "training on direct")
    assert "all 3 records are nearly test questions" in failure.reason
    assert make_tables(made)
    result = read_results(made).find("rules", "direct", "medqa-accuracy/Orthopedics")
    assert result is not None
    assert result.score.n == EACH


def test_a_plan_counts_what_the_student_is_asked(
    openai_server: OpenAIServer, tmp_path: Path
) -> None:
    file = worded(tmp_path)
    variables = {"OPENAI_BASE_URL": openai_server.url, "OPENAI_API_KEY": "sk-x"}
    ended = inside("run", file, "--plan", **variables)
    assert ended.code == 0, ended
    assert openai_server.stats()["total"] == 0
    (line,) = [line for line in ended.err.splitlines() if line.startswith("plan: student")]
    about, number = line.split(": ")[2].split()[:2]
    assert about == "about"
    planned = int(number.replace(",", ""))
    assert inside("run", file, "--out", tmp_path / "run", **variables).code == 0
    done = openai_server.stats()["total"]
    # Questions to whom memory shows the same are one exchange.
    assert 0.5 * planned <= done <= 1.5 * planned


def test_a_killed_exam_goes_on_and_asks_only_what_was_in_flight(tmp_path: Path) -> None:
    with serving() as server:
        variables = {"OPENAI_BASE_URL": f"{server}/v1", "OPENAI_API_KEY": "sk-x"}
        file, at_once = worded(tmp_path, methods=["direct"]), 2
        arguments = ("run", file, "--at-once", at_once, "--out")
        whole = tmp_path / "whole"
        assert inside(*arguments, whole, **variables).code == 0
        wanted = {name: (whole / name).read_bytes() for name in TABLES}
        once = Counter(stats(server)["bodies"])
    with serving() as server:
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
    assert {name: (folder / name).read_bytes() for name in TABLES} == wanted


def test_reproduce_takes_what_is_asked_of_the_exam(tmp_path: Path) -> None:
    out = ("--out", tmp_path / "run", "--department", "Urology", "--method", "direct")
    ended = inside("reproduce", "table5", "--cases", 1, *out)
    assert ended.code == 0, ended
    assert "Table 5" in ended.out
    assert "not reviewed by a clinician" in " ".join(ended.out.split())
    made = json.loads((tmp_path / "run/experiment.json").read_text())
    assert made["cases_per_department"] == made["medqa"]["cases"] == 1
    # What the preset's curve does not come to is not written down, or the file could not be run.
    assert made["medqa"]["curve"] == []
    again = inside("run", tmp_path / "run/experiment.json", "--out", tmp_path / "run")
    assert again.code == 0, again
    assert "table3 holds no exam" in inside("reproduce", "table3", "--medqa", "sample").error
    assert "--curve is 'x'" in inside("reproduce", "table5", "--curve", "x").error
    nowhere = inside("reproduce", "table5", "--out", tmp_path / "x", PZBENCH_MEDQA="/nowhere")
    assert "/nowhere" in nowhere.error
