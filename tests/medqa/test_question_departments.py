"""Departments of questions: the audited list, the user's labels, the question's own word."""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from bench.core.errors import UserError
from bench.medqa import audit
from bench.medqa.audit import audited, manifest
from bench.medqa.departments import Assigned, Departments, department_of
from bench.medqa.labels import CHOICES, DEPARTMENTS, Label, read_labels
from bench.medqa.question import Question, QuestionSet

LISTED = next(row for row in audited().values() if row.department == "Urology")


def question(identity: str, department: str = "") -> Question:
    options = {"A": "So", "B": "No"}
    return Question(
        id=identity, question="Why?", options=options, answer_idx="A", department=department
    )


def of(*questions: Question) -> QuestionSet:
    return QuestionSet(questions, "invented")


def test_the_list_is_what_its_manifest_says():
    counts: dict[str, Counter[str]] = {name: Counter() for name in DEPARTMENTS}
    for row in audited().values():
        counts[row.department][row.label] += 1
    assert counts == manifest()["counts"]
    assert len(audited()) == 326
    assert manifest()["contains_question_text"] is False
    assert all(len(row.id) == 64 for row in audited().values())
    assert len(CHOICES) == len(set(CHOICES)) == 21 + 11 + 1


def test_all_listed_questions_are_found_but_near_repeats_count_once():
    known = Departments(of(*map(question, audited())))
    labels = Counter((one.department, one.label) for one in known.assigned if one)
    for name, counts in manifest()["counts"].items():
        assert {label: labels[name, label] for label in counts} == counts
    assert {name: len(ones) for name, ones in known.select().items()} == {
        "Psychiatry": 66,
        "Urology": 28,
        "Orthopedics": 40,
        "Ophthalmology": 9,
        "Endocrinology": 73,
        "General Surgery": 36,
    }
    both = known.select(include_borderline=True)
    assert sum(map(len, both.values())) == 326 - 2
    assert list(known.notes()) == []


def test_a_repeat_whose_original_is_absent_counts():
    (row,) = (one for one in audited().values() if one.dup_of and one.department == "Urology")
    assert row.dup_of is not None
    assert len(Departments(of(question(row.id))).select()["Urology"]) == 1
    assert len(Departments(of(question(row.id), question(row.dup_of))).select()["Urology"]) == 1


@pytest.mark.parametrize(
    ("identity", "own", "label", "found"),
    [
        (LISTED.id, "Endocrinology", "Psychiatry", ("Urology", LISTED.label, "audited list")),
        ("x", "Endocrinology", "Psychiatry", ("Psychiatry", "clear", "labels")),
        ("x", "Endocrinology", "none", ("none", "clear", "labels")),
        ("x", "general surgery", None, ("General Surgery", "clear", "own field")),
        ("x", "Gnomology", None, ("Gnomology", "clear", "own field")),
        ("x", "", None, None),
    ],
)
def test_the_first_source_that_knows_a_department_counts(
    identity: str, own: str, label: str | None, found: tuple[Any, ...] | None
):
    labels = {identity: Label(id=identity, department=label)} if label else {}
    assigned = department_of(question(identity, own), labels)
    assert assigned == (Assigned(*found) if found else None)


def test_what_is_left_out_is_counted_and_said():
    questions = of(
        question(LISTED.id), question("a", "Cardiology"), question("b", "Urology"), question("c")
    )
    known = Departments(questions)
    assert known.described() == {"audited list": 1, "labels": 0, "own field": 2, "without": 1}
    without, others = known.notes()
    assert without.startswith("1 of 4 questions have no department and are left out: to use them")
    assert others.endswith("left out: 1 of Cardiology")
    labelled = Departments(questions, {"c": Label(id="c", department="Urology")})
    assert "1 questions have their department by the labels file" in list(labelled.notes())


def test_labels_are_read_whoever_wrote_them(tmp_path: Path):
    path = tmp_path / "labels.jsonl"
    by_model = {"id": "b", "department": "Urology", "label": "borderline", "votes": [{"x": 1}]}
    undecided = {"id": "c", "department": "none", "label": "undecided", "votes": []}
    rows = [{"id": "a", "department": "Psychiatry"}, by_model, undecided]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = read_labels(path)
    assert {name: (one.department, one.label) for name, one in found.items()} == {
        "a": ("Psychiatry", "clear"),
        "b": ("Urology", "borderline"),
    }
    path.write_text('{"id": "a", "department": "Urologgy"}\n')
    with pytest.raises(UserError, match=r"line 1: .*no department 'Urologgy'; did you mean 'Urolo"):
        read_labels(path)
    with pytest.raises(UserError, match=r"there is no file .*none.jsonl of labels"):
        read_labels(tmp_path / "none.jsonl")


def test_the_hash_of_the_ids_is_what_makes_it_the_split(monkeypatch: pytest.MonkeyPatch):
    ids = {"b" * 64, "a" * 64}
    assert not audit.is_audited_split(ids)
    digest = hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()
    monkeypatch.setitem(manifest()["source"], "id_set_sha256", digest)
    assert audit.is_audited_split(ids)
    assert audit.joining(ids) == "by newlines"
    assert audit.difference(frozenset(ids)) == ""
    assert not audit.is_audited_split({*ids, "c" * 64})
    assert not list(Departments(of(*map(question, ids))).notes()), "what is not listed was read"
