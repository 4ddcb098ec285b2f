"""The rows of a question file with the lines they stand on: JSON Lines, a JSON list, or MIRAGE."""

import json
import re
from collections.abc import Iterator
from json import JSONDecodeError, JSONDecoder
from pathlib import Path
from typing import Any

from bench.core.errors import UserError
from bench.records.record_files import json_lines

Row = tuple[str, str, object]
"""Where it stands ("line 3"), what it is called (or ""), and its JSON value."""
MIRAGE_SET = "medqa"
"""The set taken of MIRAGE's benchmark.json, which holds five."""
_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = JSONDecoder()
PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".7z", ".tar", ".tgz")


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file in its order.

    Raises:
        UserError: if it cannot be read, or naming the line that is not JSON.
    """
    kind = path.suffix.lower()
    if kind in PACKED:
        raise UserError(f"{path} is packed: unpack it first")
    if kind == ".parquet":
        raise UserError(
            f"{path} is Parquet; give JSON Lines, or let the hub be read (hub:REPO@REVISION)"
        )
    try:
        if kind != ".json":
            yield from ((where, "", row) for where, row in json_lines(path))
            return
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        why = (isinstance(error, OSError) and error.strerror) or error
        raise UserError(f"{path} cannot be read ({why})") from error
    try:
        if _is_lines(text):
            yield from ((where, "", row) for where, row in json_lines(path))
        else:
            yield from _values(text)
    except JSONDecodeError as error:
        raise UserError(f"{path}, line {error.lineno}: not JSON ({error})") from error


def _is_lines(text: str) -> bool:
    """Whether a .json file holds one question a line, as those of some hub copies do."""
    try:
        first = json.loads(text.lstrip().partition("\n")[0])
    except JSONDecodeError:
        return False
    except (ValueError, RecursionError):
        return text.lstrip().startswith(
            "{"
        )  # JSON that Python cannot hold; the line is named later
    return isinstance(first, dict) and ("question" in first or "sent1" in first)


def _values(text: str) -> Iterator[Row]:
    start = _skip(text, 0)
    if text[start : start + 1] not in ("[", "{"):
        raise JSONDecodeError("a list or an object of questions is wanted", text, start)
    members = {name: at for name, at, _ in _members(text, start)}
    prefix = ""
    if MIRAGE_SET in members and text[members[MIRAGE_SET]] == "{":
        start, prefix = members[MIRAGE_SET], f"{MIRAGE_SET}."
    line, counted = 1, 0
    for name, at, value in _members(text, start):
        line += text.count("\n", counted, at)
        counted = at
        yield f"line {line}", f"{prefix}{name}" if name else "", value


def _members(text: str, start: int) -> Iterator[tuple[str, int, Any]]:
    """Name (of an object's members), offset and value of what a list or object holds."""
    is_object = text[start] == "{"
    end = "}" if is_object else "]"
    at = _skip(text, start + 1)
    if text[at : at + 1] == end:
        return
    while True:
        name = ""
        if is_object:
            key, at = _decode(text, at)
            name = str(key)
            at = _skip(text, _expect(text, _skip(text, at), ":"))
        value, after = _decode(text, at)
        yield name, at, value
        at = _skip(text, after)
        if text[at : at + 1] == end:
            return
        at = _skip(text, _expect(text, at, ","))


def _decode(text: str, at: int) -> tuple[Any, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except JSONDecodeError:
        raise
    except (ValueError, RecursionError) as error:
        # Too long a number, or too deep: JSON, but nothing that Python can hold.
        raise JSONDecodeError(str(error), text, at) from error


def _skip(text: str, at: int) -> int:
    match = _SPACE.match(text, at)
    return match.end() if match else at


def _expect(text: str, at: int, mark: str) -> int:
    if text[at : at + 1] != mark:
        raise JSONDecodeError(f"{mark!r} is wanted", text, at)
    return at + 1
