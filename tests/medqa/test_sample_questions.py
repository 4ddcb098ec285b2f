"""The built-in sample: enough of it, valid, and nothing of the outlines in it."""

import json
import re
from collections import Counter
from functools import cache

from bench.knowledge.library import FOLDER, outline_files
from bench.medqa.audit import audited
from bench.medqa.labels import DEPARTMENTS
from bench.medqa.sources import SAMPLE_FILE, load_questions

SAMPLE = load_questions("sample")
ROWS = [json.loads(line) for line in SAMPLE_FILE.read_text(encoding="utf-8").splitlines()]
RUN = 6


def runs(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"[a-z0-9]+", text.lower())
    return {tuple(words[at : at + RUN]) for at in range(len(words) - RUN + 1)}


@cache
def known() -> set[tuple[str, ...]]:
    return set().union(*(runs(path.read_text("utf-8")) for path in outline_files(FOLDER)))


def test_there_are_twelve_questions_of_each_department():
    assert Counter(one.department for one in SAMPLE.questions) == dict.fromkeys(DEPARTMENTS, 12)
    assert SAMPLE.options == 4
    assert not SAMPLE.warnings


def test_each_has_a_name_an_answer_and_an_explanation():
    assert len({row["id"] for row in ROWS}) == len(ROWS) == len(SAMPLE.questions)
    for one, row in zip(SAMPLE.questions, ROWS, strict=True):
        assert one.answer == row["answer"], row["id"]
        assert len(set(one.options.values())) == 4, row["id"]
        assert row["explanation"], row["id"]
        assert row["meta_info"] in ("step1", "step2&3"), row["id"]
        assert one.question.rstrip('"').endswith("?"), row["id"]


def test_the_right_letter_gives_nothing_away():
    letters = Counter(one.answer_idx for one in SAMPLE.questions)
    assert set(letters) == set("ABCD")
    assert max(letters.values()) <= len(SAMPLE.questions) * 0.4


def test_none_is_a_question_of_medqa():
    assert SAMPLE.ids.isdisjoint(audited())


def test_no_six_words_in_a_row_are_an_outlines():
    assert len(known()) > 10_000
    for row in ROWS:
        text = "\n".join((row["question"], *row["options"].values(), row["explanation"]))
        shared = runs(text) & known()
        assert not shared, (row["id"], shared)
