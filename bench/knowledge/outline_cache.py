"""Parsed outlines in the user's cache folder: JSON is read ten times as fast as YAML.

Promise: what is given is what the text says. An entry goes by the hash of the text and of the code
that reads it, holds its own hash, and is validated; anything else is ignored and written anew. A
folder that cannot be written costs only time.
"""

import contextlib
import hashlib
import inspect
from collections.abc import Callable
from functools import cache
from pathlib import Path

from bench.core import schema, yaml_lines
from bench.core.atomic import write_text
from bench.core.cache import cache_folder
from bench.core.errors import UserError
from bench.knowledge import outline
from bench.knowledge.outline import Outline


def cached(text: str, parse: Callable[[], Outline]) -> Outline:
    """The outline in a text, by `parse` if it was never parsed before."""
    path = _path(text)
    if path is None:
        return parse()
    with contextlib.suppress(OSError, ValueError):
        sha256, _, kept = path.read_text(encoding="utf-8").partition("\n")
        if sha256 == _sha256(kept):
            return Outline.model_validate_json(kept)
    parsed = parse()
    # A half of a character is valid YAML and no text that a file can hold.
    with contextlib.suppress(UserError, ValueError):
        kept = parsed.model_dump_json()
        if Outline.model_validate_json(kept) == parsed:
            write_text(path, f"{_sha256(kept)}\n{kept}")
    return parsed


def _path(text: str) -> Path | None:
    """Where the outline in a text is kept; none for a user without a home."""
    try:
        return cache_folder("outlines") / f"{_sha256(_reader() + text)}.json"
    except RuntimeError:
        return None


@cache
def _reader() -> str:
    """Hash of the code that makes an outline of a text."""
    modules = (outline, schema, yaml_lines)
    return _sha256("".join(inspect.getsource(module) for module in modules))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()
