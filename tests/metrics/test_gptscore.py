import asyncio
import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from patients import ONE, context, figure, item_values, lacking, paired, patient
from scripted import Scripted

from bench.api.item import Items
from bench.api.pair_metric import view_text
from bench.api.score import Score
from bench.backbones.prompt import Unreachable
from bench.backbones.respondent import Respondent
from bench.core.errors import UserError
from bench.journal.journal import Journal
from bench.records.record import PatientRecord
from bench.scoring.pairs import PairScores
from bench.scoring.sampling import sampled_pairs
from metrics.gptscore import _TEMPLATE, MOST_FAILURES, GptScore, probability

RECORDS = [
    patient(f"p{i}", "cardiology", text)
    for i, text in enumerate(["chest pain", "a dry cough", "fever and cough", "cough"])
]


class Scoring(Scripted):
    def __init__(self, fail: Callable[[str, str], bool] = lambda context, text: False) -> None:
        super().__init__("stub/scoring")
        self.fail = fail
        self.scored = 0
        self.most = self.now = 0

    async def logprobs(self, context: str, text: str) -> tuple[float, ...]:
        self.scored += 1
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        if self.fail(context, text):
            raise Unreachable("no answer")
        return logprobs(context, text)


def logprobs(context: str, text: str) -> tuple[float, ...]:
    return tuple(-0.01 * (len(context) + len(word)) for word in text.split())


def run(
    backbone: Any,
    records: Sequence[PatientRecord] = RECORDS,
    *,
    missing: int = 0,
    metric: GptScore | None = None,
) -> PairScores:
    async def inside() -> PairScores:
        journal = Journal.open(None)
        given = context(journal, {"scorer": Respondent("scorer", backbone, journal)})
        given.at_once = 3
        found = await paired(metric or GptScore(), given, Items(records, lacking=lacking(missing)))
        keys = [key for one in found.evaluations.get(ONE, ()) for key in one.keys]
        assert all(journal.get(key) is not None for key in keys)
        await journal.close()
        return found

    return asyncio.run(inside())


def score_of(found: PairScores) -> Score:
    return figure(found.scores[ONE])


def test_is_the_mean_of_both_directions() -> None:
    backbone = Scoring()
    found = run(backbone)
    texts = [view_text(record, "full") for record in RECORDS]
    expected = [
        probability(logprobs(_TEMPLATE.text.replace("{record}", one), other))
        for i, one in enumerate(texts)
        for j, other in enumerate(texts)
        if i != j
    ]
    score = score_of(found)
    assert score.value == pytest.approx(math.fsum(expected) / len(expected))
    first = [*expected[:3], expected[3], expected[6], expected[9]]  # "p0" given and scored
    (mean,) = item_values(found.evaluations[ONE])["p0"]
    assert mean == pytest.approx(math.fsum(first) / 6)
    assert backbone.scored == 12
    assert backbone.most <= 3
    assert "scorer:stub/scoring" in score.signature
    assert f"prompt:{_TEMPLATE.sha256[:12]}" in score.signature


def test_every_pair_behind_a_record_is_known_by_its_key() -> None:
    found = run(Scoring())
    keys = {one.item: set(one.keys) for one in found.evaluations[ONE]}
    assert {len(behind) for behind in keys.values()} == {6}
    assert len(set.union(*keys.values())) == 12
    assert len(keys["p0"] & keys["p3"]) == 2


def test_of_a_sample_each_pair_is_asked_one_way() -> None:
    backbone = Scoring()
    found = run(backbone, metric=GptScore(budget=3))
    ids = [record.id for record in RECORDS]
    texts = [view_text(record, "full") for record in RECORDS]
    expected = [
        probability(logprobs(_TEMPLATE.text.replace("{record}", texts[i]), texts[j]))
        for i, j in sampled_pairs(ids, 3, 0).tolist()
    ]
    assert backbone.scored == 3
    assert score_of(found).value == pytest.approx(math.fsum(expected) / 3)
    assert any("3 of 6 pairs" in note for note in score_of(found).notes)
    assert "budget:3" in score_of(found).signature
    with pytest.raises(UserError, match="at least 1"):
        GptScore(budget=0)


def test_pairs_of_two_departments_are_not_asked() -> None:
    backbone = Scoring()
    others = [patient(f"q{i}", "urology", f"stones {i}") for i in range(3)]
    found = run(backbone, [*RECORDS, *others])
    assert backbone.scored == 12 + 6
    assert score_of(found).n == 7


def test_a_scorer_that_cannot_score_stops_the_run() -> None:
    assert "scorer:none" in GptScore().signature(context(Journal.open(None)))
    with pytest.raises(UserError, match="causal LM"):
        run(Scripted())


def test_failed_pairs_are_counted_and_leave_no_value() -> None:
    backbone = Scoring(lambda context, text: "fever" in text and "chest" not in context)
    found = run(backbone, missing=1)
    assert ONE not in found.scores
    assert "2 pairs failed" in found.failed[ONE].reason
    failures = found.failed[ONE].failures
    assert [failure.item for failure in failures] == ["p2 given p1", "p2 given p3"]
    assert {(one.metric, one.outcome, one.reason) for one in failures} == {
        ("gptscore", "unreachable", "no answer")
    }


def test_a_scorer_that_fails_always_is_given_up() -> None:
    records = [patient(f"p{i}", "cardiology", f"pain {i}") for i in range(40)]
    backbone = Scoring(lambda context, text: True)
    found = run(backbone, records)
    assert len(found.failed[ONE].failures) == MOST_FAILURES
    assert "given up" in found.failed[ONE].reason
    assert backbone.scored < 120  # of 200


def test_probability_of_tokens() -> None:
    assert probability([]) == 0
    assert probability([math.log(0.5), math.log(0.125)]) == pytest.approx(0.25)
