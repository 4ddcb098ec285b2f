"""What a table is: a class that makes grids of a run's results; it need import nothing of ours.

`preset`, where it has one, is the experiment file that `pzbench reproduce` runs for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol


@dataclass(frozen=True)
class Grid:
    """A table ready to be shown: on the screen, as CSV, Markdown and a page alike."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


class Table(Protocol):
    """Makes grids from the results of a run (`bench.report.results.Results`).

    Optional: `charts(results)`, sequences of `bench.report.page.Chart` for the page, and
    `files(results)`, further files by name.
    """

    preset: Path | None

    def grids(self, results: Any) -> Sequence[Grid]:
        """The table, and what stands below it; the first is also kept as CSV."""
        ...


def optional(table: Any, name: str, results: Any) -> Any:
    """What a table gives by an optional method; none without it."""
    method = getattr(table, name, None)
    return None if method is None else method(results)
