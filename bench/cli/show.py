"""`pzbench show`: a run's tables, one of its items, or its failures. Nothing is written."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bench.core.text import one_line

if TYPE_CHECKING:
    from bench.api.evaluation import Evaluation, Reason
    from bench.api.failure import Failure
    from bench.experiments.run_reader import ItemEvaluation, ItemReport, ItemView, RunReader
    from bench.runs.exchanges import JournalExchange

KEY = 12
"""Characters of a journal key beside a reason; `--exchanges` shows the whole key."""
EXAMPLES = 3
"""Ids shown of a group of failures."""
JSON = "json"
"""The format in which all that is shown is one JSON document."""
Factors = typer.Option(
    None, "--where", help="Only this value of a factor: method=direct, stage=interview, judge=..."
)


def show(
    run: Path = typer.Argument(help="Run folder."),
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
    from bench.cli.screen import report_failures, say, show_grids
    from bench.report.writer import grids_of

    results = reader.results
    if reader.unfinished:
        say(reader.unfinished, err=True)
    names, folder = reader.experiment.tables, reader.folder
    grids = grids_of(names[0], results) if names else []
    files = sorted(path.name for path in folder.tables.glob("*") if path.is_file())
    if as_json:
        _show_json(reader, grids=list(map(asdict, grids)), tables=names, files=files)
    else:
        show_grids(grids)
        if len(names) > 1:
            say(f"other tables: {', '.join(names[1:])}")
        held = ", ".join(files) or f"nothing; `pzbench run {folder.path}` writes the tables anew"
        say(f"{folder.tables}: {held}" if names else "no tables were asked for")
        say(f"all figures: {folder.results}")
    for path in reader.missing:
        say(f"missing: {path}", err=True)
    report_failures(reader.failures, f"`pzbench show {folder.path} --failures` groups them")


def _show_json(reader: "RunReader", **data: Any) -> None:
    typer.echo(json.dumps({"run": str(reader.folder.path), **data}, indent=1))


def _show_item(reader: "RunReader", report: "ItemReport", with_them: bool, as_json: bool) -> None:
    """One item; with what its journal keys stand for, if asked."""
    from bench.cli.screen import say
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
    lines = list(_report_lines(report))
    for exchange in asked:
        lines += ["", *_exchange_lines(exchange)]
    say("\n".join(lines))


def _show_failures(reader: "RunReader", factors: dict[str, str], as_json: bool) -> None:
    """Failures by reason and cell, and what heals them."""
    from bench.cli.screen import say

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
        say(reader.unfinished, err=True)
    say("\n".join(_failure_lines(groups, str(reader.folder.path))))


def _report_lines(report: "ItemReport") -> Iterator[str]:
    """Everything but the exchanges."""
    yield f"# {report.id}"
    if report.plan:
        yield f"planned: {_named(report.plan)}"
    for view in report.items:
        yield ""
        yield from _view_lines(view)
    if report.remarks:
        yield ""
        yield from (f"missing: {remark}" for remark in report.remarks)


def _view_lines(view: "ItemView") -> Iterator[str]:
    yield f"## {view.stage}: {_named(view.cell)}"
    if view.text:
        yield view.text.rstrip()
    for failure in view.failures:
        yield _failure_line(failure)
    for evaluation in view.evaluations:
        yield ""
        yield from _evaluation_lines(evaluation, view)


def _evaluation_lines(evaluation: "ItemEvaluation", view: "ItemView") -> Iterator[str]:
    asked = _named({name: who for name, who in evaluation.cell.items() if name not in view.cell})
    title = f"### {evaluation.metric}{f' ({asked})' if asked else ''}"
    if evaluation.lacking:
        yield f"{title}: {evaluation.lacking}"
        return
    yield f"{title}: {_values(evaluation) or 'no value'}"
    for reason in evaluation.reasons:
        yield from _reason_lines(reason)
    for part, why in evaluation.left_out.items():
        yield f"  {part or evaluation.metric} is left out: {why}"
    for name, counts in (("missing", evaluation.missing), ("assumed", evaluation.assumed)):
        for part, count in counts.items():
            yield f"  {name}: {count} of {part or evaluation.metric}"
    for failure in evaluation.failures:
        yield f"  {_failure_line(failure)}"
    yield from (f"  note: {note}" for note in evaluation.notes)
    linked = {key for reason in evaluation.reasons for key in reason.keys}
    if others := [key for key in evaluation.keys if key not in linked]:
        yield f"  {_keys(others)}"


def _values(evaluation: "Evaluation") -> str:
    """Each part with its value, or its values where each answer has one."""
    return ", ".join(
        f"{part} {shown}".strip()
        for part, values in evaluation.values.items()
        if (shown := " ".join(f"{value:.4g}" for value in values))
    )


def _reason_lines(reason: "Reason") -> Iterator[str]:
    value = "" if reason.value is None else f"{reason.value:.4g}"
    head = " ".join(part for part in (reason.where, value) if part)
    text = one_line(reason.text) or "no reason given"
    yield f"  {head}: {text}  {_keys(reason.keys)}".rstrip()
    for fact, words in reason.contradicted.items():
        yield f"    contradicts {fact} ({words})"


def _failure_line(failure: "Failure") -> str:
    of = f"{failure.metric}: " if failure.metric else ""
    heals = "the same command tries again" if failure.heals else "--retry-failed asks again"
    shown = f"failed: {of}{failure.item}: {failure.outcome}: {failure.reason} ({heals})"
    return f"{shown}  {_keys(failure.keys)}".rstrip()


def _keys(keys: Sequence[str]) -> str:
    """The beginnings of journal keys."""
    return f"[{', '.join(key[:KEY] for key in keys)}]" if keys else ""


def _named(factors: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {value}" for name, value in factors.items())


def _exchange_lines(exchange: "JournalExchange") -> Iterator[str]:
    """One exchange: what was asked, message by message, and the answer."""
    yield f"## exchange {exchange.key}"
    if exchange.lacking:
        yield f"missing: {exchange.lacking}"
        return
    for message in exchange.messages:
        yield f"{message['role']}: {message['content']}"
    by = exchange.model or exchange.backbone
    if exchange.thinking:
        yield f"thinking of {by}: {exchange.thinking}"
    how = f", {exchange.outcome}" if exchange.outcome not in ("", "answer") else ""
    yield f"answer by {by}{how}: {exchange.answer}"


def _failure_lines(groups: "Sequence[Sequence[Failure]]", run: str) -> Iterator[str]:
    """Groups of failures that are alike, and what is to be done about them."""
    for group in groups:
        first = group[0]
        what = f"{first.metric} of {first.stage}" if first.metric else first.stage
        yield f"{len(group)} x {what}: {_named(first.cell)}"
        yield f"  {first.outcome}: {first.reason}"
        more = f" and {len(group) - EXAMPLES} more" if len(group) > EXAMPLES else ""
        yield f"  {', '.join(failure.item for failure in group[:EXAMPLES])}{more}"
        yield f"  `pzbench run {run}{'' if first.heals else ' --retry-failed'}` asks again"
    if not groups:
        yield "no failures"
