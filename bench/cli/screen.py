"""Tables and progress on the screen."""

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from bench.report.tables import Grid, printable

PLAIN_WIDTH = 150
"""Characters of a line where the output is no terminal."""


def show_grids(grids: Iterable[Grid]) -> None:
    """Print grids to standard output; foreign text is never read as markup."""
    console = Console(width=None if sys.stdout.isatty() else PLAIN_WIDTH, highlight=False)
    for grid in grids:
        table = Table(title=Text(printable(grid.title)), title_justify="left", show_lines=True)
        for column in grid.columns:
            table.add_column(Text(printable(column)), overflow="fold")
        for row in grid.rows:
            table.add_row(*(Text(printable(cell)) for cell in row))
        console.print(table)
        for note in grid.notes:
            console.print(Text(printable(f"  {note}")), style="dim")
        console.print()


def show_files(paths: Iterable[Path]) -> None:
    """Print where files were written."""
    console = Console(soft_wrap=True, highlight=False)
    for path in paths:
        console.print(Text(printable(f"wrote {path}")))


class Progressing:
    """Progress bars on a terminal, else one line for each finished stage; both on stderr."""

    def __init__(self) -> None:
        """Nothing is shown before the first stage."""
        self._console = Console(stderr=True)

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator["_Counter"]:
        """A stage of `total` items."""
        counter = _Counter()
        if not self._console.is_terminal:
            yield counter
            self._console.print(Text(printable(f"{title}: {counter}")), soft_wrap=True)
            return
        columns = (
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[failed]}", style="red"),
        )
        with Progress(*columns, console=self._console) as progress:
            task = progress.add_task(printable(title), total=total, failed="")
            counter.tell = lambda: progress.update(
                task,
                completed=counter.done,
                failed=f"{counter.failed} failed" * bool(counter.failed),
            )
            yield counter


class _Counter:
    """Counts the items of one stage."""

    def __init__(self) -> None:
        self.done = self.failed = 0
        self.tell: Callable[[], None] = lambda: None

    def __call__(self, failed: bool = False) -> None:
        self.done += 1
        self.failed += failed
        self.tell()

    def __str__(self) -> str:
        return f"{self.done} done" + (f", {self.failed} failed" if self.failed else "")
