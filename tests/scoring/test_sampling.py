"""Samples of pairs: what is drawn, and means, variances and differences over it."""

import asyncio
import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from patients import ONE, OTHER, departments, ends, figure, item_values, lacking, paired, patient

from bench.api.context import Context
from bench.api.item import Items
from bench.api.metric import MetricCard
from bench.api.pair_metric import ListedKernel, MatrixKernel, PairMetric, Pairs, Texts, view_text
from bench.api.score import Score
from bench.records.record import PatientRecord
from bench.scoring.intervals import FEW_PAIRS, PairMoments, macro_pair_mean
from bench.scoring.pairs import PairScores
from bench.scoring.sampling import sampled_pairs

CONTEXT = Context(cast(Any, None), cast(Any, None), seed=5)


def couples(ids: Sequence[str], pairs: Pairs) -> set[frozenset[str]]:
    return {frozenset((ids[i], ids[j])) for i, j in pairs.tolist()}


@given(st.integers(2, 23), st.integers(1, 300), st.integers(0, 3), st.randoms())
def test_a_sample_is_balanced_and_goes_by_ids_and_seed_alone(
    size: int, budget: int, seed: int, random: Any
) -> None:
    ids = [f"p{number}" for number in range(size)]
    drawn = sampled_pairs(ids, budget, seed)
    known = couples(ids, drawn)
    assert len(drawn) == len(known) == min(budget, math.comb(size, 2))
    assert {len(couple) for couple in known} == {2}
    partners = np.bincount(drawn.ravel(), minlength=size)
    assert partners.max() - partners.min() <= 2
    mixed = random.sample(ids, size)
    assert couples(mixed, sampled_pairs(mixed, budget, seed)) == known


def test_seeds_draw_other_pairs_and_a_larger_group_keeps_most() -> None:
    ids = [f"p{number}" for number in range(61)]
    first, other = (couples(ids, sampled_pairs(ids, 30, seed)) for seed in (0, 1))
    assert len(first & other) < 10
    assert len(first & couples(ids[:60], sampled_pairs(ids[:60], 30, 0))) >= 25


class Numbers(PairMetric):
    """The product of the numbers in two records; lists what is wanted, where there is a budget."""

    card = MetricCard(name="numbers", summary="Product.", unit="", better="lower")

    def __init__(self, budget: int | None = None) -> None:
        super().__init__(view="values")
        self.asked: list[set[frozenset[str]]] = []
        if budget is not None:
            self.budget = budget

    async def kernel(self, texts: Texts, context: Context) -> Any:
        numbers = np.array([number(text) for text in texts])
        self.asked.append(couples(texts.ids, texts.pairs))
        if not hasattr(self, "budget"):
            return MatrixKernel(np.outer(numbers, numbers))
        keys = [(name,) for name in texts.ids]
        return ListedKernel(numbers[texts.pairs].prod(axis=1), keys)

    def method(self, context: Context) -> tuple[str, ...]:
        return ("numbers",)


def number(text: str) -> float:
    return float(text.rsplit(" ", 1)[-1])


def records(ids: Sequence[int], seed: int = 0) -> list[PatientRecord]:
    return [patient(f"p{i}", "ab"[i % 2], f"pain {(i * 37 + seed * 11) % 101}") for i in ids]


def run(metric: Any, *sides: Any) -> PairScores:
    return asyncio.run(paired(metric, CONTEXT, *sides))


def by_hand(
    sides: Sequence[Sequence[PatientRecord]], budget: int, own: slice = slice(None)
) -> dict[str, float]:
    """Mean of the first of some sides, minus the second's, over the pairs drawn that these hold."""
    held = [{one.id: number(view_text(one, "values")) for one in side} for side in sides[own]]
    means = {}
    for department in "ab":
        ids = sorted({one.id for side in sides for one in side if one.department == department})
        values = []
        for i, j in sampled_pairs(ids, budget, CONTEXT.seed).tolist():
            if all(ids[at] in side for at in (i, j) for side in held):
                terms = [side[ids[i]] * side[ids[j]] for side in held]
                values.append(terms[0] - sum(terms[1:]))
        if values:
            means[department] = float(np.mean(values))
    return means


@given(
    st.lists(st.integers(0, 24), unique=True, max_size=20),
    st.lists(st.integers(0, 24), unique=True, max_size=20),
    st.integers(1, 80),
)
def test_both_sides_have_the_same_pairs_whatever_either_lacks(
    first: list[int], second: list[int], budget: int
) -> None:
    sides = [records(sorted(first)), records(sorted(second), 2)]
    found = run(Numbers(budget), *sides)
    for cell, own in ((ONE, slice(0, 1)), (OTHER, slice(1, 2))):
        known = {k: v for k, v in departments(found.scores[cell]).items() if v is not None}
        assert known == pytest.approx(by_hand(sides, budget, own))
    apart = departments(found.differences[ONE, OTHER])
    assert apart == pytest.approx(by_hand(sides, budget))


def alike(score: Score) -> tuple[Any, ...]:
    told = score.model_dump(exclude={"interval", "value"})
    figures = score.value, *ends(score.interval)
    return told, *(f"{one:.9g}" for one in figures)


def test_of_few_pairs_all_are_asked_and_the_figures_are_those_of_the_matrix() -> None:
    sides = [records(range(12)), records(range(2, 12), 1)]
    whole, listed = run(Numbers(), *sides), run(Numbers(15), *sides)
    for cell in (ONE, OTHER):
        for one, other in zip(whole.scores[cell], listed.scores[cell], strict=True):
            assert alike(one) == alike(other)
    apart = (one.differences[ONE, OTHER] for one in (whole, listed))
    for one, other in zip(*apart, strict=True):
        assert alike(one) == alike(other)


def test_a_sample_is_said_and_has_an_interval_only_of_enough_pairs() -> None:
    few, enough = (
        figure(run(Numbers(budget), records(range(40))).scores[ONE]) for budget in (2, FEW_PAIRS)
    )
    assert (few.interval, few.n) == (None, 6)
    assert any("4 of 380 pairs" in note for note in few.notes)
    assert enough.interval is not None
    assert any("20 of 380 pairs" in note for note in enough.notes)
    assert few.signature.endswith("|sample:circulant|budget:2|seed:5")
    assert "sample" not in figure(run(Numbers(190), records(range(40))).scores[ONE]).signature


def test_an_item_tells_its_partners_and_one_that_was_not_drawn_why_it_has_none() -> None:
    metric = Numbers(2)
    given = records(range(0, 12, 2))
    found = run(metric, given)
    values = item_values(found.evaluations[ONE])
    (asked,) = metric.asked
    held = {one.id: number(view_text(one, "values")) for one in given}
    for one in found.evaluations[ONE]:
        others = [next(iter(couple - {one.item})) for couple in asked if one.item in couple]
        if others:
            mean = held[one.item] * np.mean([held[name] for name in others])
            assert values[one.item] == pytest.approx((mean,))
        assert bool(one.left_out) == (not others)


def test_a_group_whose_pairs_are_lost_is_there_without_a_value() -> None:
    whole = records(range(0, 40, 2))
    ids = [one.id for one in whole]
    (lost, kept), *_ = sampled_pairs(ids, 1, CONTEXT.seed).tolist()
    lacks = [one for one in whole if one.id != ids[lost]]
    found = run(Numbers(1), whole, Items(lacks, lacking=lacking(1, "a")))
    score = figure(found.scores[OTHER], group="a")
    assert (score.value, score.n, score.n_missing) == (None, 0, 1)
    assert len(found.evaluations[OTHER]) == len(lacks)
    assert all(one.left_out for one in found.evaluations[OTHER])
    pair = [one for one in whole if one.id in (ids[lost], ids[kept])]
    alone = figure(run(Numbers(1), whole, pair).scores[OTHER])
    assert (alone.value is None, alone.interval) == (False, None)
    assert alone.signature.endswith("seed:5")  # one of a sample, not all there are


# Variance over a sample


def sums(matrix: Any, pairs: Pairs) -> PairMoments:
    values = matrix[pairs[:, 0], pairs[:, 1]]
    rows, partners = np.zeros(len(matrix)), np.zeros(len(matrix), dtype=int)
    for (i, j), value in zip(pairs.tolist(), values.tolist(), strict=True):
        rows[[i, j]] += value
        partners[[i, j]] += 1
    return PairMoments(rows, 2 * float((values**2).sum()), partners)


def kernel(draw: np.random.Generator, n: int) -> Any:
    effect = draw.gamma(2, 1, n)
    noise = np.triu(draw.normal(size=(n, n)), 1)
    return effect[:, None] + effect + noise + noise.T


@pytest.mark.parametrize("budget", [10, 17, 31])
def test_variance_equals_its_definition(budget: int) -> None:
    ids = [f"p{i}" for i in range(13)]
    pairs = sampled_pairs(ids, budget, 1)
    h = kernel(np.random.default_rng(2), 13)
    values = {frozenset(pair): h[tuple(pair)] for pair in pairs.tolist()}
    one = [values[a] * values[b] for a, b in combinations(values, 2) if len(a & b) == 1]
    none = [values[a] * values[b] for a, b in combinations(values, 2) if not a & b]
    same = np.mean([value**2 for value in values.values()])
    z1, z2 = max(np.mean(one) - np.mean(none), 0), max(same - np.mean(none), 0)
    expected = (len(values) * z2 + 2 * len(one) * z1) / len(values) ** 2
    assert sums(h, pairs).variance() == pytest.approx(float(expected))


def test_a_sample_is_without_bias_and_its_interval_covers() -> None:
    draw = np.random.default_rng(3)
    pairs = sampled_pairs([f"p{i}" for i in range(20)], 20, 1)
    found = [macro_pair_mean([sums(kernel(draw, 20), pairs) for _ in range(6)]) for _ in range(400)]
    assert np.mean([mean for mean, _ in found]) == pytest.approx(4, abs=0.03)
    covered = sum(one is not None and one.low <= 4 <= one.high for _, one in found)
    assert covered >= 0.92 * 400
