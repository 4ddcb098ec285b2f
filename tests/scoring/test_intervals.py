import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from patients import ends
from scipy.stats import binomtest, ttest_1samp

from bench.api.pair_metric import Matrix
from bench.scoring.intervals import (
    PairMoments,
    bonett_price,
    cluster_bootstrap,
    cluster_bootstrap_difference,
    macro_pair_mean,
    mcnemar,
    mean_interval,
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


@given(st.integers(0, 200), st.integers(1, 200))
def test_wilson_equals_scipy(k: int, n: int) -> None:
    k = min(k, n)
    expected = binomtest(k, n).proportion_ci(0.95, method="wilson")
    low, high = ends(wilson(k, n))
    assert (low, high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert (low == 0, high == 1) == (k == 0, k == n)


def test_wilson_of_nothing_and_of_too_many() -> None:
    assert wilson(0, 0) is None
    with pytest.raises(ValueError, match="21"):
        wilson(21, 20)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_equals_statsmodels(first: int, second: int) -> None:
    contingency = pytest.importorskip("statsmodels.stats.contingency_tables")
    expected = contingency.mcnemar([[1, first], [second, 1]], exact=True).pvalue
    assert mcnemar(*np.array([first, second])) == pytest.approx(min(expected, 1.0), rel=1e-9)
    assert mcnemar(0, 100) == pytest.approx(2 * 0.5**100)


def test_bonett_price_by_hand() -> None:
    # Of 10, 3 only first and 1 only second: p = 4/12, q = 2/12, se^2 = (1/2 - 1/36) / 12.
    interval = bonett_price(3, 1, 10)
    half = 1.959963984540054 * math.sqrt((0.5 - 1 / 36) / 12)
    assert (interval.low, interval.high) == pytest.approx((1 / 6 - half, 1 / 6 + half))


@pytest.mark.parametrize("shares", [(0.2, 0.1), (0.02, 0.01), (0.4, 0.4), (0.0, 0.0)])
def test_bonett_price_covers(shares: tuple[float, float]) -> None:
    drawn = np.random.default_rng(1).multinomial(60, [*shares, 1 - sum(shares)], size=400)
    found = [bonett_price(first, second, 60) for first, second, _ in drawn.tolist()]
    truth = shares[0] - shares[1]
    assert sum(one.low <= truth <= one.high for one in found) >= 0.93 * 400


@given(st.lists(st.integers(-50, 50), min_size=3, max_size=30))
def test_mean_interval_equals_the_t_test(values: list[float]) -> None:
    mean, interval = mean_interval(values)
    assert mean == pytest.approx(np.mean(values))
    if interval is None:
        assert len(set(values)) == 1
    else:
        expected = ttest_1samp(values, 0).confidence_interval()
        assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high))


def test_too_little_for_a_mean_interval() -> None:
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
    for _ in range(200):
        mean, interval = macro_pair_mean([moments_of(simulated(draw, n, shared)) for _ in range(6)])
        low, high = ends(interval)
        assert low <= mean <= high
        covered += low <= 0.5 <= high
    assert covered >= 0.92 * 200


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


def ratios(values: dict[str, list[float]], resamples: int, seed: int) -> tuple[float, float]:
    """The percentiles of means of resampled clusters, by a plain loop."""
    lists = list(values.values())
    draw = np.random.default_rng(seed).integers(0, len(lists), size=(resamples, len(lists)))
    means = [np.mean([value for at in row for value in lists[at]]) for row in draw]
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


@pytest.mark.parametrize(
    ("held", "seed"), [(1 << 22, 0), (30 * 7, 1)], ids=["at once", "in blocks"]
)
def test_clusters_are_drawn_whole(monkeypatch: pytest.MonkeyPatch, held: int, seed: int) -> None:
    monkeypatch.setattr("bench.scoring.intervals._CELLS", held)
    draw = np.random.default_rng(8)
    values = {str(n): draw.normal(size=1 + n % 3).tolist() for n in range(30)}
    _, found = cluster_bootstrap(values, seed=seed, resamples=500)
    assert ends(found) == pytest.approx(ratios(values, 500, seed), rel=1e-12)


def test_a_paired_bootstrap_of_single_values_is_that_of_their_differences() -> None:
    draw = np.random.default_rng(3)
    second = draw.normal(size=40)
    first = second + draw.normal(0.2, 0.1, size=40)
    found = cluster_bootstrap_difference(alone(first), alone(second), seed=5)
    mean, interval = cluster_bootstrap(alone(first - second), seed=5)
    assert found is not None
    assert found[0] == pytest.approx(mean)
    assert found[2] == 40
    assert ends(found[1]) == pytest.approx(ends(interval))


def test_values_that_a_cluster_repeats_do_not_shorten_the_interval() -> None:
    once = alone(np.random.default_rng(4).normal(size=30))
    often = {name: values * 13 for name, values in once.items()}
    (_, few), (_, many) = cluster_bootstrap(once), cluster_bootstrap(often)
    assert ends(many) == pytest.approx(ends(few))


def test_clusters_of_unlike_size_weigh_by_their_values() -> None:
    mean, found = cluster_bootstrap({"a": [1.0] * 9, "b": [0.0], "c": [], "d": [1.0, 0.0]})
    assert (mean, *ends(found)) == (10 / 12, 0.0, 1.0)


def test_a_bootstrap_without_spread_gives_no_interval_of_no_length() -> None:
    alike = {str(index): [5.0, 7.0] for index in range(10)}
    assert cluster_bootstrap(alike) == (6.0, None)
    assert cluster_bootstrap_difference(alike, alike) == (0.0, None, 10)
    right = {str(index): [1.0] * 13 for index in range(60)}
    mean, found = cluster_bootstrap(right, share=True)
    assert (mean, *ends(found)) == (1.0, *ends(wilson(60, 60)))
    value, (low, high), n = apart(right, right)
    assert (value, n) == (0.0, 60)
    assert low < 0 < high


Clusters = dict[str, list[float]]


def apart(first: Clusters, second: Clusters) -> tuple[float, tuple[float, float], int]:
    """A difference of shares that must be there, with the ends of its interval."""
    found = cluster_bootstrap_difference(first, second, share=True)
    assert found is not None
    return found[0], ends(found[1]), found[2]


def answers(wrong: dict[int, int]) -> dict[str, list[float]]:
    """60 patients of 13 right answers, but for so many wrong of some patients."""
    return {
        str(one): [0.0] * wrong.get(one, 0) + [1.0] * (13 - wrong.get(one, 0)) for one in range(60)
    }


def test_a_share_close_to_all_right_has_an_interval_as_wide_as_all_right() -> None:
    lowest, _ = ends(cluster_bootstrap(answers({}), share=True)[1])
    for wrong in ({0: 1}, {0: 1, 1: 1}, {0: 1, 1: 1, 2: 2, 3: 1}):
        value, near = cluster_bootstrap(answers(wrong), share=True)
        low, high = ends(near)
        assert low < lowest < value < high < 1
        assert lowest - low < 0.02
        assert near and near.method == "wilson of clusters"
    _, many = cluster_bootstrap(answers(dict.fromkeys(range(5), 1)), share=True)
    assert many and many.method == "cluster-bootstrap"


def test_a_difference_of_few_clusters_is_as_wide_as_none() -> None:
    for wrong in ({0: 1}, {0: 1, 1: 2}):
        value, (low, high), n = apart(answers({}), answers(wrong))
        assert n == 60
        assert low < 0 < value < high
        assert high - low > 0.08
        _, (below, above), _ = apart(answers(wrong), answers({}))
        assert (-above, -below) == pytest.approx((low, high))


def test_too_little_for_a_bootstrap() -> None:
    assert cluster_bootstrap({"a": [1.0], "b": [0.0]}) == (0.5, None)
    assert cluster_bootstrap_difference({"a": [1.0]}, {"b": [1.0]}) is None
    assert cluster_bootstrap_difference({"a": [1.0], "b": []}, {"a": [0.5]}) == (0.5, None, 1)
    with pytest.raises(ValueError, match="no values"):
        cluster_bootstrap({"a": []})


@pytest.mark.parametrize(
    ("base", "spread", "share"), [(1.0, 0.0, False), (1.0, 1.5, False), (3.9, 0.0, True)]
)
def test_a_cluster_bootstrap_covers(base: float, spread: float, share: bool) -> None:
    """60 patients of 13 answers; the effect of a patient is as large as a logit of `spread`."""
    draw = np.random.default_rng(7)
    repeats, patients = 200, 60
    truth = float((1 / (1 + np.exp(-(base + spread * draw.normal(size=400_000))))).mean())
    covered = 0
    for repeat in range(repeats):
        chance = 1 / (1 + np.exp(-(base + spread * draw.normal(size=patients))))
        answers = draw.random((patients, 13)) < chance[:, None]
        values = {str(i): [float(v) for v in row] for i, row in enumerate(answers)}
        low, high = ends(cluster_bootstrap(values, share=share, seed=repeat, resamples=500)[1])
        covered += low <= truth <= high
    assert 0.90 <= covered / repeats <= (1 if share else 0.985)
