"""JSON objects amid other text: where they begin, that they end, and what they hold.

Promise: what has no end in the text is never completed, so a text that was cut amid its answer
holds nothing. An object that ends and is slightly broken (quotes, commas, Python's words) is
mended. The time is linear; the limits are stated below.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from json_repair import loads as mended

DEEPEST = 100
"""Brackets within brackets; what goes deeper is no answer."""
MOST_MENDED = 50_000
"""Characters of a text that are mended at most: it takes up to 50 microseconds each."""

# Braces in prose count only where they look like an object's; at a text's end they may be one's.
_OPENING = re.compile(r"\{(?=\s*+(?:[\"'\w}“]|\Z))|\[(?=\s*+(?:\{|\Z))")
_INSIDE = re.compile(r"""["'{}\[\]]""")
# A quotation mark ends a string only before what may follow one: models forget to escape others.
_STRINGS = {
    quote: re.compile(
        rf"(?:[^\\{quote}]++|\\.|{quote}(?![ \t]*+(?:[,:}}\]/#\r\n]|\Z)))*+{quote}", re.DOTALL
    )
    for quote in "\"'"
}


def objects(text: str) -> Iterator[dict[str, Any]]:
    """The outermost objects of a text, and those in its lists of objects, the last first.

    Raises:
        ValueError: one has no end, or goes too deep.
    """
    if text.count("{") + text.count("[") <= DEEPEST:
        with suppress(ValueError):  # mostly the text is one object
            if isinstance(value := json.loads(text, strict=False), dict):
                yield value
                return
    room = MOST_MENDED
    for start, end in reversed(list(_groups(text))):
        group = text[start:end]
        value = None
        try:
            value = json.loads(group, strict=False)
        except ValueError:
            room -= len(group)
            value = _mended(group) if room >= 0 else None
        for item in reversed(value if isinstance(value, list) else [value]):
            if isinstance(item, dict):
                yield item


def _mended(group: str) -> Any:
    try:
        return mended(group, skip_json_loads=True)
    except (ValueError, RecursionError):
        return None


def _groups(text: str) -> Iterator[tuple[int, int]]:
    """Where the outermost objects and lists of objects begin and end."""
    place = 0
    while opening := _OPENING.search(text, place):
        place = _end(text, opening)
        yield opening.start(), place


def _end(text: str, opening: re.Match[str]) -> int:
    """Where what opens here ends; a closing bracket that nothing opened is passed over."""
    inside = [opening[0]]
    place = opening.end()
    while inside:
        found = _INSIDE.search(text, place)
        if found and (found[0] == '"' or (found[0] == "'" and _begins(text, found.start()))):
            found = _STRINGS[found[0]].match(text, found.end())
        elif found and found[0] in "{[":
            inside.append(found[0])
        elif found and found[0] == "}" and "{" in inside:
            while inside.pop() != "{":
                pass
        elif found and found[0] == "]" and inside[-1] == "[":
            inside.pop()
        if not found:
            raise ValueError("the answer has no end")
        if len(inside) > DEEPEST:
            raise ValueError("the answer is nested too deeply")
        place = found.end()
    return place


def _begins(text: str, place: int) -> bool:
    """Whether a string may begin here; else it is an apostrophe."""
    before = place - 1
    while text[before].isspace():
        before -= 1
    return text[before] in "{[,:"
