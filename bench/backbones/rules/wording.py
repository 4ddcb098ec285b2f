"""The word lists in speech.txt."""

from functools import cache
from pathlib import Path

IRREGULAR = {"has": "have", "is": "am", "does": "do", "goes": "go", "lies": "lie", "dies": "die"}
"""First person of verbs whose third person is irregular."""


@cache
def listing(key: str) -> tuple[str, ...]:
    """The words under a key, in the order of the file."""
    for line in Path(__file__).with_name("speech.txt").read_text(encoding="utf-8").splitlines():
        head, _, rest = line.partition(": ")
        if head == key:
            return tuple(rest.split())
    raise KeyError(key)


@cache
def listed(key: str) -> frozenset[str]:
    """The words under a key."""
    return frozenset(listing(key))


def base(verb: str) -> str:
    """The first person of a verb in the third: "goes" as "go"."""
    if verb in IRREGULAR:
        return IRREGULAR[verb]
    if verb.endswith("ies") and len(verb) > 4:
        return verb[:-3] + "y"
    if verb.endswith(("sses", "shes", "ches", "xes", "zzes", "oes")) and not verb.endswith("aches"):
        return verb[:-2]
    return verb[:-1]


def third(verb: str) -> str:
    """The third person of a verb in the first: "go" as "goes"."""
    for own, other in (("have", "has"), ("am", "is"), ("do", "does"), ("go", "goes")):
        if verb == own:
            return other
    if verb in ("can", "cannot", "could", "will", "would", "should", "must", "may", "might"):
        return verb
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return verb[:-1] + "ies"
    if verb.endswith(("ss", "sh", "ch", "x", "zz")):
        return verb + "es"
    return verb + "s"
