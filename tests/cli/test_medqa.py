"""`pzbench medqa`: questions counted by department, and labels made by a model."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from commands import Ended, inside, script
from invented import CURES, original, shuffled
from openai_server import OpenAIServer, Seen

from bench.medqa.audit import audited
from bench.medqa.classify import CHOICES, agreement, read_labels
from bench.medqa.departments import Assigned
from bench.medqa.files import QuestionSet
from bench.medqa.question import Question, question_id

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
    return json.dumps({"department": department, "confidence": 0.9})


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
    assert (made[0]["department"], made[0]["label"]) == ("Endocrinology", "clear")
    votes = [one["department"] for one in made[1]["votes"]]
    assert sorted({votes.count("Urology"), votes.count("Psychiatry")}) == [1, 2]
    assert votes.count(made[1]["department"]) == 2
    assert made[1]["label"] == "borderline"
    assert len({one["department"] for one in made[2]["votes"]}) == 3
    assert (made[2]["department"], made[2]["label"]) == ("none", None)
    assert (made[3]["department"], made[3]["label"]) == ("none", "clear")
    assert {row["model"] for row in made} == {"openai/words"}
    assert len({row["prompt"] for row in made}) == 1
    assert all(one["keys"] for row in made for one in row["votes"])
    assert "votes without an answer: 0 refused, 0 invalid" in done.out
    assert "kappa with the audited list: n/a, n = 0" in done.out


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
    assert len(CHOICES) == 21 + 11 + 1
    # Another gold letter changes no word that is asked.
    turned = [{**original(at), "answer_idx": "B", "answer": CURES[1]} for at in range(4)]
    before = openai_server.stats()["total"]
    other = written(tmp_path / "other.jsonl", turned)
    journal = tmp_path / ".labels.jsonl.journal.sqlite"
    done = classify(openai_server, other, tmp_path / "again.jsonl", "--journal", journal)
    assert done.code == 0
    assert openai_server.stats()["total"] == before
    assert (tmp_path / "again.jsonl").read_bytes() == (tmp_path / "labels.jsonl").read_bytes()


def test_refused_and_invalid_votes_are_counted(
    openai_server: OpenAIServer, questions: Path, tmp_path: Path
):
    def hook(seen: Seen) -> str:
        number, _ = asked(seen)
        return vote("Astrology") if number == 1 else vote("Urology")

    openai_server.hook = hook
    openai_server.fail("refusal", when=lambda seen: asked(seen)[0] == 0)
    out = tmp_path / "labels.jsonl"
    done = classify(openai_server, questions, out)
    assert done.code == 0, done
    assert "votes without an answer: 3 refused, 3 invalid" in done.out
    made = rows(out)
    assert [one["outcome"] for one in made[0]["votes"]] == ["refusal"] * 3
    assert [one["outcome"] for one in made[1]["votes"]] == ["invalid"] * 3
    assert [row["label"] for row in made] == [None, None, "clear", "clear"]


def test_what_could_not_be_asked_is_no_label_and_is_asked_again(
    openai_server: OpenAIServer, questions: Path, tmp_path: Path
):
    openai_server.hook = by_order
    openai_server.fail("status", status=400, when=lambda seen: asked(seen)[0] == 0, times=1)
    out = tmp_path / "labels.jsonl"
    done = classify(openai_server, questions, out)
    assert done.code == 3
    assert "1 items failed (1 classify" in done.err
    assert len(rows(out)) == 3
    done = classify(openai_server, questions, out)
    assert done.code == 0, done
    assert len(rows(out)) == 4


def test_labels_are_looked_up(openai_server: OpenAIServer, questions: Path, tmp_path: Path):
    openai_server.hook = lambda _: vote("Urology")
    out = tmp_path / "labels.jsonl"
    assert classify(openai_server, questions, out).code == 0
    shown = inside("medqa", "show", "--medqa", questions, "--labels", out)
    assert "department by llm (4); 0 of none" in shown.out
    assert re.search(r"Urology +│ 4 +│ 0 +│ 4", shown.out)
    assert read_labels(out) == dict.fromkeys(
        (row["id"] for row in rows(out)), Assigned("Urology", "clear", "llm")
    )
    out.write_text(out.read_text() + "{}\n")
    said = inside("medqa", "show", "--medqa", questions, "--labels", out).error
    assert "labels.jsonl, line 5: field id: Field required" in said


def test_kappa_is_over_the_questions_that_both_know():
    listed = [row for row in audited().values() if not row.dup_of]
    made = [
        Question(id=one, question="Why?", options={"A": "So", "B": "No"}, answer_idx="A")
        for one in (*(row.id for row in listed), "unlisted")
    ]
    labels = {row.id: Assigned(row.department, "clear", "llm") for row in listed}
    labels["unlisted"] = Assigned("Urology", "clear", "llm")
    found = agreement(QuestionSet(tuple(made), "invented"), labels)
    clear = sum(row.label == "clear" for row in listed)
    assert (found.kappa, found.n, found.agreed, found.whole) == (1.0, clear, clear, False)
    wrong = {row.id: Assigned("Cardiology", "clear", "llm") for row in listed[:40]}
    found = agreement(QuestionSet(tuple(made), "invented"), {**labels, **wrong})
    assert found.kappa is not None
    assert found.interval is not None
    assert found.interval.low < found.kappa < found.interval.high < 1
    assert re.match(r"Cohen's kappa with the audited list: 0\.\d{3} \[0\.\d+, 0\.\d+\], n = 252 ",
                    str(found))  # fmt: skip


def test_the_rules_tell_no_departments(questions: Path, tmp_path: Path):
    said = inside(
        "medqa", "classify", "--medqa", questions, "--backbone", "rules", "--out", tmp_path / "x"
    ).error
    assert said == "rules cannot tell departments: name a language model"


def test_the_sample_is_shown_as_installed():
    done = script("medqa", "show", "--medqa", "sample")
    assert (done.code, done.err) == (0, "")
    assert "72 questions, 4 options each; department by own (72); 0 of none" in done.out


def test_another_set_is_shown_with_a_warning(questions: Path, tmp_path: Path):
    done = inside("medqa", "show", "--medqa", questions)
    assert done.code == 0
    assert "department by nothing; 4 of none" in done.out
    assert "not the audited MedQA US test split: 4 questions where the split has 1273" in done.err
    five = written(tmp_path / "five.jsonl", [shuffled(at) for at in range(4)])
    assert "4 questions, 5 options each" in inside("medqa", "show", PZBENCH_MEDQA=str(five)).out


def test_bad_input_is_one_sentence(tmp_path: Path):
    assert "no MedQA questions: name a file" in inside("medqa", "show", PZBENCH_MEDQA="").error
    assert "there is no file or folder" in inside("medqa", "show", "--medqa", "none").error
    broken = written(tmp_path / "x.jsonl", [original(0), {"question": "Why?"}])
    said = inside("medqa", "show", "--medqa", broken).error
    assert said.startswith(f"{broken}, line 2: this is no question: ")
