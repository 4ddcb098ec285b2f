"""Words of names, as two names are compared: no possessives, no plurals, no case."""

import re

_WORD = re.compile(r"[^\W_]+")
_POSSESSIVE = re.compile(r"['’]s\b")


def words(text: str) -> tuple[str, ...]:
    """The words of a name in their order, casefolded, plural endings and possessives cut."""
    return tuple(map(_singular, _WORD.findall(_POSSESSIVE.sub("", text.casefold()))))


def _singular(word: str) -> str:
    kept = len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is"))
    return word if kept else word[:-1]


UNTELLING = frozenset(
    words("acute chronic primary left right sided bilateral disease disorder syndrome mellitus")
)
"""Words that alone name no disease."""
