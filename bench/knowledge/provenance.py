"""Which field of an outline a path of its draft means, after items were mended or taken out.

A path such as "symptoms.3" counts places, and these shift. So a draft keeps for each of its paths
where it led, with the items of lists named by what they are about.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from bench.knowledge.outline import Outline, Provenance

_ABOUT = ("name", "text", "test", "title", "group", "facts")
"""Keys that tell what an item is about; without one of them it is all that it holds."""


class Field(NamedTuple):
    """A field of an outline."""

    path: str
    value: str
    """What it says."""
    about: str
    """Its path with the items of lists by what they are about, one step a line."""


def record(outline: Outline, provenance: Provenance) -> Provenance:
    """The provenance with what the outline says at its paths."""
    at = {field.path: field for field in _fields(outline)}
    named = {path: at[path] for path in provenance.paths}
    told = {path: field.value for path, field in named.items()}
    about = {path: field.about for path, field in named.items()}
    return provenance.model_copy(update={"told": told, "about": about})


def recall(outline: Outline, provenance: Provenance) -> dict[str, Field]:
    """The fields that the paths of the draft mean; without those mended or taken out."""
    now = list(_fields(outline))
    at, about = ({getattr(field, key): field for field in now} for key in ("path", "about"))
    drafted = provenance.about
    fields = {
        path: about.get(drafted[path]) if path in drafted else at.get(path)
        for path in provenance.paths
    }
    return {path: field for path, field in fields.items() if field is not None}


def _fields(outline: Outline) -> Iterator[Field]:
    """Every field, the inner ones too."""
    data = outline.model_dump(mode="json", exclude={"provenance"})
    for name, value in data.items():
        yield from _within(value, name, name)


def _within(value: Any, path: str, about: str) -> Iterator[Field]:
    yield Field(path, _words(value), about)
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _within(inner, f"{path}.{key}", f"{about}\n{key}")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _within(inner, f"{path}.{place}", f"{about}\n{_words(inner)}")


def _words(value: Any) -> str:
    if isinstance(value, dict):
        about = next((value[key] for key in _ABOUT if key in value), None)
        return _words([item for item in value.values() if item] if about is None else about)
    if isinstance(value, list):
        return " ".join(_words(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
