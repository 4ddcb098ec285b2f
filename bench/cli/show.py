"""`pzbench show`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from bench.runs.folder import RunFolder


def show(
    run: Path = typer.Argument(help="Run folder."),
    record: str | None = typer.Option(None, "--record", help="Show the records with this id."),
    form: str = typer.Option("text", "--format", help="Format of the record."),
) -> None:
    """Show a run: its tables, made anew, and its failures; or one of its records."""
    from bench.cli.ending import report_failures
    from bench.cli.screen import show_files, show_grids
    from bench.core.registry import FORMATS
    from bench.report.results import make_tables
    from bench.runs.folder import RunFolder

    folder = RunFolder(run)
    renderer = FORMATS.make(form, {})
    if record is not None:
        _show_record(folder, record, renderer)
        return
    grids, written = make_tables(folder)
    show_grids(grids)
    show_files(written)
    report_failures(folder.failures(), f"see {folder.path}/failures.jsonl")


def _show_record(folder: "RunFolder", identity: str, renderer: Any) -> None:
    from bench.core.errors import UserError
    from bench.report.tables import printable

    found = False
    for cell, record in folder.find_record(identity):
        found = True
        shown = f"# {cell.method} by {cell.backbone}\n{renderer.render(record)}\n"
        typer.echo(printable(shown))
    if not found:
        raise UserError(f"{folder.path} holds no record {identity!r}")
