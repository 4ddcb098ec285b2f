"""Which item of a draft a path of its provenance means, after items were mended or taken out.

A path such as "symptoms.3" counts places, and these shift. So what was drafted there is kept, and
an item is known again by what it is about.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from bench.knowledge.outline import Outline

_ABOUT = ("name", "text", "test", "title", "group", "facts")
"""Keys that tell what an item is about; without one of them it is all that it holds."""


class Field(NamedTuple):
    """A field of an outline."""

    path: str
    value: str
    """What it says now."""


def record(outline: Outline, paths: Iterable[str]) -> dict[str, str]:
    """What an outline says at paths and at the items of lists on the way to them."""
    data = outline.model_dump(mode="json")
    return {step: _words(_at(data, step)) for path in paths for step in _milestones(path)}


def recall(outline: Outline, path: str, told: Mapping[str, str]) -> Field | None:
    """The field that a path of the draft means; none if its item was mended or taken out."""
    node: Any = outline.model_dump(mode="json", exclude={"provenance"})
    drafted: list[str] = []
    now: list[str] = []
    for part in path.split("."):
        drafted.append(part)
        place = part
        if isinstance(node, list):
            place_now = _place(node, int(part), told.get(".".join(drafted)))
            if place_now is None:
                return None
            node, place = node[place_now], str(place_now)
        elif isinstance(node, dict) and part in node:
            node = node[part]
        else:
            return None
        now.append(place)
    return Field(".".join(now), _words(node))


def _place(items: list[Any], place: int, about: str | None) -> int | None:
    """Where in a list the item stands that stood at a place."""
    if place < len(items) and about in (None, _words(items[place])):
        return place
    return next((at for at, item in enumerate(items) if _words(item) == about), None)


def _milestones(path: str) -> Iterator[str]:
    """A path, and the items of lists on the way to it."""
    parts = path.split(".")
    for length in range(1, len(parts) + 1):
        if parts[length - 1].isdecimal() or length == len(parts):
            yield ".".join(parts[:length])


def _at(data: Any, path: str) -> Any:
    for part in path.split("."):
        data = data[int(part) if isinstance(data, list) else part]
    return data


def _words(value: Any) -> str:
    if isinstance(value, dict):
        about = next((value[key] for key in _ABOUT if key in value), None)
        return _words([item for item in value.values() if item] if about is None else about)
    if isinstance(value, list):
        return " ".join(_words(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
