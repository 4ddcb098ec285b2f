"""Agreement of two raters beyond chance."""

import math
from collections import Counter
from collections.abc import Hashable, Sequence

from bench.api.score import Interval
from bench.scoring.intervals import LEVEL, Z


def cohen_kappa(
    first: Sequence[Hashable], second: Sequence[Hashable]
) -> tuple[float | None, Interval | None]:
    """Cohen's kappa of two raters of the same items, with its large-sample interval.

    The variance is that of Fleiss, Cohen and Everitt (1969). No kappa without items or where chance
    alone would agree always; no interval where the formula's variance is 0, which says nothing.

    Raises:
        ValueError: if the lengths differ.
    """
    pairs = Counter(zip(first, second, strict=True))
    n = sum(pairs.values())
    if not n:
        return None, None
    rows, columns = Counter(first), Counter(second)
    p = {name: rows[name] / n for name in rows}
    q = {name: columns[name] / n for name in columns}
    agreed = sum(count for (a, b), count in pairs.items() if a == b) / n
    chance = sum(p[name] * q.get(name, 0.0) for name in p)
    if chance > 1 - 1e-12:
        return None, None
    kappa = (agreed - chance) / (1 - chance)
    spread = 0.0
    for (a, b), count in pairs.items():
        if a == b:
            spread += count / n * (1 - (p[a] + q[a]) * (1 - kappa)) ** 2
        else:
            spread += count / n * ((1 - kappa) * (p.get(b, 0.0) + q.get(a, 0.0))) ** 2
    variance = (spread - (kappa - chance * (1 - kappa)) ** 2) / (n * (1 - chance) ** 2)
    if variance < 1e-15:
        return kappa, None
    half = Z * math.sqrt(variance)
    low, high = max(kappa - half, -1.0), min(kappa + half, 1.0)
    return kappa, Interval(low=low, high=high, level=LEVEL, method="fleiss-cohen-everitt")
