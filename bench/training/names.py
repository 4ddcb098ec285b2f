"""Names compared by their telling words: does a statement give a name away, are two names one?"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from rapidfuzz.distance import Prefix

from bench.knowledge.naming import UNTELLING, words

_UNTELLING = UNTELLING | frozenset(
    words("a an and or of the with by due to in on for from at test examination")
)
"""Words that alone name nothing."""
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4"}
_AFTER_HEAD = re.compile(r"\s(?:of|in|with|without|due to|from|after|for|by)\s|[,/]")
_BRACKETS = re.compile(r"\s*\([^)]*\)")
HEAD = 6
"""Letters of a word that alone gives a name away, at least."""
STEM = 5
"""Letters that two forms of a word share at least: myopia, myopic."""
SHARED = 0.65
"""Share of the longer form that they have in common at least: glaucoma, glaucomatous."""


@lru_cache(maxsize=65536)
def telling(text: str) -> frozenset[str]:
    """The words that tell a name from others, plural endings cut."""
    return frozenset(_telling(text))


def _telling(text: str) -> list[str]:
    return [_ROMAN.get(word, word) for word in words(text) if word not in _UNTELLING]


def forms(name: str) -> Iterator[str]:
    """A name as it stands, and the name before brackets or company and that inside the brackets."""
    yield name
    head, _, inside = name.rstrip(")").partition(" (")
    yield from (part for part in (head, inside) if part)
    yield head.partition(" with ")[0]


@lru_cache(maxsize=4096)
def head(name: str) -> str:
    """The word that says what a name is one of: "glaucoma" of "primary open-angle glaucoma".

    It is the last telling word before "of", "with" and the like. A short one ("tear", "ovary") is
    too common to give a name away: there is none then.
    """
    bare = _BRACKETS.sub("", name)
    last = (_telling(_AFTER_HEAD.split(bare)[0]) or _telling(bare) or [""])[-1]
    return last if len(last) >= HEAD else ""


def tells(statement: str, names: Iterable[str]) -> bool:
    """Whether a statement holds all telling words of one of the names, in whatever form."""
    held = telling(statement)
    return any(telling(name) and _held(telling(name), held) for name in names)


def hints(statement: str, name: str) -> bool:
    """Whether a statement holds the head of a name, in whatever form."""
    return bool(head(name)) and _held({head(name)}, telling(statement))


def alike(one: str, other: str) -> bool:
    """Whether one of two names may mean the other: its telling words are among the other's."""
    here, there = telling(one), telling(other)
    return here <= there or there <= here


def _held(wanted: Iterable[str], held: Iterable[str]) -> bool:
    return all(any(_akin(word, one) for one in held) for word in wanted)


@lru_cache(maxsize=65536)
def _akin(word: str, other: str) -> bool:
    """Whether two words are one, or forms of one."""
    if word == other:
        return True
    shared = Prefix.similarity(word, other)
    return shared >= max(STEM, SHARED * max(len(word), len(other)))
