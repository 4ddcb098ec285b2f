"""Does a record say something? Words compared by rule, with an eye on negation.

A deliberately small matcher: it is meant for the outlines' own short phrases, and prefers missing
a paraphrase to seeing a fault that is not there.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import takewhile

_WORD = re.compile(r"[a-z0-9]+(?:[.'-][a-z0-9]+)*")
_SENTENCE = re.compile(r";|\.(?:\s|$)|\b(?:but|however|while|whereas|although)\b")
_CLAUSE = re.compile(r"[,()]")
# Stemmed, as all words are: "denies" is compared as "deny".
_NEGATIONS = frozenset(
    _WORD.findall("no not without deny denied denying never absent absence lack none nor negative")
)
_DOUBTS = _NEGATIONS | frozenset(
    _WORD.findall(
        "free rule ruled excluded excluding except sparing spared unaffected unlikely "
        "awaiting declined planned recommended scheduled risk"
    )
)
"""In front of a phrase, they leave open whether it is so."""
_DOUBTS_BEHIND = _DOUBTS - {"no", "nor", "without", "deny", "denying"} | {
    "intact",
    "normal",
}
"""Behind a phrase; "fever without chills" and "a man with fever denies chills" state fever."""
_FILLERS = frozenset(
    _WORD.findall(
        "a an and any are as at be by evidence for from has have in into is it its of on or over "
        "that the their this to up was were while with"
    )
)
_UNTELLING = frozenset(
    _WORD.findall("disease disorder syndrome mellitus left right sided bilateral")
)
"""Words that do not tell one disease from another."""


@lru_cache(maxsize=65536)
def words(text: str) -> tuple[str, ...]:
    """Lower-case words without fillers, plural endings cut."""
    found = _WORD.findall(text.lower())
    return tuple(_stem(word) for word in found if word not in _FILLERS)


def _stem(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        return word[:-1]
    return word


@lru_cache(maxsize=65536)
def sentences(text: str) -> tuple[tuple[tuple[str, ...], ...], ...]:
    """The words of each clause of each sentence; a negation may reach over all its clauses."""
    parts = (_CLAUSE.split(part) for part in _SENTENCE.split(text.lower()))
    return tuple(
        clauses
        for part in parts
        if (clauses := tuple(found for one in part if (found := words(one))))
    )


def states(statement: str, phrase: str) -> bool:
    """Whether a clause of the statement holds all words of the phrase and negates as it does."""
    return stating(statement, phrase) is not None


def stating(statement: str, phrase: str) -> tuple[str, ...] | None:
    """The words of the clause that states the phrase, or none.

    A phrase of several clauses is looked for in the whole statement.
    """
    wanted = words(phrase)
    negated = wanted[:1] != () and wanted[0] in _NEGATIONS
    # A "not" inside the phrase ("bladder not palpable") is one of its words.
    content = frozenset(wanted[1:] if negated else wanted)
    several = sum(map(len, sentences(phrase))) > 1
    for sentence in ((words(statement),),) if several else sentences(statement):
        for place, clause in enumerate(sentence):
            for start, end in _places(clause, content):
                if negated:
                    # Nothing in between, nothing after: not "no relief of abdominal pain", nor
                    # "no disc herniation at the other levels".
                    held = bool(_NEGATIONS & set(clause[:start][-1:])) and end == len(clause)
                else:
                    held = not _doubted(sentence, place, end, content)
                if held:
                    return clause
    return None


def _places(clause: tuple[str, ...], content: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Where all the words stand together, with few others in between, in any order."""
    for start, word in enumerate(clause):
        longest = start + len(content) + len(content) // 2
        for end in range(start + len(content), min(longest, len(clause)) + 1):
            if word in content and content <= set(clause[start:end]):
                # A word may come twice: "neck pain or arm pain".
                again = takewhile((content - _NEGATIONS).__contains__, clause[end:])
                yield start, end + len(tuple(again))
                break


def _doubted(
    sentence: tuple[tuple[str, ...], ...], place: int, end: int, content: frozenset[str]
) -> bool:
    """Whether something before the phrase, or right behind it, may deny it."""
    clause = sentence[place]
    before = {word for earlier in sentence[:place] for word in earlier} | set(clause[:end])
    behind = set(clause[end:] or (*sentence[place + 1 : place + 2], ())[0])
    return bool(
        (before - content) & _DOUBTS
        or set(clause[end : end + 2]) & _DOUBTS_BEHIND
        # "Fever: no", "Fever (denied)".
        or (behind and behind <= _DOUBTS)
    )


def resembles(statement: str, phrases: Iterable[str], share: float = 0.5) -> bool:
    """Whether the statement and one of the phrases share more than this share of the shorter."""
    held = set(words(statement))
    for phrase in phrases:
        wanted = set(words(phrase))
        if len(wanted & held) > share * min(len(wanted), len(held)):
            return True
    return False


def same_name(one: str, other: str) -> bool:
    """Whether two names consist of the same words, in any order."""
    return set(words(one)) == set(words(other))


def may_name(stated: str, names: Iterable[str]) -> bool:
    """Whether a stated disease may be the one of these names.

    It may be told more closely ("Left-sided sciatica") or less ("Angle-closure glaucoma").
    """
    told, known = _naming(stated), [_naming(_head(name)) for name in names]
    among = {word for name in names for word in _naming(name)}
    return any(name <= told for name in known) or set() != _naming(_head(stated)) <= among


def _head(name: str) -> str:
    """A disease without what is added in brackets or as its company."""
    return re.split(r"\(| with ", name)[0]


def _naming(name: str) -> set[str]:
    """The words that tell a disease from others."""
    return set(words(name.replace("-", " "))) - _UNTELLING
