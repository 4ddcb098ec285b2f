"""Emotional consistency and fluency: one bounded rating a dialogue, means and differences."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from openai_server import OpenAIServer, Seen
from rules_run import context
from talks import talk

from bench.agents.styles import style
from bench.api.context import Context
from bench.api.metric import Score, Talks
from bench.backbones.openai.backbone import OpenAI
from bench.backbones.requests import Rating
from bench.backbones.rules.backbone import Rules
from bench.core.errors import UserError
from bench.records.dialogue import Dialogue
from bench.scoring.intervals import cluster_bootstrap
from bench.scoring.ratings import SevenPoint
from metrics.emotional_consistency import EmotionalConsistency
from metrics.fluency import Fluency

METRICS = [EmotionalConsistency(), Fluency()]


def rating(score: object) -> str:
    return json.dumps({"reasons": "read it", "score": score})


def asking(server: OpenAIServer, work: Callable[[Context], Coroutine[Any, Any, Any]]) -> Any:
    backbone = OpenAI("rater-1", base_url=server.url, max_retries=0, timeout=20.0)

    async def whole(given: Context) -> Any:
        try:
            return await work(given)
        finally:
            await backbone.close()

    with context(rater=backbone) as given:
        return asyncio.run(whole(given))


@pytest.fixture(autouse=True)
def _key(openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")


def by_word(seen: Seen) -> str:
    """The rating that a patient names: "six" is 6."""
    words = ("one", "two", "three", "four", "five", "six", "seven")
    return rating(next(n for n, word in enumerate(words, 1) if f"Patient: {word}" in seen.words))


def scored(metric: Any, server: OpenAIServer, talks: Talks) -> Score:
    (score,) = asking(server, lambda given: metric.score(talks, given))
    assert isinstance(score, Score)
    return score


def said(identity: str, word: str, **fields: Any) -> Dialogue:
    return talk(identity, [("How are you?", word)], **{"style": "plain", **fields})


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.card.name)
def test_the_mean_of_one_rating_a_dialogue(metric: Any, openai_server: OpenAIServer) -> None:
    openai_server.hook = by_word
    told = {"a": "six", "b": "seven", "c": "three", "d": "seven"}
    talks = Talks([said(name, word, department=word) for name, word in told.items()], missing=1)
    score = scored(metric, openai_server, talks)
    assert score.value == pytest.approx(23 / 4)
    assert (score.n, score.n_missing) == (4, 1)
    assert score.bounds == pytest.approx((24 / 5, 30 / 5))
    assert score.items == {"a": 6, "b": 7, "c": 3, "d": 7}
    assert score.departments == {"six": 6, "seven": 7, "three": 3}
    assert {len(keys) for keys in score.keys.values()} == {1}
    expected = {"a": [6.0], "b": [7.0], "c": [3.0], "d": [7.0]}
    assert score.interval == cluster_bootstrap(expected)[1]
    assert "scale:1-7" in score.signature
    assert openai_server.stats()["total"] == 4


def test_a_dialogue_without_a_style_is_not_rated_by_one(openai_server: OpenAIServer) -> None:
    openai_server.hook = by_word
    talks = Talks([said("a", "six"), said("b", "two", style=None)])
    emotion = scored(EmotionalConsistency(), openai_server, talks)
    assert (emotion.value, emotion.n, emotion.n_missing) == (6, 1, 1)
    assert emotion.bounds == pytest.approx((7 / 2, 13 / 2))
    assert emotion.notes == ("1 dialogue left out: no style given",)
    assert not emotion.failures
    assert openai_server.stats()["total"] == 1
    assert scored(Fluency(), openai_server, talks).value == 4


@pytest.mark.parametrize("bad", [0, 8, 6.5, "seven"])
def test_a_rating_off_the_scale_is_asked_again_and_then_missing(
    openai_server: OpenAIServer, bad: object
) -> None:
    openai_server.hook = lambda seen: rating(5 if "not valid" in seen.words else bad)
    score = scored(Fluency(), openai_server, Talks([said("a", "x")]))
    assert (score.value, len(score.keys["a"])) == (5, 2)
    openai_server.hook = lambda seen: rating(bad)
    score = scored(Fluency(), openai_server, Talks([said("a", "x")]))
    assert (score.value, score.n_missing) == (None, 1)
    assert score.failures[0].outcome == "invalid"
    assert score.bounds == (1, 7)


def test_a_refusal_is_missing(openai_server: OpenAIServer) -> None:
    openai_server.hook = by_word
    openai_server.fail("refusal", when=lambda seen: "Patient: six" in seen.words)
    score = scored(Fluency(), openai_server, Talks([said("a", "six"), said("b", "two")]))
    assert (score.value, score.n, score.n_missing) == (2, 1, 1)
    assert [(one.item, one.outcome) for one in score.failures] == [("a", "refusal")]


def test_the_rater_reads_the_rubric_the_style_and_the_rounds(openai_server: OpenAIServer) -> None:
    openai_server.hook = lambda seen: rating(4)
    two = talk("a", [("q one", "r one")], [("q two", "r two")], style="tangent")
    scored(EmotionalConsistency(), openai_server, Talks([two]))
    words = openai_server.seen[-1].words
    assert style("tangent").description in words
    for part in ("1: no reply", "7: every reply", "Consultation 2", "Doctor: q two", "r one"):
        assert part in words
    scored(Fluency(), openai_server, Talks([two]))
    words = openai_server.seen[-1].words
    assert style("tangent").description not in words
    for point in range(1, 8):
        assert f"\n{point}: " in words


def test_an_unknown_style_is_missing_from_emotion_alone(openai_server: OpenAIServer) -> None:
    openai_server.hook = by_word
    talks = Talks([said("a", "six", style="grumpy"), said("b", "two", style="upset")])
    score = scored(EmotionalConsistency(), openai_server, talks)
    assert (score.value, score.n, score.n_missing) == (2, 1, 1)
    assert "there is no style 'grumpy'" in score.failures[0].reason
    assert scored(Fluency(), openai_server, talks).n == 2


def test_differences_are_paired(openai_server: OpenAIServer) -> None:
    openai_server.hook = by_word

    def side(*words: str) -> Talks:
        return Talks([said(f"p{i}", word) for i, word in enumerate(words)])

    lower, mixed = side("five", "one", "four", "six"), side("six", "three", "four", "seven")
    value, interval, n = asking(openai_server, lambda c: Fluency().compare(mixed, lower, c))
    assert (value, n) == (pytest.approx(1.0), 4)
    assert 0.0 <= interval.low < 1.0 < interval.high <= 2.0
    # What a patient brings to both sides cancels: the same gain for each leaves nothing to vary.
    higher = side("six", "two", "five", "seven")
    found = asking(openai_server, lambda c: Fluency().compare(higher, lower, c))
    assert found == (pytest.approx(1.0), None, 4)


def test_a_label_of_the_users_does_not_change_the_rubric() -> None:
    seen: list[str] = []

    class Rater(Rules):
        async def complete(self, prompt: Any, key: str) -> Any:
            seen.append(prompt.task.rubric)
            return await super().complete(prompt, key)

    metric = EmotionalConsistency()
    metric.card = metric.card.__class__(  # type: ignore[misc]  # as make_metric does
        name="mine", summary="", unit="points", better="higher"
    )
    with context(rater=Rater()) as given:
        (score,) = asyncio.run(metric.score(Talks([said("a", "x")]), given))
    assert score.metric == "mine"
    assert score.notes == ("rated by the rules, a stand-in",)
    assert seen == ["emotional-consistency"]


def test_a_seven_point_rating_is_a_rating() -> None:
    assert issubclass(SevenPoint, Rating)
    assert list(SevenPoint.model_fields) == ["reasons", "score"]


def test_without_a_rater_one_sentence_says_what_to_add() -> None:
    with context() as given, pytest.raises(UserError, match="--rater"):
        asyncio.run(Fluency().score(Talks([said("a", "x")]), given))
