"""Emotional consistency and fluency: one bounded rating a dialogue, means and differences."""

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from made_dialogues import dialogue
from openai_server import OpenAIServer
from openai_server import Seen as Request
from patients import (
    departments,
    evaluated,
    failures_of,
    figure,
    lacking,
    scored,
)
from rules_run import Seen, asked_of, context

from bench.agents.styles import style
from bench.api.evaluation import Evaluation
from bench.api.item import Items
from bench.api.score import Score
from bench.backbones.requests import Rate
from bench.records.dialogue import Dialogue
from bench.scoring.intervals import cluster_bootstrap
from bench.scoring.scores import TOO_FEW
from metrics.emotional_consistency import EmotionalConsistency
from metrics.fluency import Fluency

METRICS = [EmotionalConsistency(), Fluency()]


def rating(score: object) -> str:
    return json.dumps({"reasons": "read it", "score": score})


def by_word(seen: Request) -> str:
    """The rating that a patient names: "six" is 6."""
    words = ("one", "two", "three", "four", "five", "six", "seven")
    return rating(next(n for n, word in enumerate(words, 1) if f"Patient: {word}" in seen.words))


def scores(metric: Any, server: OpenAIServer, items: Any) -> list[Score]:
    made: list[Score] = asked_of(server, "rater", lambda given: scored(metric, items, given))
    return made


def score_of(metric: Any, server: OpenAIServer, *dialogues: Dialogue) -> Score:
    return figure(scores(metric, server, dialogues))


def evaluations(metric: Any, server: OpenAIServer, *dialogues: Dialogue) -> list[Evaluation]:
    made: list[Evaluation] = asked_of(
        server, "rater", lambda given: evaluated(metric, dialogues, given)
    )
    return made


def said(identity: str, word: str, **fields: Any) -> Dialogue:
    return dialogue(identity, [("How are you?", word)], **{"style": "plain", **fields})


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.card.name)
def test_the_mean_of_one_rating_a_dialogue(metric: Any, openai_server: OpenAIServer) -> None:
    openai_server.hook = by_word
    told = {"a": "six", "b": "seven", "c": "three", "d": "seven"}
    dialogues = [said(name, word, department=word) for name, word in told.items()]
    found = scores(metric, openai_server, Items(dialogues, "dialogues", lacking=lacking(1)))
    score = figure(found)
    assert score.value == pytest.approx(23 / 4)
    assert (score.n, score.n_missing) == (4, 1)
    assert score.bounds == pytest.approx((24 / 5, 30 / 5))
    assert departments(found) == {"six": 6, "seven": 7, "three": 3}
    expected = {"a": [6.0], "b": [7.0], "c": [3.0], "d": [7.0]}
    assert score.interval == cluster_bootstrap(expected)[1]
    assert "scale:1-7" in score.signature
    assert openai_server.stats()["total"] == 4


def test_a_dialogue_without_a_style_is_not_rated_by_one(openai_server: OpenAIServer) -> None:
    openai_server.hook = by_word
    told = said("a", "six"), said("b", "two", style=None)
    emotion = score_of(EmotionalConsistency(), openai_server, *told)
    assert (emotion.value, emotion.n, emotion.n_missing) == (6, 1, 1)
    assert emotion.bounds == pytest.approx((7 / 2, 13 / 2))
    assert emotion.notes == ("1 dialogue left out: no style given", TOO_FEW)
    assert not failures_of(evaluations(EmotionalConsistency(), openai_server, *told))
    assert openai_server.stats()["total"] == 2  # the first dialogue, twice
    assert score_of(Fluency(), openai_server, *told).value == 4


@pytest.mark.parametrize("bad", [0, 8, 6.5, "seven"])
def test_a_rating_off_the_scale_is_asked_again_and_then_missing(
    openai_server: OpenAIServer, bad: object
) -> None:
    openai_server.hook = lambda seen: rating(5 if "not valid" in seen.words else bad)
    (found,) = evaluations(Fluency(), openai_server, said("a", "x"))
    assert (found.values, len(found.keys)) == ({"": (5.0,)}, 2)
    openai_server.hook = lambda seen: rating(bad)
    score = score_of(Fluency(), openai_server, said("a", "x"))
    assert (score.value, score.n_missing, score.bounds) == (None, 1, (1, 7))
    assert score.notes == ("every value failed: invalid 1",)


def test_the_rater_reads_the_rubric_the_style_and_the_rounds(openai_server: OpenAIServer) -> None:
    openai_server.hook = lambda seen: rating(4)
    two = dialogue("a", [("q one", "r one")], [("q two", "r two"), ("bye", None)], style="tangent")
    evaluations(EmotionalConsistency(), openai_server, two)
    words = openai_server.seen[-1].words
    assert style("tangent").description in words
    for part in ("1: no reply", "7: every reply", "Consultation 2", "Doctor: q two", "r one"):
        assert part in words
    assert "Patient: r two\nDoctor: bye\n\n>>>" in words
    evaluations(Fluency(), openai_server, two)
    words = openai_server.seen[-1].words
    assert style("tangent").description not in words
    for point in range(1, 8):
        assert f"\n{point}: " in words


def test_an_unknown_style_is_missing_from_emotion_alone(openai_server: OpenAIServer) -> None:
    openai_server.hook = by_word
    told = said("a", "six", style="grumpy"), said("b", "two", style="upset")
    score = score_of(EmotionalConsistency(), openai_server, *told)
    assert (score.value, score.n, score.n_missing) == (2, 1, 1)
    (failure,) = failures_of(evaluations(EmotionalConsistency(), openai_server, *told))
    assert "there is no style 'grumpy'" in failure.reason
    assert score_of(Fluency(), openai_server, *told).n == 2


def test_the_rater_is_told_the_rubric_and_every_axis_and_its_reasons_are_kept() -> None:
    rater = Seen()
    metric = EmotionalConsistency()
    # A label of the user's own, as make_metric gives it, changes no rubric.
    metric.card = replace(metric.card, name="mine")  # type: ignore[misc]
    manner = {"style": "upset", "recall": "low"}
    with context(rater=rater) as given:
        (found,) = asyncio.run(evaluated(metric, [said("a", "x", manner=manner)], given))
    (prompt,) = rater.prompts
    assert isinstance(prompt.request, Rate)
    assert (prompt.request.rubric, prompt.request.manner) == ("emotional-consistency", manner)
    (reason,) = found.reasons
    assert (reason.value, reason.keys) == (found.values[""][0], found.keys)
    assert reason.text
