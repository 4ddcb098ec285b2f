"""Names compared by their telling words: does a statement give a name away, are two names one?"""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from bench.knowledge.naming import UNTELLING, words

_UNTELLING = UNTELLING | frozenset(
    words("a an and or of the with by due to in on for from at test examination")
)
"""Words that alone name nothing."""


@lru_cache(maxsize=65536)
def telling(text: str) -> frozenset[str]:
    """The words that tell a name from others, plural endings cut."""
    return frozenset(words(text)) - _UNTELLING


def forms(name: str) -> Iterator[str]:
    """A name as it stands, and the name before brackets or company and that inside the brackets."""
    yield name
    head, _, inside = name.rstrip(")").partition(" (")
    yield from (part for part in (head, inside) if part)
    yield head.partition(" with ")[0]


def tells(statement: str, names: Iterable[str]) -> bool:
    """Whether a statement holds all telling words of one of the names."""
    held = telling(statement)
    return any(telling(name) and telling(name) <= held for name in names)


def alike(one: str, other: str) -> bool:
    """Whether one of two names may mean the other: its telling words are among the other's."""
    here, there = telling(one), telling(other)
    return here <= there or there <= here
