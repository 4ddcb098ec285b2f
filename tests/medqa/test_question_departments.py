"""Departments: where they are looked up, and the rule that is asked last."""

import time
from collections import Counter

import pytest
from invented import original

from bench.medqa import audit
from bench.medqa.audit import DEPARTMENTS, audited, manifest
from bench.medqa.departments import Assigned, Departments, ignored
from bench.medqa.question import Question
from bench.medqa.question_files import QuestionSet
from bench.medqa.rule import decide

GLAUCOMA = (
    "A 61-year-old woman comes to the clinic because of sudden severe eye pain and halos around "
    "lights. Slit lamp examination shows a shallow anterior chamber and a hazy cornea. Tonometry "
    "shows raised intraocular pressure. What is the most likely diagnosis?",
    "Acute angle closure glaucoma",
)
STATISTICS = (
    "Investigators ask whether eye drops keep glaucoma away. A randomized controlled trial of 90 "
    "patients with angle closure glaucoma is made. Which statement on its p value is right?",
    "The null hypothesis is rejected",
)


def question(identity: str, text: str = "Why?", answer: str = "So", **more: str) -> Question:
    return Question(
        id=identity, question=text, options={"A": answer, "B": "No"}, answer_idx="A", **more
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


def test_all_listed_questions_are_found_but_near_repeats_count_once():
    questions = of(*(question(identity) for identity in audited()))
    known = Departments(questions)
    for name, counts in manifest()["counts"].items():
        found = [known.find(one) for one in questions.questions]
        labels = Counter(one.label for one in found if one and one.department == name)
        assert labels == counts
    sizes = {name: len(ones) for name, ones in known.select().items()}
    assert sizes == {
        "Psychiatry": 66,
        "Urology": 28,
        "Orthopedics": 40,
        "Ophthalmology": 9,
        "Endocrinology": 73,
        "General Surgery": 36,
    }
    both = known.select(include_borderline=True)
    assert sum(map(len, both.values())) == 326 - 2


def test_a_repeat_whose_original_is_absent_counts():
    (row,) = (one for one in audited().values() if one.dup_of and one.department == "Urology")
    assert len(Departments(of(question(row.id))).select()["Urology"]) == 1
    assert row.dup_of is not None
    assert len(Departments(of(question(row.id), question(row.dup_of))).select()["Urology"]) == 1


def test_the_order_of_sources():
    listed = next(row for row in audited().values() if row.department == "Urology")
    labels = {
        listed.id: Assigned("Psychiatry", "clear", "llm"),
        "w": Assigned("Psychiatry", "clear", "llm"),
        "x": Assigned("Cardiology", "borderline", "llm"),
        "y": None,
    }
    known = Departments(of(question(listed.id), question("x"), question("y")), labels)
    assert known.find(question(listed.id)) == Assigned("Urology", listed.label, "audited")
    assert known.find(question("x")) == labels["x"]
    assert known.find(question("z", *GLAUCOMA)) is None, "an audited set: the rule is not asked"
    other = Departments(of(question("z", *GLAUCOMA)), labels)
    assert other.find(question("w", department="Urology")) == Assigned("Urology", "clear", "own")
    assert other.find(question("w")) == labels["w"]
    assert other.find(question("y", *GLAUCOMA)) is None, "the model said none: no rule after it"
    assert other.find(question("z", *GLAUCOMA)) == Assigned("Ophthalmology", "clear", "rule")
    assert other.find(question("z")) is None


def test_a_question_of_an_audited_set_does_not_say_where_it_belongs():
    listed = next(row for row in audited().values() if row.department == "Urology")
    own = question(listed.id, department="Endocrinology")
    unlisted = question("x", department="Endocrinology")
    both = of(own, unlisted)
    known = Departments(both)
    assert known.find(own) == Assigned("Urology", listed.label, "audited")
    assert known.find(unlisted) is None
    assert ignored(both).startswith("the department that 2 questions name is not used: the audited")
    assert ignored(of(question(listed.id))) == ""


def test_a_department_beyond_the_six_is_not_used():
    heart = question("x", *GLAUCOMA, department="Cardiology")
    eye = question("y", department="ophthalmology")
    questions = of(heart, eye, question("z"))
    known = Departments(questions)
    assert known.find(heart) == Assigned("Ophthalmology", "clear", "rule")
    assert known.find(eye) == Assigned("Ophthalmology", "clear", "own")
    assert ignored(questions).startswith(
        "the department that 1 questions name is not used: none of the six (Psychiatry, Urology"
    )
    assert ignored(of(eye)) == ""


def test_the_rule_reads_words_and_where_they_stand():
    found = decide(*GLAUCOMA)
    assert found is not None
    assert (found.department, found.tier) == ("Ophthalmology", "high")
    assert decide(*STATISTICS) is None, "it is about statistics"
    row = original(0)
    assert decide(row["question"], row["answer"]) is None
    denied = "A man comes for a check. He denies eye pain, glaucoma, and blurry vision. What now?"
    assert decide(denied, "A vaccine") is None
    past = "A man with a history of glaucoma and cataract comes for a check of his feet. What now?"
    assert decide(past, "New shoes") is None


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        f"He has {'a' * 200 + ' -' * 12}. What now?",
        "A man with pain " * 6000 + ". What now?",
    ],
    ids=["long word", "no verb"],
)
def test_the_rule_has_done_in_time(text: str):
    start = time.process_time()
    assert decide(text, "Rest") is None
    assert time.process_time() - start < 30


def test_the_hash_of_the_ids_is_what_makes_it_the_split(monkeypatch):
    import hashlib

    ids = {"b" * 64, "a" * 64}
    assert not audit.is_audited_split(ids)
    told = manifest()
    digest = hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()
    monkeypatch.setitem(told["source"], "id_set_sha256", digest)
    assert audit.is_audited_split(ids)
    assert audit.difference(frozenset(ids)) == ""
    assert not audit.is_audited_split({*ids, "c" * 64})
