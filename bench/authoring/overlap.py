"""Text that two outlines share: each must be written anew, not copied."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import combinations
from typing import NamedTuple

from bench.core.text import words
from bench.knowledge.outline import Outline

WORDS = 8
"""Words of a run; shorter ones are shared by chance."""
MOST = 0.03
"""Largest share of common runs that is incidental."""


class Overlap(NamedTuple):
    """Two outlines that share text."""

    first: str
    second: str
    share: float
    """Runs in common as a share of the runs of the outline that has fewer, from 0 to 1."""
    example: str


def overlaps(outlines: Iterable[Outline], most: float = MOST) -> Iterator[Overlap]:
    """Pairs of outlines that share more than `most` of their runs of words.

    O(text + pairs that share a run); no run reaches from one statement into the next.
    """
    runs = {outline.id: set(_runs(outline)) for outline in outlines}
    holders: dict[str, list[str]] = defaultdict(list)
    for identity, own in runs.items():
        for run in own:
            holders[run].append(identity)
    common: Counter[tuple[str, str]] = Counter()
    examples: dict[tuple[str, str], str] = {}
    for run, ids in holders.items():
        for pair in combinations(ids, 2):
            common[pair] += 1
            examples[pair] = max(examples.get(pair, run), run)
    for (first, second), count in common.most_common():
        share = count / min(len(runs[first]), len(runs[second]))
        if share > most:
            yield Overlap(first, second, share, examples[first, second])


def _runs(outline: Outline) -> Iterator[str]:
    fields = outline.model_dump(exclude={"sources", "id", "provenance", "approval"})
    for text in _texts(fields):
        said = words(text)
        yield from (" ".join(said[at : at + WORDS]) for at in range(len(said) - WORDS + 1))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
