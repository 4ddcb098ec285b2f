"""Reads facts: of a patient's memory, the same whichever format holds them, and of a text."""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from bench.backbones.requests import Extract, Extracted
from bench.core.text import sentences, stems
from bench.knowledge.library import Library
from bench.records.formats import LEARNED
from bench.records.record import BasicInformation, DiseaseInformation, Epidemiology, Profile

_SECTIONS = (BasicInformation, Epidemiology, DiseaseInformation, Profile)
_KINDS = {
    field.replace("_", " "): field for section in _SECTIONS for field in section.model_fields
} | {"symptom": "symptoms"}
"""The kind of fact by its label: the field of the record."""
_LISTED = (*Epidemiology.model_fields, "symptoms")
_HEADINGS = {"Basic Information", "Epidemiology", "Disease Information", "Examination Results"}
_JOINT = re.compile(r";|, but |, and (?=i )", re.IGNORECASE)
_UNSAID = frozenset(
    stems("hello thanks thank please sorry doctor you know remember sure think maybe perhaps")
)
"""With these, a sentence is polite or unsure, and states nothing."""


@dataclass(frozen=True, slots=True)
class KnownFact:
    """One thing that a memory holds."""

    kind: str
    """What it is about; "learned" for a statement of a dialogue."""
    value: str
    test: str = ""
    """Name of an examination; `value` is then its result."""


@lru_cache(maxsize=65536)
def read_fact(text: str) -> KnownFact:
    """What a fact as "Label: value" says; one without a known label was learned."""
    label, mark, value = text.partition(": ")
    if mark and label.lower() in _KINDS:
        return KnownFact(_KINDS[label.lower()], value)
    head, mark, value = text.partition("): ")
    test, paren, _ = head.rpartition(" (")
    if mark and paren:
        return KnownFact("examination", value, test.strip('"'))
    return KnownFact("learned", text.rstrip("."))


@lru_cache(maxsize=1024)
def recall(memory: str) -> tuple[KnownFact, ...]:
    """All that a memory in any of the formats holds, in its order."""
    try:
        data = json.loads(memory)
    except (ValueError, RecursionError):
        data = None
    lines = _lines(data) if isinstance(data, dict) else map(str.strip, memory.splitlines())
    stated = (line for line in lines if line and line not in _HEADINGS | {"Profile", LEARNED})
    return tuple(part for line in stated for part in _parts(read_fact(line)))


def _lines(data: dict[str, Any]) -> Iterator[str]:
    """The facts of a record as JSON, one a line as in the other formats."""
    for section in ("basic_information", "epidemiology", "disease_information", "profile"):
        fields = data.get(section)
        for field, value in fields.items() if isinstance(fields, dict) else ():
            for item in _items(value):
                yield f"{field.replace('_', ' ')}: {item}"
    for made in _items(data.get("examination_results")):
        if isinstance(made, dict):
            result = " ".join(str(made[part]) for part in ("value", "finding") if made.get(part))
            yield f"{made.get('test')} ({made.get('category')}): {result}"
    yield from map(str, _items(data.get("learned", [])))


def _items(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _parts(entry: KnownFact) -> Iterator[KnownFact]:
    """A fact, lists one by one; of a duration the course, and what makes it better or worse."""
    if entry.kind in _LISTED:
        yield from (KnownFact(entry.kind, item) for item in entry.value.split("; ") if item)
    elif entry.kind == "duration":
        for sentence in sentences(entry.value):
            for part in sentence.rstrip(".").split("; "):
                changing = part.startswith(("worse with ", "eased by "))
                yield KnownFact("changes" if changing else "course", part)
    else:
        yield entry


def extract(task: Extract, library: Library, drawn: random.Random) -> Extracted:
    """The statements in order; `library` and `drawn` are not needed."""
    return Extracted(facts=tuple(dict.fromkeys(statements(task.text))))


def statements(text: str) -> list[str]:
    """What a text states, one claim each: sentences and what semicolons part in them."""
    split = (
        _JOINT.split(sentence)
        for line in text.splitlines()
        for sentence in sentences(line)
        if not sentence.endswith("?") and _UNSAID.isdisjoint(stems(sentence))
    )
    parts = (part.strip(" .!,") for several in split for part in several)
    return [part for part in parts if any(map(str.isalnum, part))]
