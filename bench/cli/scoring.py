"""`pzbench score`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bench.cli.knowing import Drafts, Knowledge

if TYPE_CHECKING:
    from bench.scoring import Items, Metric, Score


def score(
    records: Path = typer.Argument(help="Records: .jsonl or .parquet."),
    metric: list[str] | None = typer.Option(
        None,
        "--metric",
        "-m",
        help="Metric, as NAME or NAME:option=value,...; all whose needs are met if none.",
    ),
    judge: str | None = typer.Option(None, "--judge", help="Backbone that judges accuracy."),
    scorer: str | None = typer.Option(None, "--scorer", help="Causal LM for GPTScore."),
    encoder: str | None = typer.Option(
        None, "--encoder", help="Text encoder (path or hub id); all-MiniLM-L6-v2 if none."
    ),
    out: Path | None = typer.Option(None, "--out", help="Write the scores here as JSON."),
    kb: list[Path] | None = Knowledge,
    drafts: bool = Drafts,
    journal: Path | None = typer.Option(
        None,
        "--journal",
        help="Journal to keep answers in; beside the records if a model is asked.",
    ),
    at_once: int = typer.Option(32, "--at-once", min=1, help="Exchanges in flight."),
    retry_failed: bool = typer.Option(
        False, "--retry-failed", help="Ask stored refusals and invalid answers again."
    ),
) -> None:
    """Score records made elsewhere; no plug-in needed."""
    import json

    from bench.cli.ending import report_failures, run_until_stopped
    from bench.cli.screen import show_files
    from bench.files import write_text
    from bench.knowledge.library import Library
    from bench.records.files import read_nonempty
    from bench.runs.experiment import Choice
    from bench.runs.settings import Settings
    from bench.scoring import Items

    roles = {role: name for role, name in (("judge", judge), ("scorer", scorer)) if name}
    metrics = _metrics(metric, roles)
    items = Items(read_nonempty(records))
    if out is not None:
        _check_out(out, records)
    journal = journal or _journal(records, roles)
    work = _score(
        items,
        metrics,
        roles={role: Choice(name=name) for role, name in roles.items()},
        encoder=encoder,
        outlines=Library(*(kb or ()), drafts=drafts),
        settings=Settings(journal=journal, at_once=at_once, retry_failed=retry_failed),
    )
    scores = run_until_stopped(work)
    _show(scores, records)
    if out is not None:
        told = [found.model_dump(mode="json") for found in scores]
        write_text(out, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
        show_files([out])
    failures = [failure for found in scores for failure in found.failures]
    report_failures(failures, "they are in the scores that --out writes")


def _check_out(out: Path, records: Path) -> None:
    from bench.errors import UserError
    from bench.files import check_writable

    if out.exists() and out.samefile(records):
        raise UserError(f"--out {out} is the records file itself: name another")
    check_writable(out)


def _journal(records: Path, roles: dict[str, str]) -> Path | None:
    """Beside the records if a model is asked; the stand-in needs none."""
    if not set(roles.values()) - {"rules"}:
        return None
    journal = records.with_name(f"{records.name}.journal.sqlite")
    typer.echo(f"answers are kept in {journal}", err=True)
    return journal


def _show(scores: "list[Score]", records: Path) -> None:
    """Print the scores with what pins their meaning."""
    from bench.cli.screen import show_grids
    from bench.tables import SCORE_COLUMNS, Grid, score_cells

    signed = (found for found in scores if found.signature and "/" not in found.metric)
    notes = tuple(f"{found.metric}: {found.signature}" for found in signed)
    rows = tuple(score_cells(found) for found in scores)
    show_grids([Grid(f"{records}: scores", SCORE_COLUMNS, rows, notes)])


def _metrics(named: list[str] | None, roles: dict[str, str]) -> "list[Metric]":
    """The metrics named, or all whose roles and libraries are there and that need no option."""
    from importlib.util import find_spec

    from bench.errors import UserError
    from bench.plugins import METRICS
    from bench.runs.experiment import Choice, check_unique, parse_choice
    from bench.runs.plugged import make_metric

    if named:
        choices = [parse_choice(text) for text in named]
        check_unique("--metric", [choice.label for choice in choices])
        return [make_metric(choice) for choice in choices]
    neural = find_spec("torch") is not None
    found: list[Metric] = []
    for plugin in METRICS.plugins():
        try:
            if METRICS.required(plugin.name):
                continue
            metric = make_metric(Choice(name=plugin.name))
        except UserError as error:  # nobody asked for it by name
            typer.echo(f"left out: {error}", err=True)
            continue
        answered = {*metric.card.needs, *metric.card.uses} <= set(roles)
        if answered and (neural or metric.card.extra is None):
            found.append(metric)
    return found


async def _score(items: "Items", metrics: "list[Metric]", **asked: Any) -> "list[Score]":
    from bench.cli.screen import Progressing
    from bench.runs.scoring import score_items

    with Progressing().stage("scoring", len(metrics)) as step:
        return await score_items(items, metrics, step=step, **asked)
