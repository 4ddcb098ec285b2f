"""Intervals and paired comparisons; every one 95 % two-sided unless a level is given.

numpy and scipy are imported inside the functions, so that naming the types costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.model import Model

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEVEL = 0.95


class Interval(Model):
    """A confidence interval."""

    low: float
    high: float
    level: float = LEVEL
    """Nominal coverage."""
    method: str
    """How it was made, for instance "wilson"."""


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
    z = normal_quantile(level)
    share = successes / n
    scale = 1 + z * z / n
    middle = (share + z * z / (2 * n)) / scale
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / scale
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == n else middle + half
    return Interval(low=low, high=high, level=level, method="wilson")


def paired_share_difference(
    first: Sequence[bool], second: Sequence[bool], level: float = LEVEL
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
    p, q = (only_first + 1) / (n + 2), (only_second + 1) / (n + 2)
    half = normal_quantile(level) * math.sqrt((p + q - (p - q) ** 2) / (n + 2))
    interval = Interval(
        low=max(p - q - half, -1.0), high=min(p - q + half, 1.0), level=level, method="bonett-price"
    )
    return (only_first - only_second) / n, interval


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


def mean_interval(values: Sequence[float], level: float = LEVEL) -> tuple[float, Interval | None]:
    """Mean and Student t interval of independent values; no interval for fewer than three.

    Two values that happen to agree would make an interval of no length.

    Raises:
        ValueError: for no values.
    """
    n = len(values)
    if n == 0:
        raise ValueError("no values")
    mean = math.fsum(values) / n
    if n < 3:
        return mean, None
    from scipy.stats import t

    variance = math.fsum((value - mean) ** 2 for value in values) / (n - 1)
    half = float(t.ppf(0.5 + level / 2, n - 1)) * math.sqrt(variance / n)
    return mean, Interval(low=mean - half, high=mean + half, level=level, method="student-t")


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


def macro_pair_mean(
    strata: Sequence[PairMoments], level: float = LEVEL
) -> tuple[float, Interval | None]:
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
    half = normal_quantile(level) * math.sqrt(math.fsum(known)) / len(strata)
    return mean, Interval(low=mean - half, high=mean + half, level=level, method="u-statistic")
