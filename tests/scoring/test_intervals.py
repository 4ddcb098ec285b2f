import math
import random
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap, ttest_1samp

from bench.api.pair_metric import Matrix
from bench.scoring.intervals import (
    PairMoments,
    cluster_bootstrap,
    cluster_bootstrap_difference,
    macro_pair_mean,
    mcnemar,
    mean_interval,
    paired_share_difference,
    wilson,
)


def moments_of(matrix: Matrix) -> PairMoments:
    hollow = matrix - np.diag(np.diag(matrix))
    return PairMoments(row_sums=hollow.sum(axis=1), sum_of_squares=float((hollow**2).sum()))


def simulated(draw: np.random.Generator, n: int, shared: float) -> Matrix:
    """A symmetric kernel with mean 0.5: effects of the items, their product, and noise."""
    effect = draw.normal(size=n)
    noise = np.triu(draw.normal(size=(n, n)), 1)
    matrix: Matrix = 0.5 + shared * (effect[:, None] + effect) + 0.05 * np.outer(effect, effect)
    return matrix + 0.05 * (noise + noise.T)


@given(st.integers(0, 200), st.integers(1, 200), st.sampled_from([0.9, 0.95, 0.99]))
def test_wilson_equals_scipy(k: int, n: int, level: float) -> None:
    k = min(k, n)
    expected = binomtest(k, n).proportion_ci(level, method="wilson")
    found = wilson(k, n, level)
    assert found is not None
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_at_the_ends() -> None:
    assert wilson(0, 0) is None
    nothing, everything = wilson(0, 20), wilson(20, 20)
    assert nothing is not None
    assert everything is not None
    assert nothing.low == 0
    assert everything.high == 1
    with pytest.raises(ValueError, match="21 successes of 20"):
        wilson(21, 20)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=60))
def test_mcnemar_equals_the_binomial_test(pairs: list[tuple[bool, bool]]) -> None:
    first, second = [a for a, _ in pairs], [b for _, b in pairs]
    differ = sum(a != b for a, b in pairs)
    only = sum(a and not b for a, b in pairs)
    expected = float(binomtest(only, differ, 0.5).pvalue) if differ else 1.0
    assert mcnemar(first, second) == pytest.approx(expected, abs=1e-12)


def test_paired_share_difference_by_hand() -> None:
    # Of 10, 3 only first and 1 only second: p = 4/12, q = 2/12, se^2 = (1/2 - 1/36) / 12.
    first = [True] * 3 + [False] + [True] * 4 + [False] * 2
    second = [False] * 3 + [True] + [True] * 4 + [False] * 2
    value, interval = paired_share_difference(first, second)
    half = 1.959963984540054 * math.sqrt((0.5 - 1 / 36) / 12)
    assert value == pytest.approx(0.2)
    assert (interval.low, interval.high) == pytest.approx((1 / 6 - half, 1 / 6 + half))
    with pytest.raises(ValueError, match="no items"):
        paired_share_difference([], [])
    with pytest.raises(ValueError, match="shorter"):
        paired_share_difference([True], [])


@pytest.mark.parametrize("shares", [(0.2, 0.1), (0.02, 0.01), (0.4, 0.4), (0.0, 0.0)])
def test_paired_share_difference_covers(shares: tuple[float, float]) -> None:
    draw = random.Random(1)
    truth, covered = shares[0] - shares[1], 0
    for _ in range(400):
        kinds = [draw.random() for _ in range(60)]
        first = [kind < shares[0] for kind in kinds]
        second = [shares[0] <= kind < sum(shares) for kind in kinds]
        _, interval = paired_share_difference(first, second)
        covered += interval.low <= truth <= interval.high
    assert covered >= 0.93 * 400


def test_mean_interval_equals_the_t_test() -> None:
    values = [0.1, 0.4, 0.35, 0.8, 0.2]
    mean, interval = mean_interval(values)
    expected = ttest_1samp(values, 0).confidence_interval()
    assert interval is not None
    assert mean == pytest.approx(0.37)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))
    assert mean_interval([0.5]) == (0.5, None)
    with pytest.raises(ValueError, match="no values"):
        mean_interval([])


@pytest.mark.parametrize("shared", [0.0, 0.1])
def test_variance_equals_its_definition(shared: float) -> None:
    n = 7
    h = simulated(np.random.default_rng(3), n, shared)
    same = np.mean([h[i, j] ** 2 for i, j in permutations(range(n), 2)])
    one = np.mean([h[i, j] * h[i, k] for i, j, k in permutations(range(n), 3)])
    none = np.mean([h[i, j] * h[k, m] for i, j, k, m in permutations(range(n), 4)])
    z1, z2 = max(one - none, 0), same - none
    expected = (4 * (n - 2) * z1 + 2 * z2) / (n * (n - 1))
    assert moments_of(h).variance() == pytest.approx(float(expected))


def test_variance_is_the_spread_of_the_mean() -> None:
    draw = np.random.default_rng(4)
    found = [moments_of(simulated(draw, 15, 0.1)) for _ in range(2000)]
    spread = float(np.var([one.mean for one in found], ddof=1))
    assert np.mean([one.variance() for one in found]) == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize(("n", "shared"), [(10, 0.1), (10, 0.02), (10, 0.0), (40, 0.1)])
def test_macro_interval_covers(n: int, shared: float) -> None:
    draw = np.random.default_rng(5)
    covered = 0
    for _ in range(300):
        mean, interval = macro_pair_mean([moments_of(simulated(draw, n, shared)) for _ in range(6)])
        assert interval is not None
        assert interval.low <= mean <= interval.high
        covered += interval.low <= 0.5 <= interval.high
    assert covered >= 0.92 * 300


def test_few_items_have_no_interval() -> None:
    draw = np.random.default_rng(6)
    three, four = (moments_of(simulated(draw, n, 0.1)) for n in (3, 4))
    assert macro_pair_mean([three, four])[1] is None
    assert macro_pair_mean([four])[1] is not None
    with pytest.raises(ValueError, match="no strata"):
        macro_pair_mean([])
    with pytest.raises(ValueError, match="two items"):
        _ = PairMoments(row_sums=np.zeros(1), sum_of_squares=0.0).mean


def alone(values: np.ndarray) -> dict[str, list[float]]:
    """Each value a cluster of its own."""
    return {str(index): [float(value)] for index, value in enumerate(values)}


def test_a_bootstrap_of_single_values_is_scipys() -> None:
    values = np.random.default_rng(1).gamma(2.0, size=50)
    mean, found = cluster_bootstrap(alone(values), resamples=40_000)
    expected = bootstrap(
        (values,), np.mean, method="percentile", n_resamples=40_000, rng=2
    ).confidence_interval
    assert found is not None
    assert mean == pytest.approx(values.mean())
    width = expected.high - expected.low
    assert found.low == pytest.approx(expected.low, abs=0.02 * width)
    assert found.high == pytest.approx(expected.high, abs=0.02 * width)


def test_a_paired_bootstrap_of_single_values_is_that_of_their_differences() -> None:
    draw = np.random.default_rng(3)
    second = draw.normal(size=40)
    first = second + draw.normal(0.2, 0.1, size=40)
    found = cluster_bootstrap_difference(alone(first), alone(second), seed=5)
    mean, interval = cluster_bootstrap(alone(first - second), seed=5)
    assert found is not None
    assert interval is not None
    assert found[0] == pytest.approx(mean)
    assert found[1] is not None
    assert (found[1].low, found[1].high) == pytest.approx((interval.low, interval.high))
    assert found[2] == 40


def test_values_that_a_cluster_repeats_do_not_shorten_the_interval() -> None:
    once = alone(np.random.default_rng(4).normal(size=30))
    often = {name: values * 13 for name, values in once.items()}
    (_, few), (_, many) = cluster_bootstrap(once), cluster_bootstrap(often)
    assert few is not None
    assert many is not None
    assert (many.low, many.high) == pytest.approx((few.low, few.high))


def test_a_bootstrap_is_the_same_each_time_and_another_with_another_seed() -> None:
    values = alone(np.random.default_rng(5).normal(size=20))
    assert cluster_bootstrap(values) == cluster_bootstrap(values)
    assert cluster_bootstrap(values) != cluster_bootstrap(values, seed=1)


def test_many_clusters_are_drawn_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    values = alone(np.random.default_rng(6).normal(size=50))
    whole = cluster_bootstrap(values, resamples=500)
    monkeypatch.setattr("bench.scoring.intervals._CELLS", 50 * 7)
    assert cluster_bootstrap(values, resamples=500) == whole


def test_draws_that_are_kept_are_those_that_would_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    draw = np.random.default_rng(8)
    values = {str(n): draw.normal(size=1 + n % 3).tolist() for n in range(30)}
    kept = [cluster_bootstrap(values, seed=seed) for seed in (0, 1, 0)]
    monkeypatch.setattr("bench.scoring.intervals._KEPT", 0)
    assert kept == [cluster_bootstrap(values, seed=seed) for seed in (0, 1, 0)]
    names = np.random.default_rng(0).integers(0, 30, size=(10_000, 30))
    lists = list(values.values())
    means = [np.mean([v for n in row for v in lists[n]]) for row in names[:500]]
    found = cluster_bootstrap(values, resamples=500)[1]
    assert found is not None
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))


def test_clusters_of_unlike_size_weigh_by_their_values() -> None:
    mean, found = cluster_bootstrap({"a": [1.0] * 9, "b": [0.0], "c": [], "d": [1.0, 0.0]})
    assert mean == pytest.approx(10 / 12)
    assert found is not None
    assert (found.low, found.high) == (0.0, 1.0)


def test_a_bootstrap_without_spread_gives_no_interval_of_no_length() -> None:
    alike = {str(index): [5.0, 7.0] for index in range(10)}
    assert cluster_bootstrap(alike) == (6.0, None)
    assert cluster_bootstrap_difference(alike, alike) == (0.0, None, 10)
    right = {str(index): [1.0] * 13 for index in range(60)}
    mean, found = cluster_bootstrap(right, share=True)
    expected = wilson(60, 60)
    assert expected is not None
    assert found is not None
    assert (mean, found.low, found.high) == (1.0, expected.low, 1.0)
    difference = cluster_bootstrap_difference(right, right, share=True)
    assert difference is not None
    value, interval, n = difference
    assert interval is not None
    assert (value, n) == (0.0, 60)
    assert interval.low < 0 < interval.high


def answers(wrong: dict[int, int]) -> dict[str, list[float]]:
    """60 patients of 13 right answers, but for so many wrong of some patients."""
    return {
        str(one): [0.0] * wrong.get(one, 0) + [1.0] * (13 - wrong.get(one, 0)) for one in range(60)
    }


def test_a_share_close_to_all_right_has_an_interval_as_wide_as_all_right() -> None:
    _, perfect = cluster_bootstrap(answers({}), share=True)
    assert perfect is not None
    assert perfect.method == "wilson of clusters"
    for wrong in ({0: 1}, {0: 1, 1: 1}, {0: 1, 1: 1, 2: 2, 3: 1}):
        value, near = cluster_bootstrap(answers(wrong), share=True)
        assert near is not None
        assert near.method == "wilson of clusters"
        assert near.low < perfect.low < value < near.high < 1
        assert perfect.low - near.low < 0.02
    _, many = cluster_bootstrap(answers(dict.fromkeys(range(5), 1)), share=True)
    assert many is not None
    assert many.method == "cluster-bootstrap"


def test_a_difference_of_few_clusters_is_as_wide_as_none() -> None:
    for wrong in ({0: 1}, {0: 1, 1: 2}):
        found = cluster_bootstrap_difference(answers({}), answers(wrong), share=True)
        assert found is not None
        value, interval, n = found
        assert interval is not None
        assert (interval.method, n) == ("bonett-price of clusters", 60)
        assert interval.low < 0 < value < interval.high
        assert interval.high - interval.low > 0.08
        turned = cluster_bootstrap_difference(answers(wrong), answers({}), share=True)
        assert turned is not None
        assert turned[1] is not None
        assert (-turned[1].high, -turned[1].low) == pytest.approx((interval.low, interval.high))


def test_a_share_close_to_all_right_is_covered() -> None:
    draw = np.random.default_rng(8)
    for truth in (0.98, 0.998):
        covered = 0
        for repeat in range(300):
            right = draw.random((60, 13)) < truth
            values = {str(i): [float(v) for v in row] for i, row in enumerate(right)}
            _, found = cluster_bootstrap(values, share=True, seed=repeat, resamples=500)
            assert found is not None
            covered += found.low <= truth <= found.high
        assert covered / 300 >= 0.9


def test_too_little_for_a_bootstrap() -> None:
    assert cluster_bootstrap({"a": [1.0], "b": [0.0]}) == (0.5, None)
    assert cluster_bootstrap_difference({"a": [1.0]}, {"b": [1.0]}) is None
    assert cluster_bootstrap_difference({"a": [1.0], "b": []}, {"a": [0.5]}) == (0.5, None, 1)
    with pytest.raises(ValueError, match="no values"):
        cluster_bootstrap({"a": []})


@pytest.mark.parametrize("spread", [0.0, 1.5])
def test_a_cluster_bootstrap_covers(spread: float) -> None:
    """60 patients of 13 answers; the effect of a patient is as large as a logit of `spread`."""
    draw = np.random.default_rng(7)
    repeats, patients, base = 300, 60, 1.0
    truth = float((1 / (1 + np.exp(-(base + spread * draw.normal(size=400_000))))).mean())
    covered = 0
    for repeat in range(repeats):
        chance = 1 / (1 + np.exp(-(base + spread * draw.normal(size=patients))))
        answers = draw.random((patients, 13)) < chance[:, None]
        values = {str(i): [float(v) for v in row] for i, row in enumerate(answers)}
        _, found = cluster_bootstrap(values, seed=repeat, resamples=1000)
        assert found is not None
        covered += found.low <= truth <= found.high
    assert 0.90 <= covered / repeats <= 0.98
