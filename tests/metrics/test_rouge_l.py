import asyncio
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from bench.api.failure import Unscored
from bench.api.pair_metric import Matrix, Texts
from benchmarks.corpus import notes
from metrics.rouge_l import RougeL, rouge_l_kernel


def whole(texts: list[str]) -> Matrix:
    return rouge_l_kernel(texts).block(slice(0, len(texts)), slice(0, len(texts)))


def test_equals_rouge_score_to_the_last_bit() -> None:
    texts = [*notes(3, seed=3), *notes(7, seed=4, shortest=10, longest=60)]
    texts += ["", "...", "Chest pain", "café au lait", "胸痛"]
    scorer = RougeScorer(["rougeL"])
    found = whole(texts)
    for i, one in enumerate(texts):
        for j in range(i):
            score = scorer.score(one, texts[j])["rougeL"].fmeasure
            assert found[j, i] == score


@given(st.lists(st.text(alphabet="ab .É1İ", max_size=20), min_size=2, max_size=5))
def test_equals_rouge_score_on_short_texts(texts: list[str]) -> None:
    scorer = RougeScorer(["rougeL"])
    kernel = rouge_l_kernel(texts)
    for i in range(len(texts)):
        for j in range(len(texts)):
            found = kernel.block(slice(i, i + 1), slice(j, j + 1))[0, 0]
            assert found == scorer.score(texts[i], texts[j])["rougeL"].fmeasure
            assert 0 <= found <= 1
            assert found == kernel.block(slice(j, j + 1), slice(i, i + 1))[0, 0]


def test_records_in_another_script_are_failures_and_no_figure() -> None:
    texts = [
        "Symptoms: 腰痛多年，左腿放射痛",
        "Symptoms: 5 µmol/L, café, β-blockers for years",
        "pain",
    ]

    async def kernel(some: list[str]) -> object:
        return await RougeL().kernel(Texts(some, ["a", "b", "c"][-len(some) :]), cast(Any, None))

    assert asyncio.run(kernel(texts[1:])) is not None
    with pytest.raises(Unscored, match="1 of 3 records") as raised:
        asyncio.run(kernel(texts))
    assert [failure.item for failure in raised.value.failures] == ["a"]
