"""Intervals and paired comparisons, all 95 % and two-sided.

numpy and scipy are imported inside the functions, so that naming the types costs nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

from bench.api.score import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVEL = 0.95
FEW_PAIRS = 10
"""Pairs of a sample below which it has no interval."""
SOME_PAIRS = 40
"""Pairs of a sample below which simulated coverage of the 95 % interval of one group falls under
0.9, and with ten of skewed similarities to 0.86."""
Z = NormalDist().inv_cdf(0.5 + LEVEL / 2)
"""The two-sided quantile of the standard normal distribution, 1.96."""


def wilson(successes: float, n: int, method: str = "wilson") -> Interval | None:
    """Wilson's score interval of a share (Wilson 1927), be it of a whole number; none for n = 0.

    Raises:
        ValueError: unless 0 <= successes <= n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}")
    if n == 0:
        return None
    share = successes / n
    scale = 1 + Z * Z / n
    middle = (share + Z * Z / (2 * n)) / scale
    half = Z * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n)) / scale
    low = 0.0 if share == 0 else middle - half
    high = 1.0 if share == 1 else middle + half
    return Interval(low=low, high=high, level=LEVEL, method=method)


def bonett_price(
    only_first: float, only_second: float, n: int, method: str = "bonett-price"
) -> Interval:
    """Interval of a difference of shares of the same n > 0 items, (only_first - only_second) / n.

    Bonett and Price's (2012) adjusted Wald interval, which keeps its coverage where the two never
    differ. Given are how many only the first has, and only the second.
    """
    p, q = (only_first + 1) / (n + 2), (only_second + 1) / (n + 2)
    half = Z * math.sqrt((p + q - (p - q) ** 2) / (n + 2))
    low, high = max(p - q - half, -1.0), min(p - q + half, 1.0)
    return Interval(low=low, high=high, level=LEVEL, method=method)


def mcnemar(only_first: int, only_second: int) -> float:
    """Exact two-sided McNemar p-value in [0, 1], of how many only the one has and only the other.

    1 where there are none.
    """
    from scipy.stats import binomtest

    differing = only_first + only_second
    return float(binomtest(only_first, differing).pvalue) if differing else 1.0


def mean_interval(values: Sequence[float]) -> tuple[float, Interval | None]:
    """Mean and Student t interval of independent values.

    No interval for fewer than three, nor where all agree: one of no length would say too much.

    Raises:
        ValueError: for no values.
    """
    n = len(values)
    if n == 0:
        raise ValueError("no values")
    mean = math.fsum(values) / n
    if n < 3 or max(values) == min(values):
        return mean, None
    from scipy.stats import sem, t

    low, high = t.interval(LEVEL, n - 1, loc=mean, scale=sem(values))
    return mean, Interval(low=low, high=high, level=LEVEL, method="student-t")


@dataclass(frozen=True)
class PairMoments:
    """Sums over a symmetric kernel of n items, diagonal left out; all that its mean needs."""

    row_sums: NDArray[np.float64]
    """Shape (n,): sum of each item's kernel with all its partners."""
    sum_of_squares: float
    """Sum of squared kernel values over ordered pairs."""
    sampled: NDArray[np.int64] | None = None
    """Shape (n,): partners of each item in a sample of pairs, of which some may have none; none if
    all pairs are in the sums."""

    @property
    def n(self) -> int:
        """Number of items that are in a pair."""
        return len(self.row_sums) if self.sampled is None else int((self.sampled > 0).sum())

    @property
    def pairs(self) -> int:
        """Number of pairs in the sums."""
        return self.n * (self.n - 1) // 2 if self.sampled is None else int(self.sampled.sum()) // 2

    @property
    def total(self) -> float:
        """Sum over ordered pairs, the same on any number of threads."""
        return math.fsum(self.row_sums.tolist())

    @property
    def mean(self) -> float:
        """Mean over the pairs (a U-statistic of degree two; of a sample an incomplete one).

        Raises:
            ValueError: for no pair.
        """
        if not self.pairs:
            raise ValueError("a pair mean needs two items")
        return float(self.total / (2 * self.pairs))

    def variance(self) -> float | None:
        """Variance of the mean over new draws of items.

        None for fewer than four items, nor for a sample of fewer than `FEW_PAIRS` pairs.

        Hoeffding (1948), for incomplete designs Blom (1976). Item i has d_i partners, so there are
        M = sum d_i ordered pairs, and S = sum d_i (d_i - 1). Var = (2 M z2 + 4 S z1) / M^2 with
        z1 = Cov(h12, h13) and z2 = Var(h12), each estimated as the mean product of values whose
        pairs share one item, or both, less that of values whose pairs share none; below zero,
        where only noise leads, they count as zero. For all pairs of n items that is
        (4 (n-2) z1 + 2 z2) / (n (n-1)).
        """
        n, ordered = self.n, 2 * self.pairs
        if n < 4 or (self.sampled is not None and self.pairs < FEW_PAIRS):
            return None
        # Whole numbers of any size: n^4 does not fit a machine's.
        partners = [n - 1] * n if self.sampled is None else self.sampled.tolist()
        squares = sum(count * count for count in partners)
        sharing, disjoint = squares - ordered, ordered * ordered - 4 * squares + 2 * ordered
        if not disjoint:
            return None
        squares_of_rows = math.fsum(self.row_sums**2)
        apart = (self.total**2 - 4 * squares_of_rows + 2 * self.sum_of_squares) / disjoint
        z2 = max(self.sum_of_squares / ordered - apart, 0.0)
        z1 = 0.0
        if sharing:
            z1 = max((squares_of_rows - self.sum_of_squares) / sharing - apart, 0.0)
        return (2 * ordered * z2 + 4 * sharing * z1) / ordered**2


def macro_pair_mean(strata: Sequence[PairMoments]) -> tuple[float, Interval | None]:
    """Mean over strata of their pair means, with a normal interval from U-statistic theory.

    Strata (departments) are independent and weigh the same; the interval is none where a stratum
    has too few items or pairs.

    Raises:
        ValueError: for no strata, or a stratum without a pair.
    """
    if not strata:
        raise ValueError("no strata")
    mean = math.fsum(moments.mean for moments in strata) / len(strata)
    variances = [moments.variance() for moments in strata]
    known = [variance for variance in variances if variance is not None]
    if len(known) < len(strata):
        return mean, None
    half = Z * math.sqrt(math.fsum(known)) / len(strata)
    return mean, Interval(low=mean - half, high=mean + half, level=LEVEL, method="u-statistic")


Clustered = Mapping[str, Sequence[float]]
"""Values by cluster, for instance a patient's answers, right (1) or wrong (0)."""
RESAMPLES = 10_000
FEW = 5
"""Clusters that must differ from the most common value for a bootstrap of shares to be trusted."""
_CELLS = 1 << 22
"""Draws held in memory at once, whatever the number of clusters."""


def cluster_bootstrap(
    values: Clustered,
    *,
    share: bool = False,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> tuple[float, Interval | None]:
    """Mean of all values, with a percentile interval from whole clusters drawn with replacement.

    Values of one cluster may depend on each other (the answers of one patient); clusters may not.
    The same values, in the same order of clusters, give the same interval. No interval for fewer
    than three clusters, nor where all clusters have one mean: resampling then says nothing, and an
    interval of no length would say too much. `share` tells that the values are yes or no: where
    fewer than `FEW` clusters have another mean than most, Wilson's interval of the share, for as
    many answers as there are clusters, stands in. It is right if a patient's answers go together
    and too wide if they do not.

    Raises:
        ValueError: for no values.
    """
    sums, counts = _totals(list(values.values()))
    mean = _mean(sums, counts)
    if len(sums) < 3:
        return mean, None
    if share and _alike(one / count for one, count in zip(sums, counts, strict=True)):
        return mean, wilson(mean * len(sums), len(sums), "wilson of clusters")
    return mean, _bootstrap([(sums, counts)], seed, resamples)


def cluster_bootstrap_difference(
    first: Clustered,
    second: Clustered,
    *,
    share: bool = False,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> tuple[float, Interval | None, int] | None:
    """Mean of `first` minus mean of `second` on the clusters both have, its interval, their number.

    A cluster is drawn for both sides at once, so what a patient does to both cancels. None where
    they share no cluster with values; no interval as for `cluster_bootstrap`. `share` as there:
    where fewer than `FEW` clusters differ by something else than most, Bonett and Price's interval
    over clusters stands in, to which a cluster brings the difference of its means.
    """
    shared = [name for name in first if first[name] and second.get(name)]
    if not shared:
        return None
    sides = [_totals([side[name] for name in shared]) for side in (first, second)]
    value = _mean(*sides[0]) - _mean(*sides[1])
    n = len(shared)
    if n < 3:
        return value, None, n
    means = [[a / m for a, m in zip(*side, strict=True)] for side in sides]
    apart = [one - other for one, other in zip(*means, strict=True)]
    if share and _alike(apart):
        more, less = (math.fsum(max(sign * one, 0.0) for one in apart) for sign in (1, -1))
        found = bonett_price(more, less, n, "bonett-price of clusters")
        return value, found, n
    return value, _bootstrap(sides, seed, resamples), n


def _alike(means: Iterable[float]) -> bool:
    """Whether fewer than `FEW` of some clusters' means are another than most are."""
    found = Counter(round(mean, 9) for mean in means)
    return found.total() - max(found.values()) < FEW


def _totals(clusters: Sequence[Sequence[float]]) -> tuple[list[float], list[int]]:
    """Sum and number of the values of each cluster that has any."""
    known = [values for values in clusters if len(values) > 0]
    return [math.fsum(values) for values in known], [len(values) for values in known]


def _mean(sums: Sequence[float], counts: Sequence[int]) -> float:
    if not counts:
        raise ValueError("no values")
    return math.fsum(sums) / sum(counts)


def _bootstrap(
    sides: Sequence[tuple[Sequence[float], Sequence[int]]], seed: int, resamples: int
) -> Interval | None:
    """The middle 95 % of the means (of two sides: of their differences) of resampled clusters.

    None where they do not differ.
    """
    import numpy as np
    from scipy.stats import bootstrap

    def mean(sums: Any, counts: Any, *other: Any, axis: int = -1) -> Any:
        own = sums.sum(axis=axis) / counts.sum(axis=axis)
        return own - mean(*other, axis=axis) if other else own

    columns = [np.asarray(column, float) for side in sides for column in side]
    made = bootstrap(
        columns,
        mean,
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, _CELLS // len(columns[0])),
        confidence_level=LEVEL,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    if np.ptp(made.bootstrap_distribution) < 1e-12:
        return None
    low, high = map(float, made.confidence_interval)
    return Interval(low=low, high=high, level=LEVEL, method="cluster-bootstrap")
