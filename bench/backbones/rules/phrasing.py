"""Sentences as words that can be compared: numbers as digits, verbs by their stem."""

import re
from dataclasses import dataclass
from functools import lru_cache

from bench.backbones.rules.wording import listed, listing

NOT = "~not"
"""Stands for every negation among the words of a phrase."""
CANNOT = "~cannot"

_UNITS = listing("units")
_TENS = listing("tens")
_NUMBERS = {word: value for value, word in enumerate(_UNITS)} | {
    word: 10 * value for value, word in enumerate(_TENS, start=2)
}
_WRITTEN = re.compile(
    rf"\b(?:({'|'.join(_TENS)})(?:[- ]({'|'.join(_UNITS[1:10])}))?|({'|'.join(_UNITS)}))\b"
)
_CONTRACTED = (
    (re.compile(r"[’`]"), "'"),
    (re.compile(r"\b(?:can't|cannot|can not|unable to|could not|couldn't)\b"), "cannot"),
    (re.compile(r"\bwon't\b"), "will not"),
    (re.compile(r"n't\b"), " not"),
    (re.compile(r"'m\b"), " am"),
    (re.compile(r"'re\b"), " are"),
    (re.compile(r"'ve\b"), " have"),
    (re.compile(r"'ll\b"), " will"),
    (re.compile(r"\b(it|that|there|he|she)'s\b"), r"\1 is"),
    (re.compile(r"'s\b|'(?=\s|$)"), ""),
    (re.compile(r"\btwice\b"), "2 times"),
    (re.compile(r"\bonce (?=a|per|daily|every)"), "1 times "),
    (re.compile(r"\bdaily\b"), "a day"),
    (re.compile(r"(?<=\d)(?=(?:mg|g|ml|kg|iu|%|µg|mcg)\b)"), " "),
)
_TOKEN = re.compile(r"[a-z0-9µ]+(?:[./-][a-z0-9]+)*")
_IRREGULAR = dict(pair.split(":") for pair in listing("irregular"))
_NEGATIONS = listed("negations")
FILLERS = listed("fillers")
"""Words that tell nothing apart."""
SIDES = frozenset(("left", "right"))
RELATIVES = {
    word: base
    for base, listed in {
        "mother": "mother mum mom",
        "father": "father dad",
        "parent": "parent parents",
        "brother": "brother brothers half-brother",
        "sister": "sister sisters half-sister",
        "sibling": "sibling siblings twin",
        "son": "son sons",
        "daughter": "daughter daughters",
        "child": "child children kid kids baby",
        "grandparent": "grandmother grandfather grandparent grandparents grandma grandpa",
        "aunt": "aunt aunts",
        "uncle": "uncle uncles",
        "cousin": "cousin cousins",
        "partner": "wife husband partner spouse girlfriend boyfriend",
        "family": "family relative relatives",
        "friend": "friend friends flatmate flatmates roommate roommates",
    }.items()
    for word in listed.split()
}
"""The closest kind of each word for a relative or companion."""


@lru_cache(maxsize=65536)
def plain(text: str) -> str:
    """Lower case, contractions spelled out, numbers as digits."""
    text = text.lower()
    for pattern, replacement in _CONTRACTED:
        text = pattern.sub(replacement, text)
    return _WRITTEN.sub(_digits, text)


def _digits(found: re.Match[str]) -> str:
    tens, unit, alone = found.groups()
    return str(_NUMBERS[alone] if alone else _NUMBERS[tens] + _NUMBERS.get(unit, 0))


@lru_cache(maxsize=65536)
def tokens(text: str) -> tuple[str, ...]:
    """All words of a text, stemmed; negations as `NOT`."""
    found: list[str] = []
    for token in _TOKEN.findall(plain(text)):
        parts = token.split("-")
        # "left-sided" and "42-year-old" are several words, "covid-19" is one.
        if len(parts) > 1 and (parts[0].isdigit() or all(map(str.isalpha, parts))):
            found.extend(map(stem, parts))
        else:
            found.append(stem(token))
    return tuple(found)


@lru_cache(maxsize=65536)
def words(text: str) -> frozenset[str]:
    """The telling words of a text."""
    return frozenset(tokens(text)) - FILLERS


@lru_cache(maxsize=65536)
def stem(word: str) -> str:
    """One form for "smokes", "smoked" and "smoking"."""
    if word in _NEGATIONS:
        return NOT
    if word == "cannot":
        return CANNOT
    if word in FILLERS:
        return word
    word = _IRREGULAR.get(word, word)
    if word[0].isdigit():
        return word.rstrip(".")
    if len(word) > 4 and word.endswith("ies"):
        word = word[:-3] + "y"
    elif len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: -len(ending)]
            if len(word) > 3 and word[-1] == word[-2] and word[-1] not in "ls":
                word = word[:-1]
            break
    return word[:-1] if len(word) > 3 and word.endswith("e") else word


_SENTENCE = re.compile(r"(?<=[.!?])[\"'”)]*\s+(?=\S)")
_ABBREVIATED = re.compile(r"\b(?:dr|mr|mrs|ms|st|e\.g|i\.e|approx)\.$", re.IGNORECASE)
_JOINT = re.compile(
    r";\s+|,?\s+(?:and|but|so)\s+(?=(?:i|it|there|we)(?:['’](?:m|ve|s))?\s)|"
    r",\s+(?:and|but|so)\s+(?=my\s)",
    re.IGNORECASE,
)


@lru_cache(maxsize=65536)
def sentences(text: str) -> tuple[str, ...]:
    """The sentences of a text with their full stops."""
    found: list[str] = []
    for part in _SENTENCE.split(text.strip()):
        if found and _ABBREVIATED.search(found[-1]):
            found[-1] += f" {part}"
        elif part.strip():
            found.append(part.strip())
    return tuple(found)


@lru_cache(maxsize=65536)
def segments(sentence: str) -> tuple[str, ...]:
    """The main clauses of a sentence that can stand alone."""
    return tuple(part.strip() for part in _JOINT.split(sentence.strip()) if part.strip())


@dataclass(frozen=True, slots=True)
class Clause:
    """A part of a sentence between commas."""

    text: str
    tokens: tuple[str, ...]
    words: frozenset[str]


_COMMA = re.compile(r"[,()]\s*|;\s+|\.\s+|\.$|[!?]")


@lru_cache(maxsize=65536)
def clauses(text: str) -> tuple[Clause, ...]:
    """The parts of a text between commas."""
    return tuple(
        Clause(plain(part), tokens(part), words(part))
        for part in _COMMA.split(text)
        if part and part.strip()
    )


def numbers(held: frozenset[str]) -> frozenset[str]:
    """The numbers among some words."""
    return frozenset(word for word in held if word[0].isdigit())


def upper_first(text: str) -> str:
    """With a capital letter."""
    return text[:1].upper() + text[1:]


_KEPT = listed("names") | {"I", "I'm", "I've", "I'd", "I'll"}


def lower_first(text: str) -> str:
    """Without a capital letter, unless it is an abbreviation, a name or "I"."""
    if re.split(r"[ ,;.]", text.replace("’", "'"), maxsplit=1)[0] in _KEPT:
        return text
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text
