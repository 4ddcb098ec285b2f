"""How a command ends that finished with failures."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from bench.failure import Failure

FAILED_ITEMS = 3
"""Exit code: done, but items failed."""


def report_failures(failures: "Sequence[Failure]", where: str) -> None:
    """Say how many items failed and why the first did; nothing if none did.

    Raises:
        typer.Exit: with code 3, if any failed.
    """
    from bench.tables import printable

    if not failures:
        return
    counts = sorted(Counter(failure.outcome for failure in failures).items())
    told = ", ".join(f"{count} {outcome}" for outcome, count in counts)
    first = failures[0]
    typer.echo(f"{len(failures)} items failed ({told}); {where}", err=True)
    typer.echo(printable(f"first: {first.item}, {first.stage}: {first.reason[:300]}"), err=True)
    raise typer.Exit(FAILED_ITEMS)
