"""Text into sentences, as spoken: decimals, titles, initials and pauses end none."""

import re

_END = re.compile(r"(?P<mark>\.{2,}|…|[.!?]+)(?P<close>[\"'”’)\]*]*)(?=\s|$)")
_BREAK = re.compile(r"\n\s*\n|\n(?=\s*(?:[-*•]|\d+[.)])\s)")
_ALWAYS = frozenset(("dr", "mr", "mrs", "ms", "prof", "st", "vs", "e.g", "i.e", "approx", "incl"))
"""Before a full stop, they end no sentence."""
_OFTEN = frozenset(("a.m", "p.m", "etc", "dept", "jr", "sr", "u.s", "u.k", "ph.d", "m.d"))
"""They end one only before a capital letter."""
_SELF = re.compile(r"I\b")


def sentences(text: str) -> list[str]:
    """The sentences of a text in order; what holds no letter or digit is none.

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
    return [" ".join(one.split()) for one in found if any(map(str.isalnum, one))]


def _ends(text: str, start: int, end: re.Match[str]) -> bool:
    """Whether a mark ends the sentence that began at `start`."""
    rest = text[end.end() :].lstrip()
    small = rest[:1].islower()
    if end["mark"] == "…" or end["mark"].startswith(".."):
        return not small and not _SELF.match(rest)
    if end["mark"] != ".":
        return not (small and end["close"])
    words = text[start : end.start()].split()
    last = words[-1].lstrip("\"'“‘([*").lower() if words else ""
    if last == "no":
        return not rest[:1].isdigit()  # "bed no. 4"
    if last in _ALWAYS:
        return not rest
    if last in _OFTEN:
        return rest[:1].isupper() or not rest
    return not _initial(words, rest)


def _initial(words: list[str], rest: str) -> bool:
    """Whether the last word is an initial: "J. Smith", "John F. Kennedy", "Dr. J. Smith"."""
    if not words or len(words[-1]) != 1 or not words[-1].isupper() or words[-1] == "I":
        return False
    named = len(words) == 1 or words[-2][0].isupper()
    return named and rest[:1].isupper()
