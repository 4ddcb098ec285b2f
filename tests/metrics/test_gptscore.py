import asyncio
import math
from collections.abc import Sequence
from typing import Any

import pytest
from patients import context, patient

from bench.backbones.asking import Respondent
from bench.backbones.prompt import Completion, Prompt, Unreachable
from bench.errors import UserError
from bench.journal.journal import Journal
from bench.pairs import view_text
from bench.records.record import PatientRecord
from bench.scoring import Items, Score
from metrics.gptscore import _TEMPLATE, NO_SCORER, GptScore, probability

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

    def __init__(self, fail: bool = False) -> None:
        self.fail = fail
        self.asked = 0
        self.most = self.now = 0

    async def logprobs(self, context: str, text: str) -> tuple[float, ...]:
        self.asked += 1
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        if self.fail:
            raise Unreachable("no answer")
        return logprobs(context, text)


def logprobs(context: str, text: str) -> tuple[float, ...]:
    return tuple(-0.01 * (len(context) + len(word)) for word in text.split())


def run(backbone: Any, records: Sequence[PatientRecord] = RECORDS) -> Score:
    async def inside() -> Score:
        journal = Journal.open(None)
        roles = {} if backbone is None else {"scorer": Respondent("scorer", backbone, journal)}
        given = context(journal, roles)
        given.at_once = 3
        (score,) = await GptScore().score(Items(records), given)
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
    assert {len(keys) for keys in score.keys.values()} == {3}


def test_without_a_scorer_it_says_what_is_needed() -> None:
    score = run(None)
    assert (score.value, score.n, score.notes) == (None, 4, (NO_SCORER,))


def test_a_scorer_that_cannot_score_stops_the_run() -> None:
    with pytest.raises(UserError, match="needs a causal LM"):
        run(Plain())


def test_a_scorer_that_fails_gives_no_value() -> None:
    score = run(Scoring(fail=True))
    assert score.value is None
    assert "no answer" in score.notes[0]


def test_probability_of_tokens() -> None:
    assert probability([]) == 0
    assert probability([math.log(0.5), math.log(0.125)]) == pytest.approx(0.25)


def test_template_names_the_record_once() -> None:
    assert _TEMPLATE.text.count("{record}") == 1
