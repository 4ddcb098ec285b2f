"""Pooled values: what is missing, and why there is no value or no interval."""

import asyncio
from dataclasses import replace

import pytest
from rules_run import context

from bench.api.failure import Failure
from bench.api.metric import Score, Talks
from bench.records.dialogue import Dialogue, Exchange, Round
from bench.scoring.clusters import Pool
from metrics.conduct import Conduct


def talk(name: str) -> Dialogue:
    said = Exchange(question="And now?", answer="It hurts.")
    return Dialogue(id=name, rounds=(Round(exchanges=(said,)),))


def scored(pool: Pool, *, unit: str = "points", unseen: int = 0) -> Score:
    return pool.score("m", unit, "higher", unseen=unseen, range_=(1, 7), signature="s")


def pool_of(*values: float) -> Pool:
    pool = Pool()
    for number, value in enumerate(values):
        pool.add(talk(str(number)), [value])
    return pool


def test_a_mean_without_spread_says_why_it_has_no_interval() -> None:
    found = scored(pool_of(7.0, 7.0, 7.0))
    assert (found.interval, found.notes) == (None, ("no interval: all patients alike",))


def test_a_mean_with_an_interval_says_nothing() -> None:
    assert scored(pool_of(7.0, 6.0, 5.0, 4.0)).notes == ()
    assert scored(pool_of(1.0, 1.0, 1.0), unit="share").notes == ()


def test_what_has_no_value_says_why() -> None:
    assert scored(Pool()).notes == ("nothing to score",)
    assert scored(Pool(), unseen=6).notes == ("nothing to score: no dialogue was made",)
    failed = Pool()
    for name, outcome in (("a", "refusal"), ("b", "invalid"), ("c", "refusal")):
        failed.fail(talk(name), Failure(item=name, stage="m", outcome=outcome, reason="no"))
    assert scored(failed).notes == ("every value failed: invalid 1, refusal 2",)


@pytest.mark.parametrize("made", [0, 1])
def test_dialogues_not_made_count_for_the_answers_planned(made: int) -> None:
    talks = Talks([talk(str(number)) for number in range(made)], missing=6)
    for planned, answers in ((1, 6), (4, 24)):
        with context() as given:
            scores = asyncio.run(Conduct().score(replace(talks, answers=planned), given))
        found = {score.metric: score for score in scores}
        assert found["conduct/repeated-replies"].n_missing == answers
        assert found["conduct/leaked-diagnosis"].n_missing == 6 + made
