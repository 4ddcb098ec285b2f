"""Does a text say something? Words compared by rule, with an eye on negation.

A deliberately small matcher: it is meant for the outlines' own short phrases, and prefers missing
a paraphrase to seeing a fault that is not there. For a phrase, it reads a text in linear time.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from bench.core import text as core

Clause = tuple[str, ...]
"""The words of a part of a sentence between commas."""

NEGATIONS = frozenset(
    core.stems("no not non without deny denied denying never absent absence lack none nor negative")
)
RELATIVES = frozenset(
    core.stems(
        "aunt brother child children cousin dad daughter family father grandchildren grandfather "
        "grandmother husband mom mother parent partner relative sibling sister son spouse uncle "
        "wife"
    )
)
_DOUBTS = NEGATIONS | frozenset(
    core.stems(
        "free rule ruled excluded excluding except sparing spared unaffected unlikely "
        "awaiting declined planned recommended scheduled risk"
    )
)
"""In front of a phrase, they leave open whether it is so."""
_DOUBTS_BEHIND = _DOUBTS - {"no", "nor", "without", "deny", "denying"} | {"intact", "normal"}
"""Behind a phrase; "fever without chills" and "a man with fever denies chills" state fever."""
_FILLERS = frozenset(
    core.stems(
        "a an and any are as at be by evidence for from has have in into is it its of on or over "
        "that the their this to up was were while with"
    )
)
_UNTELLING = frozenset(core.stems("disease disorder syndrome mellitus left right sided bilateral"))
"""Words that do not tell one disease from another."""
_BREAK = re.compile(r";|\b(?:but|however|while|whereas|although)\b")
_COMMA = re.compile(r"[,()]")


@lru_cache(maxsize=65536)
def words(text: str) -> Clause:
    """Lower-case words without fillers, plural endings cut; "hasn't" as "has not"."""
    spelled = text.replace("’", "'").replace("n't", " not")
    return tuple(word for word in core.stems(spelled) if word not in _FILLERS)


@lru_cache(maxsize=65536)
def clauses(text: str) -> tuple[tuple[Clause, ...], ...]:
    """The clauses of each sentence; a negation may reach over all of a sentence's."""
    parts = [part for sentence in core.sentences(text) for part in _BREAK.split(sentence.lower())]
    read = (tuple(filter(None, map(words, _COMMA.split(part)))) for part in parts)
    return tuple(filter(None, read))


def states(statement: str, phrase: str) -> bool:
    """Whether a clause of the statement holds all words of the phrase and negates as it does."""
    return stating(statement, phrase) is not None


def stating(statement: str, phrase: str) -> Clause | None:
    """The words of the clause that states the phrase, or none.

    A phrase of several clauses is looked for in the whole statement.
    """
    wanted = words(phrase)
    negated = wanted[:1] != () and wanted[0] in NEGATIONS
    # A "not" inside the phrase ("bladder not palpable") is one of its words.
    content = frozenset(wanted[1:] if negated else wanted)
    several = sum(map(len, clauses(phrase))) > 1
    for sentence in ((words(statement),),) if several else clauses(statement):
        denied = False
        for place, clause in enumerate(sentence):
            following = sentence[place + 1] if place + 1 < len(sentence) else ()
            if content.issubset(clause):
                if negated:
                    held = _stands_denied(clause, content)
                else:
                    held = not denied and _stands(clause, following, content)
                if held:
                    return clause
            denied = denied or any(word in _DOUBTS and word not in content for word in clause)
    return None


def _stands_denied(clause: Clause, content: frozenset[str]) -> bool:
    """Whether the words stand right behind a negation and nothing follows.

    So not in "no relief of abdominal pain", nor in "no disc herniation at the other levels".
    """
    return any(
        end == len(clause) and start > 0 and clause[start - 1] in NEGATIONS
        for start, end in _places(clause, content)
    )


def _stands(clause: Clause, following: Clause, content: frozenset[str]) -> bool:
    """Whether the words stand where nothing before them, or right behind them, may deny it."""
    doubts = _DOUBTS - content
    first = next((place for place, word in enumerate(clause) if word in doubts), len(clause))
    last = max((place for place, word in enumerate(clause) if word not in _DOUBTS), default=-1)
    for _, end in _places(clause, content):
        if end < len(clause):  # "Fever: no"
            behind = last < end
        else:  # "Fever (denied)"
            behind = following != () and _DOUBTS.issuperset(following)
        if first >= end and not behind and not _DOUBTS_BEHIND & set(clause[end : end + 2]):
            return True
    return False


def _places(clause: Clause, content: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Where all the words stand together, with few others in between, in any order."""
    few, again = len(content), content - NEGATIONS
    for start, word in enumerate(clause):
        if word not in content:
            continue
        for end in range(start + few, min(start + few + few // 2, len(clause)) + 1):
            if content.issubset(clause[start:end]):
                # A word may come twice: "neck pain or arm pain".
                more = end
                while more < min(end + few, len(clause)) and clause[more] in again:
                    more += 1
                yield start, more
                break


def resembles(statement: str, phrases: Iterable[str], share: float = 0.5) -> bool:
    """Whether the statement and one of the phrases share more than this share of the shorter."""
    held = set(words(statement))
    return any(
        len(wanted & held) > share * min(len(wanted), len(held))
        for wanted in (set(words(phrase)) for phrase in phrases)
    )


def may_name(stated: str, names: Iterable[str]) -> bool:
    """Whether a stated disease may be the one of these names.

    It may be told more closely ("Left-sided sciatica") or less ("Angle-closure glaucoma").
    """
    known = [telling(_head(name)) for name in names]
    among = {word for name in names for word in telling(name)}
    return any(name <= telling(stated) for name in known) or (
        set() != telling(_head(stated)) <= among
    )


def _head(name: str) -> str:
    """A disease without what is added in brackets or as its company."""
    return name.partition("(")[0].partition(" with ")[0]


def telling(name: str) -> set[str]:
    """The words of a disease's name that tell it from others."""
    return set(words(name)) - _UNTELLING
