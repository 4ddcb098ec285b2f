"""Text as it is compared: in one line, folded, in words, in sentences; all in linear time."""

import re
import unicodedata
from functools import lru_cache

_WORD = re.compile(r"[^\W_]+")
_APOSTROPHES = str.maketrans("’‘`´", "''''")
_POSSESSIVE = re.compile(r"'s\b")


def one_line(text: str) -> str:
    """The text with one space for each run of white space, none at its ends."""
    return " ".join(text.split())


def folded(text: str) -> str:
    """The text in one line without what tells no texts apart: letter case, forms of letters."""
    return one_line(unicodedata.normalize("NFKC", text).casefold())


def words(text: str) -> tuple[str, ...]:
    """The words of a folded text, numbers among them, in their order."""
    return tuple(_WORD.findall(folded(text)))


@lru_cache(maxsize=65536)
def stems(text: str) -> tuple[str, ...]:
    """The words of a text without possessives and plural endings: "Graves' diseases" as two."""
    plain = folded(text).translate(_APOSTROPHES)
    return tuple(map(_singular, _WORD.findall(_POSSESSIVE.sub("", plain))))


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    kept = len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is"))
    return word if kept else word[:-1]


# Copies

RUN = 8
"""Words of a run; shorter ones are shared by chance."""
Runs = frozenset[tuple[str, ...]]


def runs(text: str) -> Runs:
    """Every run of eight words of a text; a shorter text is one run."""
    held = words(text)
    last = max(1, len(held) - RUN + 1)
    return frozenset(held[at : at + RUN] for at in range(last)) - {()}


def overlap(one: Runs, other: Runs) -> float:
    """Share of the smaller set that both have, in [0, 1]."""
    return len(one & other) / min(len(one), len(other)) if one and other else 0.0


# Sentences

# Possessive, and never from within a run: a long run of marks is read once.
_END = re.compile(r"(?<![.!?…])(?P<mark>[.!?…]++)(?P<close>[\"'”’)\]*]*+)(?=\s|$)")
_NEXT = re.compile(r"\s*+(\S{0,2})")
_BREAK = re.compile(r"\n[^\S\n]*+\n|\n(?=[^\S\n]*+(?:[-*•]|\d++[.)])\s)")
_ALWAYS = frozenset(("dr", "mr", "mrs", "ms", "prof", "st", "vs", "e.g", "i.e", "approx", "incl"))
"""Before a full stop, they end no sentence."""
_OFTEN = frozenset(("a.m", "p.m", "etc", "dept", "jr", "sr", "u.s", "u.k", "ph.d", "m.d"))
"""They end one only before a capital letter."""
_SELF = re.compile(r"I\b")
_BEFORE = 100
"""Characters before a full stop among which an abbreviation or initial is looked for."""


def sentences(text: str) -> list[str]:
    """The sentences of a text in order, as spoken; what holds no letter or digit is none.

    A sentence ends at ".", "!" or "?" before a space or the end, at a blank line, and before a
    line that begins with a bullet. Not at the dot of an abbreviation or an initial; not at "..."
    unless a capital letter follows, "I" left aside; not at "!" or "?" inside a quotation that goes
    on in a small letter.
    """
    found: list[str] = []
    for part in _BREAK.split(text):
        start = 0
        for end in _END.finditer(part):
            if _ends(part, start, end):
                found.append(part[start : end.end()])
                start = end.end()
        found.append(part[start:])
    return [one_line(one) for one in found if any(map(str.isalnum, one))]


def _ends(text: str, start: int, end: re.Match[str]) -> bool:
    """Whether a mark ends the sentence that began at `start`."""
    following = _NEXT.match(text, end.end())
    rest = following[1] if following else ""
    small = rest[:1].islower()
    if end["mark"].startswith(("…", "..")):
        return not small and not _SELF.match(rest)
    if end["mark"] != ".":
        return not (small and end["close"])
    before = text[max(start, end.start() - _BEFORE) : end.start()].split()
    last = before[-1].lstrip("\"'“‘([*").lower() if before else ""
    if last == "no":
        return not rest[:1].isdigit()  # "bed no. 4"
    if last in _ALWAYS:
        return not rest
    if last in _OFTEN:
        return rest[:1].isupper() or not rest
    return not _initial(before, rest)


def _initial(before: list[str], rest: str) -> bool:
    """Whether the last word is an initial: "J. Smith", "John F. Kennedy", "Dr. J. Smith"."""
    if not before or len(before[-1]) != 1 or not before[-1].isupper() or before[-1] == "I":
        return False
    named = len(before) == 1 or before[-2][0].isupper()
    return named and rest[:1].isupper()
