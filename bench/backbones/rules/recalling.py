"""Reads a patient's memory: the same facts, whichever of the three formats holds them."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

Kind = Literal[
    "name",
    "gender",
    "age",
    "history",
    "lifestyle",
    "vaccination",
    "family",
    "disease",
    "severity",
    "symptom",
    "duration",
    "examination",
    "profile",
    "learned",
]

_LABELS: dict[str, Kind] = {
    "name": "name",
    "gender": "gender",
    "age": "age",
    "medical history": "history",
    "lifestyle": "lifestyle",
    "vaccination history": "vaccination",
    "family history": "family",
    "disease": "disease",
    "severity": "severity",
    "symptom": "symptom",
    "symptoms": "symptom",
    "duration": "duration",
}
_LISTED = {"medical history", "lifestyle", "vaccination history", "family history", "symptoms"}
_HEADINGS = {
    "basic information",
    "epidemiology",
    "disease information",
    "examination results",
    "profile",
    "learned in conversation",
}
_HIDDEN = {"id", "disposition"}
_LINE = re.compile(r"^(\"(?:[^\"\\]|\\.)*\" \(\"[^\"]*\"\)|[^:.;]{1,80}?(?: \([^()]*\))?): (.*)$")
_TEST = re.compile(r"^\"?(.*?)\"? \(\"?([^()\"]*)\"?\)$")


@dataclass(frozen=True, slots=True)
class Held:
    """One thing that a memory holds."""

    kind: Kind
    value: str
    label: str = ""
    """For an examination the test, for an item of the profile its name."""


@lru_cache(maxsize=65536)
def read_fact(text: str) -> Held:
    """What a fact as "Label: value" says; one without a known label was learned."""
    found = _LINE.match(text)
    if found:
        label, value = found.groups()
        known = _LABELS.get(label.lower())
        if known:
            return Held(known, value)
        test = _TEST.match(label)
        if test:
            return Held("examination", value, test[1])
        if " " not in value or label[:1].isupper():
            return Held("profile", value, label.lower())
    return Held("learned", text)


@lru_cache(maxsize=1024)
def recall(memory: str) -> tuple[Held, ...]:
    """All that a memory in any of the formats holds, in its order."""
    if memory.lstrip().startswith("{"):
        try:
            data = json.loads(memory)
        except ValueError:
            data = None
        if isinstance(data, dict):
            return tuple(_from_json(data))
    return tuple(_from_lines(memory))


def _from_lines(memory: str) -> Iterator[Held]:
    for line in filter(None, map(str.strip, memory.splitlines())):
        label, _, rest = line.partition(": ")
        if line.lower().rstrip(":") in _HEADINGS or label.lower() in _HIDDEN:
            continue
        if label.lower() in _LISTED:
            yield from (Held(_LABELS[label.lower()], one) for one in rest.split("; ") if one)
        else:
            held = read_fact(line)
            # A learned sentence has a full stop in a note, and none elsewhere.
            yield Held("learned", line.rstrip(".")) if held.kind == "learned" else held


def _from_json(data: dict[str, Any]) -> Iterator[Held]:
    for section in ("basic_information", "epidemiology", "disease_information"):
        for field, value in (data.get(section) or {}).items():
            kind = _LABELS.get({"symptoms": "symptom"}.get(field, field.replace("_", " ")))
            if kind:
                for one in value if isinstance(value, list) else [value]:
                    yield Held(kind, str(one))
    for one in data.get("examination_results") or ():
        told = " ".join(str(one.get(part) or "") for part in ("value", "unit", "finding"))
        yield Held("examination", told.strip(), str(one.get("test", "")))
    for field, value in (data.get("profile") or {}).items():
        if field not in _HIDDEN and value is not None:
            yield Held("profile", str(value), field.replace("_", " "))
    for learned in data.get("learned") or ():
        told = learned if isinstance(learned, str) else str(learned.get("text", ""))
        yield Held("learned", told.rstrip("."))
