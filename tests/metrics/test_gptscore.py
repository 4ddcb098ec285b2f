import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from patients import context, patient

from bench.api.metric import Items, Score
from bench.backbones.prompt import Completion, Prompt, Unreachable
from bench.backbones.respondent import Respondent
from bench.core.errors import UserError
from bench.journal.journal import Journal
from bench.records.record import PatientRecord
from bench.scoring.pairs import view_text
from metrics.gptscore import _TEMPLATE, MOST_FAILURES, NO_SCORER, GptScore, probability

RECORDS = [
    patient(f"p{i}", "cardiology", text)
    for i, text in enumerate(["chest pain", "a dry cough", "fever and cough", "cough"])
]


class Plain:
    name = "stub/plain"
    version = "1"
    endpoint = "test"
    reads = "messages"

    async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
        raise AssertionError("nothing is asked in words")

    async def close(self) -> None:
        pass


class Scoring(Plain):
    name = "stub/scoring"

    def __init__(self, fail: Callable[[str, str], bool] = lambda context, text: False) -> None:
        self.fail = fail
        self.asked = 0
        self.most = self.now = 0

    async def logprobs(self, context: str, text: str) -> tuple[float, ...]:
        self.asked += 1
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        if self.fail(context, text):
            raise Unreachable("no answer")
        return logprobs(context, text)


def logprobs(context: str, text: str) -> tuple[float, ...]:
    return tuple(-0.01 * (len(context) + len(word)) for word in text.split())


def run(backbone: Any, records: Sequence[PatientRecord] = RECORDS, *, missing: int = 0) -> Score:
    async def inside() -> Score:
        journal = Journal.open(None)
        roles = {} if backbone is None else {"scorer": Respondent("scorer", backbone, journal)}
        given = context(journal, roles)
        given.at_once = 3
        (score,) = await GptScore().score(Items(records, missing), given)
        compared = await GptScore().compare(Items(records), Items(records), given)
        assert (compared is None) == (score.value is None)
        await journal.close()
        return score

    return asyncio.run(inside())


def test_is_the_mean_of_both_directions() -> None:
    backbone = Scoring()
    score = run(backbone)
    texts = [view_text(record, "full") for record in RECORDS]
    expected = [
        probability(logprobs(_TEMPLATE.text.replace("{record}", one), other))
        for i, one in enumerate(texts)
        for j, other in enumerate(texts)
        if i != j
    ]
    assert score.value == pytest.approx(math.fsum(expected) / len(expected))
    assert backbone.asked == 12  # the comparison finds them in the journal
    assert backbone.most <= 3
    assert "scorer:stub/scoring" in score.signature
    assert f"prompt:{_TEMPLATE.sha256[:12]}" in score.signature
    assert score.keys == {}  # n - 1 for each record; the journal finds them by the records


def test_without_a_scorer_it_says_what_is_needed() -> None:
    score = run(None)
    assert (score.value, score.n, score.n_missing, score.notes) == (None, 0, 4, (NO_SCORER,))
    assert score.failures == ()
    assert run(None, missing=2).n_missing == 6


def test_a_scorer_that_cannot_score_stops_the_run() -> None:
    with pytest.raises(UserError, match="needs a causal LM"):
        run(Plain())


def test_failed_pairs_are_counted_and_leave_no_value() -> None:
    backbone = Scoring(lambda context, text: "fever" in text and "chest" not in context)
    score = run(backbone, missing=1)
    assert (score.value, score.n, score.n_missing, score.items) == (None, 0, 5, {})
    assert [one.item for one in score.failures] == ["p2 given p1", "p2 given p3"]
    assert {(one.stage, one.outcome, one.reason) for one in score.failures} == {
        ("gptscore", "unreachable", "no answer")
    }
    assert score.notes[0].startswith("2 pairs failed (the first: no answer)")


def test_a_scorer_that_fails_always_is_given_up() -> None:
    records = [patient(f"p{i}", "cardiology", f"pain {i}") for i in range(40)]
    backbone = Scoring(lambda context, text: True)
    score = run(backbone, records)
    assert (score.value, score.n, score.n_missing) == (None, 0, 40)
    assert len(score.failures) == MOST_FAILURES
    assert "100 pairs failed, with which it was given up" in score.notes[0]
    assert backbone.asked < 120  # of 1560


def test_the_prompt_is_on_the_card() -> None:
    assert GptScore.card.prompts == (_TEMPLATE.path,)


def test_probability_of_tokens() -> None:
    assert probability([]) == 0
    assert probability([math.log(0.5), math.log(0.125)]) == pytest.approx(0.25)


def test_template_names_the_record_once() -> None:
    assert _TEMPLATE.text.count("{record}") == 1
