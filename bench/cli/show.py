"""`pzbench show`: a run's tables, one of its items, or its failures. Nothing is written."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bench.cli.options import usable

if TYPE_CHECKING:
    from bench.experiments.run_reader import ItemReport, RunReader
    from bench.runs.exchanges import JournalExchange

JSON = "json"
"""The format in which all that is shown is one JSON document."""
Factors = typer.Option(
    None, "--where", help="Only this value of a factor: method=direct, stage=interview, judge=..."
)


def show(
    run: Path = typer.Argument(callback=usable, help="Run folder."),
    item: str | None = typer.Option(
        None, "--item", help="Show all of an item: its id, or as much of it as only one has."
    ),
    failures: bool = typer.Option(False, "--failures", help="Show failures by their reasons."),
    where: list[str] | None = Factors,
    exchanges: bool = typer.Option(
        False, "--exchanges", help="Add what models were asked for the item, and answered."
    ),
    form: str = typer.Option(
        "text", "--format", help="Format of the item's record; json shows everything as JSON."
    ),
) -> None:
    """Show a run: its first table and how much failed; or one item, or the failures."""
    from bench.core.errors import UserError
    from bench.core.registry import FORMATS
    from bench.experiments.run_reader import RunReader
    from bench.runs.folder import RunFolder

    if item is not None and failures:
        raise UserError("--item shows the item's failures, too: leave --failures out")
    if exchanges and item is None:
        raise UserError("--exchanges are those of an item: add --item ID")
    if item is None and not failures and where:
        raise UserError(f"--where goes with --item or --failures; {run}/results.csv holds it all")
    FORMATS.load(form)
    factors = factors_of(where or ())
    reader = RunReader(RunFolder(run))
    if item is not None:
        _show_item(reader, reader.item(item, factors, form), exchanges, form == JSON)
    elif failures:
        _show_failures(reader, factors, form == JSON)
    else:
        _show_tables(reader, form == JSON)


def factors_of(texts: Sequence[str]) -> dict[str, str]:
    """Factors as the command line names them, "method=direct".

    Raises:
        UserError: for one without a value.
    """
    from bench.core.errors import UserError

    factors: dict[str, str] = {}
    for text in texts:
        factor, sign, value = text.partition("=")
        if not sign:
            raise UserError(f"--where {text}: a factor needs a value, as in method=direct")
        factors[factor.strip()] = value.strip()
    return factors


def _show_tables(reader: "RunReader", as_json: bool) -> None:
    """The grids of the first table, where the others are, and how much failed."""
    from bench.cli.screen import report_failures, show_grids
    from bench.report.writer import grids_of

    results = reader.results
    if reader.unfinished:
        typer.echo(_safe(reader.unfinished), err=True)
    names, folder = reader.experiment.tables, reader.folder
    grids = grids_of(names[0], results) if names else []
    files = sorted(path.name for path in folder.tables.glob("*") if path.is_file())
    if as_json:
        _show_json(reader, grids=list(map(asdict, grids)), tables=names, files=files)
    else:
        show_grids(grids)
        if len(names) > 1:
            typer.echo(_safe(f"other tables: {', '.join(names[1:])}"))
        held = ", ".join(files) or f"nothing; `pzbench run {folder.path}` writes the tables anew"
        typer.echo(_safe(f"{folder.tables}: {held}" if names else "no tables were asked for"))
        typer.echo(_safe(f"all figures: {folder.results}"))
    for path in reader.missing:
        typer.echo(_safe(f"missing: {path}"), err=True)
    report_failures(reader.failures, f"`pzbench show {folder.path} --failures` groups them")


def _show_json(reader: "RunReader", **data: Any) -> None:
    typer.echo(json.dumps({"run": str(reader.folder.path), **data}, indent=1))


def _show_item(reader: "RunReader", report: "ItemReport", with_them: bool, as_json: bool) -> None:
    """One item; with what its journal keys stand for, if asked."""
    from bench.cli.item_lines import exchange_lines, report_lines
    from bench.core.errors import UserError
    from bench.runs.exchanges import exchanges

    asked: list[JournalExchange] = []
    if with_them:
        try:
            asked += exchanges(reader.folder.kept_journal, report.keys)
        except UserError as error:
            report = report.model_copy(update={"remarks": (*report.remarks, str(error))})
    if as_json:
        more = {"exchanges": list(map(asdict, asked))} if with_them else {}
        _show_json(reader, **report.model_dump(mode="json"), **more)
        return
    lines = list(report_lines(report))
    for exchange in asked:
        lines += ["", *exchange_lines(exchange)]
    typer.echo(_safe("\n".join(lines)))


def _show_failures(reader: "RunReader", factors: dict[str, str], as_json: bool) -> None:
    """Failures by reason and cell, and what heals them."""
    from bench.cli.item_lines import failure_lines

    groups = reader.failure_groups(factors)
    if as_json:
        told = [
            {
                "count": len(group),
                **group[0].model_dump(mode="json", exclude={"item", "keys"}),
                "heals": group[0].heals,
                "items": [failure.item for failure in group],
            }
            for group in groups
        ]
        remarks = [reader.unfinished] if reader.unfinished else []
        _show_json(reader, groups=told, remarks=remarks)
        return
    if reader.unfinished:
        typer.echo(_safe(reader.unfinished), err=True)
    typer.echo(_safe("\n".join(failure_lines(groups, str(reader.folder.path)))))


def _safe(text: str) -> str:
    from bench.report.text import printable

    return printable(text)
