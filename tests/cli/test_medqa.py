"""`pzbench medqa`: questions counted by department, and labels made by a model."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from commands import Ended, inside, script
from invented import CURES, original, shuffled
from openai_server import OpenAIServer, Seen

from bench.authoring import question_labels as classify_module
from bench.authoring.question_labels import agreement
from bench.medqa.audit import DEPARTMENTS, audited
from bench.medqa.departments import Assigned
from bench.medqa.labels import CHOICES, Classified, Pass, read_labels
from bench.medqa.question import Question, question_id
from bench.medqa.question_files import QuestionSet

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
    assert "kappa with the audited list: n/a (nothing to compare), n = 0" in done.out


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


def test_a_file_with_more_labels_is_kept(
    openai_server: OpenAIServer, questions: Path, tmp_path: Path
):
    openai_server.hook = by_order
    out = tmp_path / "labels.jsonl"
    assert classify(openai_server, questions, out).code == 0
    before = out.read_bytes()
    openai_server.fail("status", status=400, when=lambda seen: asked(seen)[0] == 0, times=1)
    done = classify(openai_server, questions, out, "--journal", tmp_path / "new.sqlite")
    assert done.code == 3
    assert out.read_bytes() == before
    partial = tmp_path / "labels.jsonl.partial"
    told = (
        f"{out} has labels of 4 questions and is left as it is: the 3 of this time are in {partial}"
    )
    assert f"{told}\n" in done.out
    assert partial.read_bytes() == b"".join(before.splitlines(keepends=True)[1:])
    openai_server.fail("status", status=400)
    partial.unlink()
    done = classify(openai_server, questions, out, "--journal", tmp_path / "newer.sqlite")
    assert done.code == 3
    assert out.read_bytes() == before
    assert f"no question has a label: {out} is left as it is\n" in done.out
    assert not partial.exists()


def test_labels_are_written_over_nothing_else(
    openai_server: OpenAIServer, questions: Path, tmp_path: Path
):
    folder = tmp_path / "US"
    folder.mkdir()
    test = questions.rename(folder / "test.jsonl")
    train = written(folder / "train.jsonl", [original(9)])
    held = {path: path.read_bytes() for path in (test, train)}

    def said(out: Path, *more: object) -> str:
        return classify(openai_server, folder, out, *more).error

    assert said(test) == f"--out names the question file {test}: give the labels another file"
    link = tmp_path / "link.jsonl"
    link.symlink_to(test)
    assert said(link).startswith("--out names the question file")
    assert said(train).startswith(f"{train} is there and is no label file, so it is not written ov")
    journal = tmp_path / "j.sqlite"
    both = f"--out and --journal both name {journal}: give each a file of its own"
    assert said(journal, "--journal", journal) == both
    assert not journal.exists()
    device = said(Path("/dev/null"))
    assert device == "/dev/null is no regular file: name one to keep the labels in"
    assert not Path("/dev/.null.journal.sqlite").exists()
    assert "cannot be used (File name too long): name another" in said(tmp_path / ("x" * 300))
    assert {path: path.read_bytes() for path in held} == held
    assert sorted(path.name for path in folder.iterdir()) == ["test.jsonl", "train.jsonl"]
    assert not openai_server.seen


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


def asked_for(*identities: str) -> QuestionSet:
    made = (
        Question(id=one, question="Why?", options={"A": "So", "B": "No"}, answer_idx="A")
        for one in identities
    )
    return QuestionSet(tuple(made), "invented")


def classified(identity: str, *votes: Any, lost: str = "refusal") -> Classified:
    """A line of a label file; a vote without a department was lost."""
    passes = [
        Pass(department=one, outcome="answer" if one else lost)
        for one in (votes * 3 if len(votes) == 1 else votes)
    ]
    alike = Counter(votes * (4 - len(votes)))
    name, most = max(alike.items(), key=lambda pair: (pair[0] is not None) * pair[1])
    found = name is not None and most > 1
    return Classified(
        id=identity,
        department=name if found else "none",
        label=("clear" if most == 3 else "borderline") if found else None,
        votes=tuple(passes),
        model="m",
        prompt="p",
    )


LISTED = [row for row in audited().values() if not row.dup_of]
CLEAR = sum(row.label == "clear" for row in LISTED)


def test_kappa_is_over_the_questions_that_both_know():
    questions = asked_for(*(row.id for row in LISTED), "unlisted")
    labels = [classified(row.id, row.department) for row in LISTED]
    unlisted = classified("unlisted", "Urology")
    found = agreement(questions, [*labels, unlisted])
    assert (found.kappa, found.n, found.agreed, found.whole) == (1.0, CLEAR, CLEAR, False)
    assert "1.000 (no interval: they differ nowhere, where the large-sample formula" in str(found)
    wrong = [classified(row.id, "Cardiology") for row in LISTED[:40]]
    found = agreement(questions, [*wrong, *labels[40:], unlisted])
    assert found.kappa is not None
    assert found.interval is not None
    assert found.interval.low < found.kappa < found.interval.high < 1
    assert re.match(
        r"Cohen's kappa with the audited list: 0\.\d{3} \[0\.\d+, 0\.\d+\] \(95%, large-sample\), "
        r"n = 252 ",
        str(found),
    )


def test_a_question_without_a_label_is_no_agreement(monkeypatch: pytest.MonkeyPatch):
    unlisted = [f"unlisted {number}" for number in range(200)]
    questions = asked_for(*(row.id for row in LISTED), *unlisted)
    monkeypatch.setattr(classify_module, "is_audited_split", lambda _: True)
    right = [classified(row.id, row.department) for row in LISTED]
    refused = [classified(one, None) for one in unlisted]
    found = agreement(questions, [*right, *refused])
    assert (found.n, found.agreed, found.left_out) == (CLEAR, CLEAR, {"refused": 200})
    assert "without a label, and left out: 200 refused, 0 invalid, 0 no two alike" in str(found)
    # Who names a department for every unlisted question does not fare better by refusing some.
    other = [
        classified(one, name) for one, name in zip(unlisted, ["none", "Urology"] * 100, strict=True)
    ]
    found = agreement(questions, [*right, *other])
    assert (found.n, found.agreed, found.left_out) == (CLEAR + 200, CLEAR + 100, {})
    lost = [
        classified(unlisted[0], "Urology", "none", "Genetics"),
        classified(unlisted[1], "Urology", "none", None),
        classified(unlisted[2], "Urology", None, None),
        classified(unlisted[3], None, lost="invalid"),
        classified(unlisted[4], "none", "none", None),
    ]
    found = agreement(questions, [*right, *lost])
    assert found.left_out == {"no two alike": 2, "refused": 1, "invalid": 1}
    assert (found.n, found.agreed) == (CLEAR + 1, CLEAR + 1)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        ([], "n/a (nothing to compare), n = 0"),
        ([0], "n/a (both name one department only, as chance would; unreliable, n being under 30)"),
        ([0, 1, 2, 3], "1.000 (no interval: they differ nowhere, where the large-sample formula "
         "gives none; unreliable, n being under 30), n = 4"),
    ],
)  # fmt: skip
def test_kappa_says_why_it_has_no_interval(names: list[int], says: str):
    clear = [row for row in LISTED if row.label == "clear"]
    picked = [next(row for row in clear if row.department == one) for one in DEPARTMENTS]
    rows = [classified(picked[at].id, picked[at].department) for at in names]
    found = agreement(asked_for(*(row.id for row in picked)), rows)
    assert says in str(found)


def test_few_questions_are_said_to_be_few():
    clear = [row for row in LISTED if row.label == "clear"]
    rows = [classified(row.id, row.department) for row in clear[:28]]
    rows.append(classified(clear[28].id, "Genetics"))
    assert "95%, large-sample; unreliable, n being under 30), n = 29" in str(
        agreement(asked_for(*(row.id for row in clear)), rows)
    )
    rows.append(classified(clear[29].id, clear[29].department))
    assert "unreliable" not in str(agreement(asked_for(*(row.id for row in clear)), rows))


def test_a_model_that_refuses_labels_nothing(
    openai_server: OpenAIServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    questions = written(tmp_path / "test.jsonl", [original(at) for at in range(4)])
    monkeypatch.setattr(classify_module, "is_audited_split", lambda _: True)
    openai_server.hook = lambda _: vote("none")
    openai_server.fail("refusal", when=lambda seen: asked(seen)[0] > 0)
    out = tmp_path / "labels.jsonl"
    done = classify(openai_server, questions, out)
    assert done.code == 0, done
    assert ", n = 1 (1 agree" in done.out
    assert "4 questions: 1 clear, 0 borderline, 3 refused, 0 invalid, 0 no two alike" in done.out
    assert "left out: 3 refused, 0 invalid, 0 no two alike" in done.out
    (one,) = read_labels(out).items()
    assert one == (question_id(original(0)["question"]), None), "refused is not none"


def test_a_refused_question_is_left_to_the_rule(tmp_path: Path):
    eye = (
        "A woman has sudden severe eye pain and halos. Slit lamp examination shows a shallow "
        "anterior chamber. Tonometry shows raised intraocular pressure. What is the diagnosis?"
    )
    row = {"question": eye, "options": {"A": "Acute angle closure glaucoma", "B": "Cataract"},
           "answer_idx": "A"}  # fmt: skip
    questions, labels = written(tmp_path / "x.jsonl", [row]), tmp_path / "labels.jsonl"

    def shown(*votes: str | None) -> str:
        made = classified(question_id(eye), *votes)
        labels.write_text(made.model_dump_json() + "\n")
        done = inside("medqa", "show", "--medqa", questions, "--labels", labels)
        assert done.code == 0, done
        warned = "labels.jsonl: 0 of 1 questions have a label: is this the"
        assert (warned in done.err) == (made.label is None)
        return done.out

    assert "department by rule (1); 0 of none" in shown(None)
    assert "department by rule (1); 0 of none" in shown("Urology", "Genetics", "none")
    assert "department by nothing; 1 of none" in shown("none")
    assert "department by llm (1); 0 of none" in shown("Urology")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"department": "Astrology"}, "line 2: field department: Input should be 'Cardiology', "),
        ({"department": "Genetics"}, "the votes give Urology (clear), the line says Genetics "),
        ({"label": "borderline"}, "the votes give Urology (clear), the line says Urology (border"),
        ({"label": None, "department": "none"}, "the line says none (no two alike)"),
    ],
)
def test_labels_that_the_votes_do_not_give_are_refused(
    change: dict[str, Any], says: str, questions: Path, tmp_path: Path
):
    lines = [json.loads(classified(one, "Urology").model_dump_json()) for one in ("a", "b")]
    labels = written(tmp_path / "labels.jsonl", [lines[0], {**lines[1], **change}])
    said = inside("medqa", "show", "--medqa", questions, "--labels", labels).error
    assert said.startswith(f"{labels}, line 2: field ")
    assert says in said


def test_a_confidence_beyond_one_is_asked_for_again(
    openai_server: OpenAIServer, questions: Path, tmp_path: Path
):
    def hook(seen: Seen) -> str:
        mended = "That answer is not valid: confidence" in seen.words
        return json.dumps({"department": "Urology", "confidence": 0.5 if mended else 95})

    openai_server.hook = hook
    out = tmp_path / "labels.jsonl"
    assert classify(openai_server, questions, out).code == 0
    assert {one["confidence"] for row in rows(out) for one in row["votes"]} == {0.5}
    assert openai_server.stats()["total"] == 2 * 3 * 4


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
