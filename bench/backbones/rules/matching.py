"""Does a record say something? Words compared by rule, with an eye on negation.

A deliberately small matcher: it is meant for the outlines' own short phrases, and prefers missing
a paraphrase to seeing a fault that is not there.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

_WORD = re.compile(r"[a-z0-9]+(?:[.'-][a-z0-9]+)*")
_CLAUSE = re.compile(r"[;,()]|\.(?:\s|$)|\bbut\b")
# Stemmed, as all words are: "denies" is compared as "denie".
_NEGATIONS = frozenset(
    ["no", "not", "without", "denie", "denied", "never", "absent", "none", "nor", "negative"]
)
_FILLERS = frozenset(
    _WORD.findall(
        "a an and are as at be by for from has have in into is it its of on or over that the "
        "their this to up was were while with"
    )
)


@lru_cache(maxsize=65536)
def words(text: str) -> tuple[str, ...]:
    """Lower-case words without fillers, plural endings cut."""
    found = _WORD.findall(text.lower())
    return tuple(_stem(word) for word in found if word not in _FILLERS)


def _stem(word: str) -> str:
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


@lru_cache(maxsize=65536)
def clauses(text: str) -> tuple[tuple[str, ...], ...]:
    """The words of each clause."""
    return tuple(found for part in _CLAUSE.split(text.lower()) if (found := words(part)))


def states(statement: str, phrase: str) -> bool:
    """Whether a clause of the statement holds all words of the phrase and negates as it does.

    A phrase of several clauses is looked for in the whole statement.
    """
    wanted = words(phrase)
    negated = wanted[:1] != () and wanted[0] in _NEGATIONS
    # A "not" inside the phrase ("bladder not palpable") is one of its words.
    content = set(wanted[1:] if negated else wanted)
    if not content:
        return False
    parts = clauses(statement) if len(clauses(phrase)) == 1 else (words(statement),)
    for clause in parts:
        if content <= set(clause):
            before = clause[: max(clause.index(word) for word in content)]
            if negated == bool(_NEGATIONS & (set(before) - content)):
                return True
    return False


def resembles(statement: str, phrases: Iterable[str], share: float = 0.5) -> bool:
    """Whether the statement holds more than this share of the words of one of the phrases."""
    held = set(words(statement))
    for phrase in phrases:
        wanted = set(words(phrase))
        if wanted and len(wanted & held) > share * len(wanted):
            return True
    return False


def same_name(one: str, other: str) -> bool:
    """Whether two names consist of the same words, in any order."""
    return set(words(one)) == set(words(other))
