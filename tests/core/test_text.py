"""Sentences as a listener would count them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.core.text import overlap, runs, sentences


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 0),
        ("...", 0),
        ("* * *", 0),
        ("Yes", 1),
        ("It burns. It started Monday! Is it bad?", 3),
        ("it burns. it started monday", 2),
        ("My temperature was 38.5 degrees and my INR 2.1.", 1),
        ("Dr. Smith saw me. Then Mrs. Jones did.", 2),
        ("I take fruit, bread, e.g. rye, etc. and tea.", 1),
        ("I take aspirin, etc. Nothing else.", 2),
        ("It was 8 a.m. when it began.", 1),
        ("It began at 8 a.m. Then it got worse.", 2),
        ("It hurts... when I walk.", 1),
        ("Well... I think so.", 1),
        ("Well… it hurts…", 1),
        ("It hurts... My leg went numb.", 2),
        ("What?! No!! Really?", 3),
        ('"Is it bad?" he asked me.', 1),
        ('He said "It is bad." Then he left.', 2),
        ("J. Smith and John F. Kennedy were there.", 1),
        ("I take vitamin C. It helps.", 2),
        ("So do I. He knows.", 2),
        ("No. Never.", 2),
        ("I lie in bed no. 4 all day.", 1),
        ("First line\nstill the first sentence", 1),
        ("I have\n- pain\n- fever", 3),
        ("One paragraph\n\nAnother", 2),
    ],
)
def test_sentences_are_counted(text, count):
    assert len(sentences(text)) == count, sentences(text)


@given(st.text())
def test_nothing_but_spaces_and_bare_marks_is_lost(text):
    def told(given: str) -> str:
        return "".join(filter(str.isalnum, given))

    assert told("".join(sentences(text))) == told(text)


def test_overlap_is_a_share_of_the_shorter_text() -> None:
    words = [f"w{at}" for at in range(20)]
    whole, part = runs(" ".join(words)), runs(" ".join(words[:10]).upper() + "!")
    assert (len(whole), len(part)) == (13, 3)
    assert overlap(whole, part) == overlap(part, whole) == 1.0
    assert overlap(whole, runs("another text altogether of more than eight words in all")) == 0
    assert overlap(runs(""), whole) == 0
