"""The phrases in sayings.txt: what the rules say of their own accord."""

from functools import cache
from pathlib import Path


@cache
def sayings() -> dict[str, tuple[str, ...]]:
    """Phrases by key, in the order of the file."""
    lines = Path(__file__).with_name("sayings.txt").read_text(encoding="utf-8").splitlines()
    found = (line.partition(": ") for line in lines if line and not line.startswith("#"))
    return {key: tuple(one.strip() for one in listed.split("|")) for key, _, listed in found}


def under(prefix: str) -> tuple[str, ...]:
    """The keys below a prefix, in the order of the file."""
    return tuple(key for key in sayings() if key.startswith(prefix))
