"""The audited list: which questions of the MedQA US test split belong to which department.

Ids only, never text. One language model read the questions; no clinician did. A new reading is a
new version: the list is never edited in place.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from bench.medqa.labels import Label

LIST = Path(__file__).with_name("departments.v1.jsonl")
MANIFEST = LIST.with_name("departments.v1.manifest.json")


class Audited(Label):
    """One line of the list; what else it says is how the question came to be read."""

    dup_of: str | None
    """Id of the question that this one nearly repeats."""


@lru_cache(maxsize=1)
def audited() -> dict[str, Audited]:
    """The list by id."""
    lines = LIST.read_text(encoding="utf-8").splitlines()
    rows = (Audited.model_validate_json(line) for line in lines)
    return {row.id: row for row in rows}


@lru_cache(maxsize=1)
def manifest() -> dict[str, Any]:
    """What the list says of itself."""
    made: dict[str, Any] = json.loads(MANIFEST.read_text(encoding="utf-8"))
    return made


JOININGS: dict[str, Callable[[Sequence[str]], str]] = {
    "by newlines": "\n".join,
    "by newlines, the last too": lambda ids: "".join(f"{one}\n" for one in ids),
    "by nothing": "".join,
    "by commas": ",".join,
    "by spaces": " ".join,
    "as JSON": json.dumps,
    "as compact JSON": lambda ids: json.dumps(ids, separators=(",", ":")),
}
"""How the sorted ids may have been joined for the hash of their set; the list does not say."""


def joining(ids: Iterable[str]) -> str:
    """How ids give the audited set's hash when they are joined; empty where it is another set."""
    ordered, wanted = sorted(ids), manifest()["source"]["id_set_sha256"]
    joined = ((name, join(ordered)) for name, join in JOININGS.items())
    return next((name for name, text in joined if _sha256(text) == wanted), "")


def is_audited_split(ids: Iterable[str]) -> bool:
    """Whether these are exactly the questions that were audited, by the hash of the set of ids."""
    return joining(ids) != ""


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def difference(ids: frozenset[str]) -> str:
    """How a set of questions differs from the one audited; empty where it does not.

    Which questions without a department are missing or extra cannot be told: the list has the ids
    of the others only.
    """
    if is_audited_split(ids):
        return ""
    rows, listed = manifest()["source"]["rows"], audited()
    return (
        f"not the audited MedQA US test split: {len(ids)} questions where the split has {rows}; of "
        f"its {len(listed)} questions with a department {len(listed.keys() & ids)} are here"
    )
