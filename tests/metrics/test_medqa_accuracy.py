"""MedQA accuracy: right of all that were put, bounds over all, what became of each question."""

import asyncio
from typing import Any, cast

import pytest
from patients import compared, evaluated, failures_of, figure, scored

from bench.api.context import Context
from bench.api.score import Score
from bench.scoring.intervals import mcnemar, wilson
from bench.students.answer import Answered
from bench.students.choice import OUTCOMES
from metrics.medqa_accuracy import MedqaAccuracy

METRIC = MedqaAccuracy()
CODES = dict(zip("rwxiue", OUTCOMES, strict=True))
"""A letter for each outcome: right, wrong, refused (x), invalid, unreachable, error."""


class Asking:
    """What an item metric needs of a context that asks nobody."""

    at_once = 4


def scores(items: Any) -> list[Score]:
    return asyncio.run(scored(METRIC, items, cast(Context, Asking())))


def sheet(codes: str) -> list[Answered]:
    return [
        Answered(
            id=f"q{at}",
            department="Urology",
            outcome=cast(Any, CODES[code]),
            letter="A" if code in "rw" else None,
            reason=f"because {code}",
            keys=(f"k{at}",),
            words=10 * at,
        )
        for at, code in enumerate(codes)
    ]


def test_right_answers_count_over_all_questions_put():
    codes = "rrrwwxiiuue"
    made = scores(sheet(codes))
    found = figure(made)
    assert found.value == pytest.approx(3 / 8)
    assert (found.n, found.n_missing) == (8, 6)
    assert found.interval == wilson(3, 8)
    # All eleven: the six without an answer all wrong, or all right.
    assert found.bounds == pytest.approx((3 / 11, 9 / 11))
    answered = figure(made, "answered")
    assert (answered.value, answered.n, answered.n_missing) == (3 / 5, 5, 6)
    for code, outcome in CODES.items():
        share = figure(made, outcome)
        assert share.value == pytest.approx(codes.count(code) / len(codes))
        assert (share.n, share.n_missing) == (len(codes), 0)
    words = figure(made, "words")
    assert (words.value, words.unit, words.better) == (50.0, "words", "lower")


def test_each_lost_question_is_a_failure():
    found = asyncio.run(evaluated(METRIC, sheet("rxiue"), cast(Context, Asking())))
    assert [(one.item, one.outcome, one.reason, one.keys) for one in failures_of(found)] == [
        ("q1", "refusal", "because x", ("k1",)),
        ("q2", "invalid", "because i", ("k2",)),
        ("q3", "unreachable", "because u", ("k3",)),
        ("q4", "error", "because e", ("k4",)),
    ]
    assert found[0].reasons[0].text == "because r"
    assert (found[1].values[""], "" in found[3].values) == ((0.0,), False)


def test_two_students_are_compared_on_what_was_put_to_both():
    first, second = sheet("rrrwxruw"), sheet("rwwwrxre")
    found = figure(asyncio.run(compared(METRIC, first, second, cast(Context, Asking()))))
    assert (found.value, found.n) == (2 / 6, 6)
    assert (found.p_value, found.discordant) == (mcnemar(3, 1), (3, 1))
