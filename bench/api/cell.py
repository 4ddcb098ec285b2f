"""One combination of factors: where in an experiment an item, an evaluation or a score stands."""

from collections.abc import Iterator, Mapping
from pathlib import Path


class Cell(Mapping[str, str]):
    """Values of factors by name, for instance {"backbone": "rules", "method": "direct"}.

    Frozen. The order of the factors makes the path; it does not tell cells apart.
    """

    __slots__ = ("_factors",)

    def __init__(self, factors: Mapping[str, str] | None = None, /, **more: str) -> None:
        """Factors in order."""
        self._factors: dict[str, str] = {**(factors or {}), **more}

    def __getitem__(self, factor: str) -> str:
        return self._factors[factor]

    def __iter__(self) -> Iterator[str]:
        return iter(self._factors)

    def __len__(self) -> int:
        return len(self._factors)

    def __hash__(self) -> int:
        return hash(frozenset(self._factors.items()))

    def __repr__(self) -> str:
        return f"Cell({self._factors})"

    def __str__(self) -> str:
        """The values, as a title has them."""
        return " ".join(self._factors.values())

    def and_(self, factors: Mapping[str, str] | None = None, /, **more: str) -> "Cell":
        """This cell with further factors, or other values."""
        return Cell({**self._factors, **(factors or {}), **more})

    def without(self, *factors: str) -> "Cell":
        """This cell without some factors."""
        return Cell({name: value for name, value in self.items() if name not in factors})

    def within(self, other: Mapping[str, str]) -> bool:
        """Whether the other has all factors of this one, with the same values."""
        return all(other.get(name) == value for name, value in self.items())

    def path(self, ending: str) -> Path:
        """Relative path of a file of the cell; the values made safe."""
        *folders, last = map(safe_name, self.values())
        return Path(*folders, f"{last}{ending}")


def differing(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """The factors whose values differ, those that only one has included."""
    return [name for name in dict.fromkeys((*one, *other)) if one.get(name) != other.get(name)]


def safe_name(name: str) -> str:
    """A name as a single path component that is no hidden file; unlike names stay unlike."""
    safe = "".join(c if c.isalnum() or c in "-_." else _escaped(c) for c in name)
    return f"%2e{safe[1:]}" if safe.startswith(".") else safe


def _escaped(character: str) -> str:
    """Of a fixed length, so that what follows is not taken for a part of it."""
    code = ord(character)
    return f"%{code:02x}" if code < 256 else f"%u{code:06x}"
