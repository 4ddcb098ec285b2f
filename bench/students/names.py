"""Names compared by their telling words: does a statement give a name away, are two names one?"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from rapidfuzz.distance import Prefix

from bench.core.text import one_line, stems
from bench.knowledge.disease_names import UNTELLING

_UNTELLING = UNTELLING | frozenset(
    stems("a an and or of the with by due to in on for from at test examination")
)
"""Words that alone name nothing."""
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4"}
_AFTER_HEAD = re.compile(r"\s(?:of|in|with|without|due to|from|after|for|by)\s|[,/]")
_BRACKETS = re.compile(r"\([^()]*\)")
_INSIDE = re.compile(r"\(([^()]*)\)$")
_SHORT = re.compile(r"[A-Z][A-Za-z0-9-]*[A-Z0-9]")
"""An abbreviation: PSA, TRAb, HbA1c."""
_EPONYM = re.compile(r"(.+?\b(?:disease|syndrome))\s+of\b", re.IGNORECASE)
_PARTS = frozenset(
    stems(
        "artery bladder breast cornea eyelid kidney ligament muscle ovary pancreas personality "
        "prostate retina shoulder stomach tendon testicle thyroid tunnel ureter "
        "urethra uterus vertebra"
    )
)
"""Heads of names like "overactive bladder"."""
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
    return [_ROMAN.get(word, word) for word in stems(text) if word not in _UNTELLING]


def forms(name: str, *, curated: bool = False) -> Iterator[str]:
    """A name as it stands, without its brackets, without its company, and an eponym alone.

    What stands in brackets is a name, too, if it is an abbreviation, or if the name is a `curated`
    one: elsewhere it is a side or a part of the body.
    """
    yield name
    bare = _bare(name)
    yield bare
    yield bare.partition(" with ")[0]
    eponym = _EPONYM.match(bare)
    if eponym:
        yield eponym[1]
    inside = _INSIDE.search(name)
    if inside and (curated or _SHORT.fullmatch(inside[1])):
        yield inside[1]


@lru_cache(maxsize=4096)
def head(name: str) -> str:
    """The word that says what a name is one of: "glaucoma" of "primary open-angle glaucoma".

    It is the last telling word before "of", "with" and the like. A short one ("tear") or a part of
    the body is too common to give a name away: there is none then.
    """
    bare = _bare(name)
    last = (_telling(_AFTER_HEAD.split(bare)[0]) or _telling(bare) or [""])[-1]
    return last if len(last) >= HEAD and last not in _PARTS else ""


def _bare(name: str) -> str:
    """A name without what stands in brackets."""
    return one_line(_BRACKETS.sub(" ", name))


def names_one(statement: str, names: Iterable[str]) -> bool:
    """Whether a statement holds all telling words of one of the names."""
    held = telling(statement)
    return any(telling(name) and telling(name) <= held for name in names)


def tells(statement: str, names: Iterable[str]) -> bool:
    """Whether a statement holds all telling words of one of the names, in whatever form."""
    held = telling(statement)
    return any(telling(name) and _held(telling(name), held) for name in names)


def hints(statement: str, name: str) -> bool:
    """Whether a statement holds the head of a name, in whatever form."""
    return bool(head(name)) and _held({head(name)}, telling(statement))


def alike(one: str, other: str) -> bool:
    """Whether one of two names may mean the other: its telling words are among the other's.

    A name without telling words means nothing else.
    """
    here, there = telling(one), telling(other)
    return bool(here and there) and (here <= there or there <= here)


def _held(wanted: Iterable[str], held: Iterable[str]) -> bool:
    return all(any(_akin(word, one) for one in held) for word in wanted)


@lru_cache(maxsize=65536)
def _akin(word: str, other: str) -> bool:
    """Whether two words are one, or forms of one."""
    if word == other:
        return True
    shared = Prefix.similarity(word, other)
    return shared >= max(STEM, SHARED * max(len(word), len(other)))
