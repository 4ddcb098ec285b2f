"""What is said of an exam's questions before its figures are trusted."""

import json
from pathlib import Path
from typing import Any

import pytest
from invented import original

from bench.core.errors import UserError
from bench.medqa.labels import DEPARTMENTS
from bench.medqa.shapes import question_id
from bench.stages.exam.questions import read_test
from bench.stages.exam.settings import ExamSettings

EYE = {**original(5), "department": "Ophthalmology"}


def written(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    return written(tmp_path / "x.jsonl", [original(0), original(1), EYE])


def test_the_manifest_says_which_source_gave_the_departments(questions: Path, tmp_path: Path):
    label = {"id": question_id(original(0)["question"]), "department": "Urology"}
    labels = written(tmp_path / "labels.jsonl", [label])
    found = read_test(ExamSettings(questions=str(questions), labels=labels), DEPARTMENTS)
    assert found.described["questions"] == {"Urology": 1, "Ophthalmology": 1}
    assert list(found.described["departments by"].items()) == [
        ("audited list", 0),
        ("labels", 1),
        ("own field", 1),
        ("without", 1),
    ]
    notes = "; ".join(found.notes)
    assert "1 of 3 questions have no department and are left out" in notes
    assert "1 questions have their department by the labels file" in notes
    assert not found.described["audited"]


def test_questions_that_nobody_dealt_are_refused_with_what_to_do(tmp_path: Path):
    path = written(tmp_path / "x.jsonl", [original(0), {**original(1), "department": "Gnomes"}])
    with pytest.raises(
        UserError, match=r"x.jsonl has no questions of .*: 1 of 2 .* name theirs in"
    ):
        read_test(ExamSettings(questions=str(path)), DEPARTMENTS)


def test_a_digest_pins_the_questions_whatever_departments_are_asked(
    questions: Path, tmp_path: Path
):
    labels = [
        {"id": question_id(original(at)["question"]), "department": "Urology"} for at in (0, 1)
    ]
    own = {"labels": written(tmp_path / "labels.jsonl", labels)}
    whole = read_test(ExamSettings(questions=str(questions), **own), DEPARTMENTS)
    eye = read_test(ExamSettings(questions=str(questions), **own), ("Ophthalmology",))
    assert whole.digest == eye.digest
    assert (len(whole.all), len(eye.all)) == (3, 1)
    changed = {**EYE, "answer_idx": "B", "answer": EYE["options"]["B"]}
    other = written(tmp_path / "y.jsonl", [original(0), original(1), changed])
    pinned = {**own, "digest": whole.digest}
    read_test(ExamSettings(questions=str(questions), **pinned), ("Ophthalmology",))
    with pytest.raises(UserError, match=r"not the set that exam\.digest names"):
        read_test(ExamSettings(questions=str(other), **pinned), DEPARTMENTS)
