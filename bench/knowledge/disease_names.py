"""Is the disease that somebody names the one a record is about? By names, fuzzily."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from bench.core.text import stems
from bench.knowledge.library import Library
from bench.knowledge.outline import Outline

ALIKE = 85.0
"""Least likeness of a misspelt name, of 100 (rapidfuzz's ratio)."""
SHORT = 4
"""Letters from which a word may have a slip in it; from `STEM`, two."""
STEM = 7
"""Letters that two forms of a word share: herniated, herniation."""
_FILLERS = frozenset(
    stems(
        "a an and of the with by due to in on patient has have you i is it be could might may "
        "would must think suspect guess say probably perhaps maybe diagnosis my"
    )
)
# What one letter's difference must not pass over: type 1 and 2, hyper- and hypothyroidism.
_NUMBER = re.compile(r"\d+")
_DEGREE = re.compile(r"hyper|hypo")
UNTELLING = frozenset(
    stems("acute chronic primary left right sided bilateral disease disorder syndrome mellitus")
)
"""Words that alone name no disease."""
Names = dict[tuple[str, ...], set[str]]
"""Ids of diseases by the words of their names."""


@dataclass(frozen=True)
class Guess:
    """What a guess was worth."""

    verdict: Literal["right", "wrong", "several"]
    """`several` where it names, or may mean, more than one disease, or says too little."""
    understood: tuple[str, ...] = ()
    """Names of the diseases of the library that it may mean."""


def judge_guess(guess: str, diseases: Iterable[str], library: Library) -> Guess:
    """Whether a guess names the disease that goes by these names.

    Names and synonyms of the library count, misspelt ones too, and parts of a name that belong to
    one disease alone.
    """
    names = dict(_names(library))
    own = {_words(name) for name in diseases} - {()}
    known = [_meant(name, names) for name in own]
    right = {""}.union(*(found for found in known if len(found) == 1))
    for name in own:
        names.setdefault(name, {""})
    said = _words(guess)
    meant = _meant(said, names)
    understood = tuple(one.name for one in library.listings if one.id in meant)
    if len(meant - right) + bool(meant & right) > 1 or not set(said) - UNTELLING:
        return Guess("several", understood)
    return Guess("right" if meant & right else "wrong", understood)


def find_named(disease: str, library: Library) -> Outline | None:
    """The outline of the one disease that a name means, with side, stage or company or without.

    Names as `Library.find` knows them; else the same telling words, or a name within it.
    """
    known = library.find(disease)
    if known is not None:
        return known
    said, names = _words(disease), _names(library)
    ids = _same(said, names) or _held(said, names)
    return library.find(*ids) if len(ids) == 1 else None


@lru_cache(maxsize=4)
def _names(library: Library) -> Names:
    names: Names = {}
    for listing in library.listings:
        # "Graves disease (hyperthyroidism)" is known by either name.
        parts = listing.name.rstrip(")").split(" (", 1)
        for name in (listing.name, *parts, *listing.synonyms):
            names.setdefault(_words(name), set()).add(listing.id)
    names.pop((), None)
    return names


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in stems(text) if word not in _FILLERS)


def _meant(guess: tuple[str, ...], names: Names) -> set[str]:
    """The diseases that a guess may mean, by the first way that finds any."""
    for way in (_same, _held, _part, _alike, _misspelt_part):
        ids = way(guess, names)
        if ids:
            return ids
    return set()


def _same(guess: tuple[str, ...], names: Names) -> set[str]:
    """Those of that name, or of one with the same telling words."""
    telling = set(guess) - UNTELLING
    closely = {
        identity
        for name, ids in names.items()
        if set(name) - UNTELLING == telling
        for identity in ids
    }
    return names.get(guess) or (closely if telling else set())


def _held(guess: tuple[str, ...], names: Names) -> set[str]:
    """Those whose names stand in the guess, a longer name before those inside it."""
    ids: set[str] = set()
    for name in sorted(names, key=len, reverse=True):
        for start in _places(guess, name):
            ids |= names[name]
            guess = (*guess[:start], *("" for _ in name), *guess[start + len(name) :])
    return ids


def _places(guess: tuple[str, ...], name: tuple[str, ...]) -> Iterator[int]:
    """Where a name stands in a guess."""
    for start in range(len(guess) - len(name) + 1):
        if guess[start : start + len(name)] == name:
            yield start


def _part(guess: tuple[str, ...], names: Names) -> set[str]:
    """Those whose names hold all telling words of the guess."""
    said = set(guess) - UNTELLING
    return {
        identity for name, ids in names.items() if said and said <= set(name) for identity in ids
    }


def _misspelt_part(guess: tuple[str, ...], names: Names) -> set[str]:
    """Those whose names hold words like all telling ones of the guess, one of them long."""
    said = set(guess) - UNTELLING
    if all(len(word) <= SHORT + 1 for word in said):
        return set()  # COPD is no slip of the cord
    held = {word: {near for name in names for near in name if _near(word, near)} for word in said}
    return {
        identity
        for name, ids in names.items()
        if all(held[word] & set(name) for word in said)
        for identity in ids
    }


def _alike(guess: tuple[str, ...], names: Names) -> set[str]:
    """Those with the name most like the guess, if it is like enough."""
    from rapidfuzz.fuzz import ratio, token_sort_ratio

    said, best, likest = " ".join(guess), ALIKE, set[str]()
    for name, ids in names.items():
        for form in (name, tuple(word for word in name if word not in UNTELLING)):
            likeness = max(way(said, " ".join(form)) for way in (ratio, token_sort_ratio))
            if likeness < best or not _told_alike(said, " ".join(form)):
                continue
            likest = likest | ids if likeness == best else set(ids)
            best = likeness
    return likest


def _near(word: str, other: str) -> bool:
    """Whether a word may be another misspelt, or in another form."""
    from rapidfuzz.distance import Levenshtein

    forms = len(word) > STEM and word[:STEM] == other[:STEM]
    most = 0 if len(word) < SHORT else 1 if len(word) <= STEM else 2
    slips = Levenshtein.distance(word, other, score_cutoff=most)
    return forms or (slips <= most and _told_alike(word, other))


def _told_alike(one: str, other: str) -> bool:
    here, there = (sorted(_NUMBER.findall(text)) for text in (one, other))
    opposite = set(_DEGREE.findall(one)) ^ set(_DEGREE.findall(other)) == {"hyper", "hypo"}
    return here == there and not opposite
