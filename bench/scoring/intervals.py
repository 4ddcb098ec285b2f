"""Intervals and paired comparisons; every one 95 % two-sided, but Wilson's if a level is given.

numpy and scipy are imported inside the functions, so that naming the types costs nothing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from bench.api.score import Interval

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVEL = 0.95


def normal_quantile(level: float = LEVEL) -> float:
    """Two-sided standard normal quantile; 1.96 for 0.95."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(0.5 + level / 2)


def wilson(successes: int, n: int, level: float = LEVEL) -> Interval | None:
    """Wilson's score interval of a share (Wilson 1927); none for n = 0.

    Raises:
        ValueError: unless 0 <= successes <= n.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n}")
    if n == 0:
        return None
    return _wilson(successes / n, n, level, "wilson")


def _wilson(share: float, n: int, level: float, method: str) -> Interval:
    """Wilson's interval of any share of n, be it no share of a whole number."""
    z = normal_quantile(level)
    scale = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    low = 0.0 if share == 0 else middle - half
    high = 1.0 if share == 1 else middle + half
    return Interval(low=low, high=high, level=level, method=method)


def paired_share_difference(
    first: Sequence[bool], second: Sequence[bool]
) -> tuple[float, Interval]:
    """Share of `first` minus share of `second` on the same items.

    The interval is Bonett and Price's (2012) adjusted Wald interval for paired shares, which keeps
    its coverage where the two never differ.

    Raises:
        ValueError: if the lengths differ, or there are no items.
    """
    pairs = list(zip(first, second, strict=True))
    if not pairs:
        raise ValueError("no items")
    n = len(pairs)
    only_first = sum(a and not b for a, b in pairs)
    only_second = sum(b and not a for a, b in pairs)
    interval = _bonett_price(only_first, only_second, n, "bonett-price")
    return (only_first - only_second) / n, interval


def _bonett_price(more: float, less: float, n: int, method: str) -> Interval:
    """Bonett and Price's interval of n pairs of which `more` differ up and `less` down."""
    p, q = (more + 1) / (n + 2), (less + 1) / (n + 2)
    half = normal_quantile() * math.sqrt((p + q - (p - q) ** 2) / (n + 2))
    low, high = max(p - q - half, -1.0), min(p - q + half, 1.0)
    return Interval(low=low, high=high, level=LEVEL, method=method)


def mcnemar(first: Sequence[bool], second: Sequence[bool]) -> float:
    """Exact two-sided McNemar p-value in [0, 1] of two paired yes/no series.

    Raises:
        ValueError: if the lengths differ.
    """
    pairs = list(zip(first, second, strict=True))
    only_first = sum(a and not b for a, b in pairs)
    only_second = sum(b and not a for a, b in pairs)
    n, k = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(n, i) for i in range(k + 1))
    return min(1.0, 2 * tail / (1 << n))


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
    from scipy.stats import t

    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    half = float(t.ppf(0.5 + LEVEL / 2, n - 1)) * math.sqrt(variance / n)
    return mean, Interval(low=mean - half, high=mean + half, level=LEVEL, method="student-t")


@dataclass(frozen=True)
class PairMoments:
    """Sums over a symmetric kernel of n items, diagonal left out; all that its mean needs."""

    row_sums: NDArray[np.float64]
    """Shape (n,): sum of each item's kernel with all others."""
    sum_of_squares: float
    """Sum of squared kernel values over ordered pairs."""

    @property
    def n(self) -> int:
        """Number of items."""
        return len(self.row_sums)

    @property
    def total(self) -> float:
        """Sum over ordered pairs, the same on any number of threads."""
        return math.fsum(self.row_sums.tolist())

    @property
    def mean(self) -> float:
        """Mean over all pairs (a U-statistic of degree two).

        Raises:
            ValueError: for fewer than two items.
        """
        if self.n < 2:
            raise ValueError("a pair mean needs two items")
        return float(self.total / (self.n * (self.n - 1)))

    def variance(self) -> float | None:
        """Variance of the mean over new draws of items; none for fewer than four items.

        Hoeffding (1948): Var = (4(n-2) z1 + 2 z2) / (n(n-1)), with z1 = Cov(h12, h13) and
        z2 = Var(h12), both estimated without bias from disjoint index pairs; z1 below zero,
        which only noise can make, counts as zero.
        """
        n = self.n
        if n < 4:
            return None
        squares_of_rows = math.fsum(self.row_sums**2)
        sharing_one = (squares_of_rows - self.sum_of_squares) / (n * (n - 1) * (n - 2))
        same = self.sum_of_squares / (n * (n - 1))
        disjoint = (self.total**2 - 4 * squares_of_rows + 2 * self.sum_of_squares) / (
            n * (n - 1) * (n - 2) * (n - 3)
        )
        z1, z2 = max(sharing_one - disjoint, 0.0), max(same - disjoint, 0.0)
        return (4 * (n - 2) * z1 + 2 * z2) / (n * (n - 1))


def macro_pair_mean(strata: Sequence[PairMoments]) -> tuple[float, Interval | None]:
    """Mean over strata of their pair means, with a normal interval from U-statistic theory.

    Strata (departments) are independent and weigh the same; the interval is none where a stratum
    has fewer than four items.

    Raises:
        ValueError: for no strata, or a stratum of fewer than two items.
    """
    if not strata:
        raise ValueError("no strata")
    mean = math.fsum(moments.mean for moments in strata) / len(strata)
    variances = [moments.variance() for moments in strata]
    known = [variance for variance in variances if variance is not None]
    if len(known) < len(strata):
        return mean, None
    half = normal_quantile() * math.sqrt(math.fsum(known)) / len(strata)
    return mean, Interval(low=mean - half, high=mean + half, level=LEVEL, method="u-statistic")


Clustered = Mapping[str, Sequence[float]]
"""Values by cluster, for instance a patient's answers, right (1) or wrong (0)."""
RESAMPLES = 10_000
FEW = 5
"""Clusters that must differ from the most common value for a bootstrap of shares to be trusted."""
_CELLS = 1 << 22
"""Draws held in memory at once, whatever the number of clusters."""
_KEPT = 1 << 20
"""Draws that are kept for the next score of as many clusters: 8 MB."""


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
        return mean, _wilson(mean, len(sums), LEVEL, "wilson of clusters")
    means = _resampled([(sums, counts)], seed, resamples)
    return mean, _percentiles(means)


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
        found = _bonett_price(more, less, n, "bonett-price of clusters")
        return value, found, n
    return value, _percentiles(_resampled(sides, seed, resamples)), n


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


def _resampled(
    sides: Sequence[tuple[Sequence[float], Sequence[int]]], seed: int, resamples: int
) -> NDArray[np.float64]:
    """The mean (of two sides: the difference of means) of each resample of clusters."""
    import numpy as np

    known = [(np.asarray(sums, float), np.asarray(counts, float)) for sums, counts in sides]
    found = []
    for drawn in _draws(len(known[0][0]), seed, resamples):
        means = [sums[drawn].sum(axis=1) / _drawn_counts(counts, drawn) for sums, counts in known]
        found.append(means[0] if len(means) == 1 else means[0] - means[1])
    return np.concatenate(found)


def _drawn_counts(counts: NDArray[np.float64], drawn: NDArray[np.int64]) -> Any:
    """Values in each resample; clusters of one size need no adding up."""
    if (counts == counts[0]).all():
        return counts[0] * drawn.shape[1]
    return counts[drawn].sum(axis=1)


def _draws(n: int, seed: int, resamples: int) -> Iterator[NDArray[np.int64]]:
    """Clusters drawn with replacement, in runs of resamples, each of shape (resamples, n)."""
    if n * resamples <= min(_KEPT, _CELLS):
        yield _kept_draws(n, seed, resamples)
        return
    import numpy as np

    draw = np.random.default_rng(seed)
    rows = max(1, _CELLS // n)
    for start in range(0, resamples, rows):
        yield draw.integers(0, n, size=(min(rows, resamples - start), n))


@lru_cache(maxsize=12)
def _kept_draws(n: int, seed: int, resamples: int) -> NDArray[np.int64]:
    """The scores of a run need the same draws again and again."""
    import numpy as np

    drawn = np.random.default_rng(seed).integers(0, n, size=(resamples, n))
    drawn.setflags(write=False)
    return drawn


def _percentiles(means: NDArray[np.float64]) -> Interval | None:
    """The middle 95 % of some resampled means; none where they do not differ."""
    import numpy as np

    if np.ptp(means) < 1e-12:
        return None
    low, high = np.quantile(means, [0.5 - LEVEL / 2, 0.5 + LEVEL / 2])
    return Interval(low=float(low), high=float(high), level=LEVEL, method="cluster-bootstrap")
