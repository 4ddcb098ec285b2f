"""What is said of an exam's questions before its figures are trusted."""

import json
from pathlib import Path
from typing import Any

import pytest
from invented import original

from bench.core.errors import UserError
from bench.medqa.audit import DEPARTMENTS
from bench.medqa.question import question_id
from bench.stages.exam.questions import read_test
from bench.stages.exam.settings import ExamSettings

EYE = {
    "question": "A woman has sudden severe eye pain and halos. Slit lamp examination shows a "
    "shallow anterior chamber. Tonometry shows raised intraocular pressure. What is it?",
    "options": {"A": "Acute angle closure glaucoma", "B": "Cataract", "C": "Myopia", "D": "Chill"},
    "answer_idx": "A",
}


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def label(question: str) -> dict[str, Any]:
    vote = {"department": "Urology", "confidence": 1, "outcome": "answer"}
    told = {"department": "Urology", "label": "clear", "model": "m", "prompt": "p"}
    return {"id": question_id(question), "votes": [vote] * 3, **told}


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return written(tmp_path / "x.jsonl", [original(0), original(1), EYE])


def test_departments_that_nobody_read_are_noted(questions: Path, tmp_path: Path):
    rows = [label(original(at)["question"]) for at in range(2)]
    labels = written(tmp_path / "labels.jsonl", rows)
    found = read_test(ExamSettings(questions=str(questions), labels=labels), DEPARTMENTS)
    assert {name: len(ones) for name, ones in found.questions.items()} == {
        "Urology": 2,
        "Ophthalmology": 1,
    }
    assert "2 questions have their department by labels of a language model" in found.notes
    assert "1 questions have their department by the rule" in found.notes
    assert not found.audited


def test_labels_of_other_questions_are_noted(questions: Path, tmp_path: Path):
    labels = written(tmp_path / "labels.jsonl", [label("Whose is this?")])
    found = read_test(ExamSettings(questions=str(questions), labels=labels), DEPARTMENTS)
    assert "0 of 3 questions have a label: is this the label file made for them?" in found.notes


def test_departments_of_a_file_that_are_not_used_are_noted(tmp_path: Path):
    odd = {**original(0), "department": "Cardiology"}
    own = {**original(1), "department": "Urology"}
    path = written(tmp_path / "x.jsonl", [odd, own])
    found = read_test(ExamSettings(questions=str(path)), DEPARTMENTS)
    assert [one.id for one in found.all] == [question_id(own["question"])]
    assert any(one.startswith("the department that 1 questions name is not") for one in found.notes)


def test_a_digest_pins_the_questions_whatever_departments_are_asked(
    questions: Path, tmp_path: Path
):
    whole = read_test(ExamSettings(questions=str(questions)), DEPARTMENTS)
    eye = read_test(ExamSettings(questions=str(questions)), ("Ophthalmology",))
    assert whole.digest == eye.digest
    assert len(eye.all) == 1
    pinned = ExamSettings(questions=str(questions), digest=whole.digest)
    assert read_test(pinned, ("Ophthalmology",)).digest == whole.digest
    changed = {**EYE, "answer_idx": "B"}
    other = written(tmp_path / "y.jsonl", [original(0), original(1), changed])
    with pytest.raises(UserError, match=r"not the set that exam\.digest names"):
        read_test(ExamSettings(questions=str(other), digest=whole.digest), DEPARTMENTS)
