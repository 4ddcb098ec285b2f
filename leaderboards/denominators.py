"""Which counts can stand behind a printed figure: exact arithmetic, no floating point.

A figure printed with so many decimals is k/N for some N and not for others. Below as many values as
its decimals can tell apart (10,000 for a percentage with two) few N fit, and a wrong one is found
out; above, all fit.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from random import Random
from typing import Literal

Rounding = Literal["half-up", "half-even", "cut"]
"""How the digits that are not printed went: "cut" is off without a look at them."""


@dataclass(frozen=True)
class Printed:
    """A figure as it is printed, in units of its last digit."""

    text: str
    units: int
    scale: int
    """Units that make the mean 1: 10,000 for a percentage with two decimals."""

    def __str__(self) -> str:
        return self.text


def percentage(text: str) -> Printed:
    """A share printed per cent: "81.03"."""
    return _printed(text, 100)


def rating(text: str) -> Printed:
    """A mean of whole ratings: "6.18"."""
    return _printed(text, 1)


def _printed(text: str, per_one: int) -> Printed:
    whole, _, decimals = text.partition(".")
    return Printed(text, int(whole + decimals), per_one * 10 ** len(decimals))


def rounded(top: int, bottom: int, rounding: Rounding = "half-up") -> int:
    """top/bottom, zero or more, as a whole number."""
    whole, rest = divmod(top, bottom)
    if rounding == "cut" or 2 * rest < bottom:
        return whole
    if rounding == "half-even" and 2 * rest == bottom:
        return whole + whole % 2
    return whole + 1


def numerator(figure: Printed, n: int, rounding: Rounding = "half-up") -> int | None:
    """The k for which k/n is printed as the figure, or none.

    Where several are (n above `scale`), one next to the figure.
    """
    near = figure.units * n // figure.scale
    for k in (near, near + 1):
        if rounded(k * figure.scale, n, rounding) == figure.units:
            return k
    return None


@cache
def denominators(figure: Printed, up_to: int, rounding: Rounding = "half-up") -> frozenset[int]:
    """Every N up to a limit that can stand behind a figure."""
    fits = (n for n in range(1, up_to + 1) if numerator(figure, n, rounding) is not None)
    return frozenset(fits)


def common(
    figures: Iterable[Printed], up_to: int, rounding: Rounding = "half-up"
) -> tuple[int, ...]:
    """Every N up to a limit that can stand behind all of some figures."""
    sets = [denominators(figure, up_to, rounding) for figure in figures]
    return tuple(sorted(frozenset.intersection(*sets))) if sets else ()


def share_of(figure: Printed, n: int) -> Literal["rounded", "cut", "never"]:
    """How a figure can be k of n: rounded, with its further digits cut off, or not at all."""
    if numerator(figure, n) is not None:
        return "rounded"
    return "never" if numerator(figure, n, "cut") is None else "cut"


def best_case(difference: int) -> float:
    """The smallest exact two-sided McNemar p-value that so many questions of difference allow.

    It is reached where no question went the other way: 2 / 2^d, and 1 for none.
    """
    return min(1.0, 0.5 ** (abs(difference) - 1))


def share_of_values(n: int, scale: int) -> Fraction:
    """Of all values with so many decimals between two whole numbers, the share that n can give."""
    given = {rounded(k * scale, n) % scale for k in range(n)}
    return Fraction(len(given), scale)


Draw = Callable[[Random], Printed]


def uniform(random: Random) -> Printed:
    """Any percentage from 75.00 to 100.00."""
    return _hundredths(random.randint(7_500, 10_000))


def own_count(random: Random) -> Printed:
    """A share from 75 to 100 % of a number of questions of its own, 10 to 100."""
    n = random.randint(10, 100)
    return _hundredths(rounded(random.randint(-(-3 * n // 4), n) * 10_000, n))


def _hundredths(units: int) -> Printed:
    return Printed(f"{units / 100:.2f}", units, 10_000)


def chance_of_common(draw: Draw, triples: int, seed: int, limits: Sequence[int]) -> list[int]:
    """Of so many random triples, how many have a common N up to each limit.

    The same seed gives the same counts.
    """
    random = Random(seed)
    found = [0] * len(limits)
    for _ in range(triples):
        smallest = next(iter(common([draw(random) for _ in range(3)], max(limits))), None)
        for place, limit in enumerate(limits):
            found[place] += smallest is not None and smallest <= limit
    return found
