"""Which pairs of a group a dear similarity is asked for: all when they are few, else a sample.

The items stand in a ring, in an order that the seed decides and nothing else of them; a pair is an
item with the one after it, then with the one after that, and so on (circulant shifts, a balanced
incomplete design; Blom 1976). So each item is in as many pairs as any other, give or take two, and
the sample's mean has the expectation of the mean over all pairs. Which of two is first tells
nothing of them: a similarity that differs by direction needs one way of each pair, which for the
same work says more than both ways of half as many. A group that grows by a few items keeps most of
its pairs.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import islice

import numpy as np

from bench.api.pair_metric import Pairs


def number_of_pairs(items: int, budget: int | None = None) -> int:
    """How many unordered pairs of some items are asked for; `budget` none is no limit."""
    pairs = items * (items - 1) // 2
    return pairs if budget is None else min(pairs, budget)


def exchanges(items: int, budget: int | None) -> int:
    """How often a similarity with two directions is asked: both ways of all pairs, or a sample."""
    pairs = number_of_pairs(items, budget)
    return 2 * pairs if pairs == number_of_pairs(items) else pairs


def sampled_pairs(ids: Sequence[str], budget: int, seed: int) -> Pairs:
    """At most `budget` of the pairs of some items: shape (m, 2), each the places of two.

    O(n log n + m).
    """
    ring = sorted(range(len(ids)), key=lambda at: sha256(f"{seed}/{ids[at]}".encode()).digest())
    chosen = list(islice(_shifted(ring), number_of_pairs(len(ids), budget)))
    return np.array(chosen, dtype=np.int64).reshape(-1, 2)


def _shifted(ring: Sequence[int]) -> Iterator[tuple[int, int]]:
    """All pairs, by how far the two are apart in the ring."""
    size = len(ring)
    for shift in range(1, size // 2 + 1):
        # Half way round, both directions are one pair.
        for at in range(size // 2 if 2 * shift == size else size):
            yield ring[at], ring[(at + shift) % size]
