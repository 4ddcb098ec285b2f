"""`pzbench medqa`: questions counted by department, and labels made by a model."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from commands import Ended, inside, script
from invented import CURES, original, shuffled
from openai_server import OpenAIServer, Seen

from bench.authoring import question_labels
from bench.authoring.question_labels import agreement
from bench.medqa.audit import audited
from bench.medqa.labels import CHOICES, DEPARTMENTS, Label, read_labels
from bench.medqa.question import Question, QuestionSet
from bench.medqa.shapes import question_id

KEY = "sk-very-secret-0123456789"


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return written(tmp_path / "test.jsonl", [original(at) for at in range(4)])


def asked(seen: Seen) -> tuple[int, list[str]]:
    """Which question a request is about, and the departments in the order given."""
    number = re.search(r"Traveller number (\d)", seen.words)
    assert number is not None
    return int(number[1]), re.findall(r"^- (.+)$", seen.words, re.MULTILINE)


def vote(department: str) -> str:
    return json.dumps({"department": department})


def by_order(seen: Seen) -> str:
    """Question 0: always the same; 1: two of three; 2: three different; 3: always none."""
    number, order = asked(seen)
    if number == 1:
        # The order differs from pass to pass: what stands before what tells them apart.
        early = order.index("Urology") < order.index("Psychiatry")
        return vote("Urology" if early else "Psychiatry")
    return vote({0: "Endocrinology", 2: order[0], 3: "none"}[number])


def classify(server: OpenAIServer, questions: Path, out: Path, *more: object) -> Ended:
    return inside(
        "medqa", "classify", "--medqa", questions, "--backbone", "openai/words", "--out", out,
        *more, OPENAI_BASE_URL=server.url, OPENAI_API_KEY=KEY,
    )  # fmt: skip


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_three_votes_make_a_label(openai_server: OpenAIServer, questions: Path, tmp_path: Path):
    openai_server.hook = by_order
    out = tmp_path / "labels.jsonl"
    done = classify(openai_server, questions, out)
    assert done.code == 0, done
    made = rows(out)
    assert [row["id"] for row in made] == [question_id(original(n)["question"]) for n in range(4)]
    assert made[1]["votes"].count(made[1]["department"]) == 2
    assert len(set(made[2]["votes"])) == 3
    assert [row["label"] for row in made] == ["clear", "borderline", "undecided", "clear"]
    assert [row["department"] for row in made[::2]] == ["Endocrinology", "none"]
    assert {row["model"] for row in made} == {"openai/words"}
    assert all(len(row["keys"]) == 3 for row in made)
    assert "4 questions: 2 clear, 1 borderline, 1 undecided; votes without an answer: 0" in done.out
    assert "kappa with the audited list: n/a, n = 0" in done.out
    shown = inside("medqa", "show", "--medqa", questions, "--labels", out).out
    assert "audited list (0), labels (3), own field (0), without (1)" in shown
    assert re.search(r"Endocrinology +│ 1 +│ 0 +│ 1", shown)


def test_the_list_is_closed_shuffled_and_the_gold_unmarked(
    openai_server: OpenAIServer, questions: Path, tmp_path: Path
):
    openai_server.hook = by_order
    classify(openai_server, questions, tmp_path / "labels.jsonl")
    orders: dict[int, set[tuple[str, ...]]] = {}
    for seen in openai_server.seen:
        number, order = asked(seen)
        assert sorted(order) == sorted(CHOICES)
        orders.setdefault(number, set()).add(tuple(order))
        assert seen.body["temperature"] == 0
        assert all(text in seen.words for text in CURES[:4])
        assert "answer_idx" not in seen.words
    assert all(len(found) == 3 for found in orders.values())
    # Another gold letter changes no word that is asked.
    turned = [{**original(at), "answer_idx": "B", "answer": CURES[1]} for at in range(4)]
    before = openai_server.stats()["total"]
    other = written(tmp_path / "other.jsonl", turned)
    journal = tmp_path / ".labels.jsonl.journal.sqlite"
    done = classify(openai_server, other, tmp_path / "again.jsonl", "--journal", journal)
    assert done.code == 0
    assert openai_server.stats()["total"] == before
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "labels.jsonl").read_bytes()


def test_votes_without_an_answer_are_counted(
    openai_server: OpenAIServer, questions: Path, tmp_path: Path
):
    openai_server.hook = lambda seen: vote("Astrology" if asked(seen)[0] == 1 else "Urology")
    openai_server.fail("refusal", when=lambda seen: asked(seen)[0] == 0)
    openai_server.fail("status", status=400, when=lambda seen: asked(seen)[0] == 2, times=1)
    out = tmp_path / "labels.jsonl"
    done = classify(openai_server, questions, out)
    assert done.code == 3, done
    assert "2 questions have no vote" in done.err
    assert "votes without an answer: 3 refused, 3 invalid, 0 cut off, 1 failed" in done.out
    made = rows(out)
    assert [row["votes"][0] for row in made] == ["refusal", "invalid", "error", "Urology"]
    assert [row["label"] for row in made] == ["undecided", "undecided", "borderline", "clear"]
    assert len(read_labels(out)) == 2, "a refusal is not the label none"


def test_nothing_is_written_until_all_could_be_asked(
    openai_server: OpenAIServer, questions: Path, tmp_path: Path
):
    openai_server.hook = by_order
    openai_server.fail("no-choices", when=lambda seen: asked(seen)[0] == 0)
    out = tmp_path / "labels.jsonl"
    done = classify(openai_server, questions, out)
    assert done.code == 3
    assert "1 items failed (1 classify" in done.err
    assert "labels.jsonl is not written; run the same command again" in done.err
    assert not out.exists()
    openai_server.faults.clear()
    asked_before = openai_server.stats()["total"]
    assert classify(openai_server, questions, out).code == 0
    assert len(rows(out)) == 4
    assert openai_server.stats()["total"] == asked_before + 3


def test_labels_are_written_over_nothing_else(
    openai_server: OpenAIServer, questions: Path, tmp_path: Path
):
    held = questions.read_bytes()
    said = classify(openai_server, questions, questions).error
    assert said.startswith(f"{questions}, line 1: field id: Field required")
    assert questions.read_bytes() == held
    assert "/dev/null of labels" in classify(openai_server, questions, Path("/dev/null")).error
    assert not openai_server.seen


def test_the_rules_tell_no_departments(questions: Path, tmp_path: Path):
    asked = ("medqa", "classify", "--medqa", questions, "--backbone", "rules")
    said = inside(*asked, "--out", tmp_path / "x").error
    assert said == "rules cannot tell departments: name a language model"


LISTED = [row for row in audited().values() if not row.dup_of]
CLEAR = sum(row.label == "clear" for row in LISTED)
ALL = QuestionSet(
    tuple(
        Question(id=one, question="Why?", options={"A": "So", "B": "No"}, answer_idx="A")
        for one in (*(row.id for row in LISTED), "unlisted")
    ),
    "invented",
)


def test_kappa_is_over_the_questions_that_both_know(monkeypatch: pytest.MonkeyPatch):
    labels = [Label(id=row.id, department=row.department) for row in LISTED]
    labels.append(Label(id="unlisted", department="Urology"))
    told = f"1.000, n = {CLEAR} (those on the list only; {CLEAR} agree)"
    assert told in agreement(ALL, labels)
    wrong = [Label(id=row.id, department="Cardiology") for row in LISTED[:40]]
    assert re.search(
        r": 0\.\d{3} \[0\.\d+, 0\.\d+\], n = 252 ", agreement(ALL, wrong + labels[40:])
    )
    undecided = [one.model_copy(update={"label": "undecided"}) for one in labels[:40]]
    agreed = sum(row.label == "clear" for row in LISTED[40:])
    assert f"1.000, n = {agreed} " in agreement(ALL, undecided + labels[40:])
    monkeypatch.setattr(question_labels, "is_audited_split", lambda ids: True)
    assert f"n = {CLEAR + 1} (all questions; {CLEAR} agree)" in agreement(ALL, labels)
    other = [*labels[:-1], Label(id="unlisted", department="Cardiology")]
    assert f"n = {CLEAR + 1} (all questions; {CLEAR + 1} agree)" in agreement(ALL, other)


def test_the_sample_is_shown_as_installed():
    done = script("medqa", "show", "--medqa", "sample")
    assert (done.code, done.err) == (0, "")
    assert "72 questions, 4 options each" in done.out
    assert "audited list (0), labels (0), own field (72), without (0)" in done.out
    assert all(re.search(rf"{name} +│ 12 +│ 0 +│ 12", done.out) for name in DEPARTMENTS)


def test_another_set_is_shown_with_a_warning(questions: Path, tmp_path: Path):
    done = inside("medqa", "show", "--medqa", questions)
    assert done.code == 0
    assert "4 of 4 questions have no department and are left out" in done.out
    assert "not the audited MedQA US test split: 4 questions where the split has 1273" in done.err
    five = written(tmp_path / "five.jsonl", [shuffled(at) for at in range(4)])
    assert "4 questions, 5 options each" in inside("medqa", "show", PZBENCH_MEDQA=str(five)).out


def test_bad_input_is_one_sentence(tmp_path: Path):
    assert "no MedQA questions: name a file" in inside("medqa", "show", PZBENCH_MEDQA="").error
    assert "there is no file or folder" in inside("medqa", "show", "--medqa", "none").error
    missing = inside("medqa", "show", "--medqa", "sample", "--labels", tmp_path / "none").error
    assert missing.startswith(f"there is no file {tmp_path}/none of labels")
    broken = written(tmp_path / "x.jsonl", [original(0), {"question": "Why?"}])
    said = inside("medqa", "show", "--medqa", broken).error
    assert said.startswith(f"{broken}, line 2: field options: ")
