"""How a command ends that finished with failures."""

from collections import Counter
from collections.abc import Coroutine, Iterable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import typer

if TYPE_CHECKING:
    from bench.api.failure import Failure

R = TypeVar("R")
FAILED_ITEMS = 3
"""Exit code: done, but items failed."""


def run_until_stopped(work: Coroutine[Any, Any, R]) -> R:
    """The result of the work; Ctrl-C ends it with a word on how to go on.

    Raises:
        typer.Exit: with code 130, if the user stopped it.
    """
    import asyncio

    try:
        return asyncio.run(work)
    except KeyboardInterrupt:
        typer.echo("stopped; run the same command again to go on from here", err=True)
        raise typer.Exit(130) from None


def report_failures(failures: "Sequence[Failure]", where: str) -> None:
    """Say how many items failed and why the first did; nothing if none did.

    Raises:
        typer.Exit: with code 3, if any failed.
    """
    from bench.report.tables import printable

    if not failures:
        return

    def counted(names: Iterable[str]) -> str:
        return ", ".join(f"{count} {name}" for name, count in sorted(Counter(names).items()))

    first = failures[0]
    stages = counted(failure.stage for failure in failures)
    outcomes = counted(failure.outcome for failure in failures)
    typer.echo(f"{len(failures)} items failed ({stages}: {outcomes}); {where}", err=True)
    typer.echo(printable(f"first: {first.item}, {first.stage}: {first.reason[:300]}"), err=True)
    raise typer.Exit(FAILED_ITEMS)
