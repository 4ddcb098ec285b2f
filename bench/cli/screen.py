"""Tables and progress on the screen, and how a command ends."""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, TypeVar

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from bench.api.table import Grid
from bench.report.text import printable

if TYPE_CHECKING:
    from bench.api.failure import Failure

R = TypeVar("R")
PLAIN_WIDTH = 150
"""Characters of a line where the output is no terminal."""
FAILED_ITEMS = 3
"""Exit code: done, but items failed."""


def say(text: str, style: str = "", *, err: bool = False) -> None:
    """Print text; a terminal breaks lines between words, and obeys nothing in it."""
    console = Console(stderr=err, highlight=False)
    console.print(Text(printable(text), style), soft_wrap=not console.is_terminal)


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


def warn(notes: Iterable[str]) -> None:
    """Say on standard error what must be known, each thing once."""
    for note in dict.fromkeys(notes):
        say(f"warning: {note}", "yellow", err=True)


def show_files(paths: Iterable[Path]) -> None:
    """Print where files were written."""
    for path in paths:
        say(f"wrote {path}")


class Progressing:
    """A line on stderr for everything that is finished; on a terminal also bars of what is not.

    The bars are one display, for a terminal has room for no second one.
    """

    def __init__(self) -> None:
        """Nothing is shown before something begins."""
        self._console = Console(stderr=True)
        self._bars = self._new_bars()

    def _new_bars(self) -> Progress:
        return Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[lost]}", style="red"),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Callable[..., None]]:
        """Something of `total` items, perhaps beside others."""
        counted: Counter[bool] = Counter()
        name = printable(title)
        if not self._bars.tasks:
            self._bars = self._new_bars()
            self._bars.start()
        bars, task = self._bars, self._bars.add_task(name, total=total, lost="")

        def step(failed: bool = False) -> None:
            counted[failed] += 1
            bars.update(task, advance=1, lost=_lost(counted))

        try:
            yield step
        finally:
            bars.remove_task(task)
            if not bars.tasks:
                bars.stop()
        counts = ", ".join(filter(None, (f"{counted.total()} done", _lost(counted))))
        self._console.print(Text(f"{name}: {counts}"), soft_wrap=True)


def _lost(counted: Counter[bool]) -> str:
    return f"{counted[True]} failed" if counted[True] else ""


def run_until_stopped(work: Coroutine[Any, Any, R]) -> R:
    """The result of the work; SIGTERM ends it as Ctrl-C does, so that the same command goes on.

    Raises:
        SystemExit: with code 143, after SIGTERM.
    """

    async def stoppable() -> R:
        loop, task = asyncio.get_running_loop(), asyncio.create_task(work)

        def stop(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(task.cancel)

        before = signal.signal(signal.SIGTERM, stop)
        try:
            return await task
        finally:
            signal.signal(signal.SIGTERM, before)

    try:
        return asyncio.run(stoppable())
    except asyncio.CancelledError:
        sys.exit(128 + signal.SIGTERM)


def report_failures(failures: "Sequence[Failure]", where: str) -> None:
    """Say how many items failed and why the first did; nothing if none did.

    Raises:
        typer.Exit: with code 3, if any failed.
    """
    if not failures:
        return

    def counted(names: Iterable[str]) -> str:
        return ", ".join(f"{count} {name}" for name, count in sorted(Counter(names).items()))

    first = failures[0]
    places = [failure.metric or failure.stage for failure in failures]
    outcomes = counted(failure.outcome for failure in failures)
    say(f"{len(failures)} items failed ({counted(places)}: {outcomes}); {where}", err=True)
    say(f"first: {first.item}, {places[0]}: {first.reason[:300]}", err=True)
    raise typer.Exit(FAILED_ITEMS)
