"""`pzbench score`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bench.cli.knowledge_options import Drafts, Knowledge
from bench.cli.paths import usable

if TYPE_CHECKING:
    from bench.api.metric import Items, Metric, Score, Talks

File = typer.Argument(
    callback=usable, help="Records (.jsonl, .parquet) or dialogues (.jsonl; .txt transcripts)."
)
MetricNames = typer.Option(
    None,
    "--metric",
    "-m",
    help="Metric, as NAME or NAME:option=value,...; all whose needs are met if none.",
)
Judge = typer.Option(None, "--judge", help="Backbone that judges accuracy or consistency.")
Records = typer.Option(
    None, "--records", callback=usable, help="Records of the dialogues that bring none, by id."
)
JournalPath = typer.Option(
    None,
    "--journal",
    callback=usable,
    help="Journal to keep answers in; beside the file if a model is asked.",
)
ScoresPath = typer.Option(None, "--out", callback=usable, help="Write the scores here as JSON.")


def score(
    file: Path = File,
    metric: list[str] | None = MetricNames,
    judge: str | None = Judge,
    rater: str | None = typer.Option(None, "--rater", help="Backbone that rates dialogues."),
    scorer: str | None = typer.Option(None, "--scorer", help="Causal LM for GPTScore."),
    encoder: str | None = typer.Option(
        None, "--encoder", help="Text encoder (path or hub id); all-MiniLM-L6-v2 if none."
    ),
    records: Path | None = Records,
    out: Path | None = ScoresPath,
    kb: list[Path] | None = Knowledge,
    drafts: bool = Drafts,
    journal: Path | None = JournalPath,
    at_once: int = typer.Option(32, "--at-once", min=1, help="Exchanges in flight."),
    retry_failed: bool = typer.Option(
        False, "--retry-failed", help="Ask stored refusals and invalid answers again."
    ),
) -> None:
    """Score records or dialogues made elsewhere; no plug-in needed."""
    from bench.api.metric import Items
    from bench.cli.ending import run_until_stopped
    from bench.core.errors import UserError
    from bench.experiments.experiment import Choice
    from bench.knowledge.library import Library
    from bench.records.dialogue_files import holds_dialogues
    from bench.records.record_files import read_nonempty
    from bench.runs.settings import Settings

    given = (("judge", judge), ("rater", rater), ("scorer", scorer))
    roles = {role: name for role, name in given if name}
    talks = holds_dialogues(file)
    metrics = _metrics(metric, roles, "dialogues" if talks else "records", file)
    if records is not None and not talks:
        raise UserError(f"{file} holds records: --records goes with dialogues")
    items = _talks(file, records) if talks else Items(read_nonempty(file))
    if out is not None:
        _check_out(out, file)
    journal = journal or _journal(file, roles)
    work = _score(
        items,
        metrics,
        roles={role: Choice(name=name) for role, name in roles.items()},
        encoder=encoder,
        outlines=Library(*(kb or ()), drafts=drafts),
        settings=Settings(journal=journal, at_once=at_once, retry_failed=retry_failed),
    )
    _tell(run_until_stopped(work), file, out)


def _tell(scores: "list[Score]", file: Path, out: Path | None) -> None:
    """Show the scores and write them where that was asked for.

    Raises:
        typer.Exit: with code 3, if anything could not be scored.
    """
    import json

    from bench.cli.ending import report_failures
    from bench.cli.screen import show_files
    from bench.core.atomic import write_text

    _show(scores, file)
    if out is not None:
        told = [found.model_dump(mode="json") for found in scores]
        write_text(out, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
        show_files([out])
    failures = [failure for found in scores for failure in found.failures]
    report_failures(failures, "they are in the scores that --out writes")


def _talks(file: Path, records: Path | None) -> "Talks":
    """The dialogues of a file, checked whole, with the records of another where there is one."""
    from bench.api.metric import Talks
    from bench.core.errors import UserError
    from bench.records.dialogue_files import DialogueFile, WithRecords
    from bench.records.record_files import RecordFile
    from bench.report.tables import printable

    found = DialogueFile(file)
    lacking = {one.id: one.record is None for one in found}
    if not lacking:
        raise UserError(f"{file} holds no dialogues")
    for note in found.notes:
        typer.echo(printable(f"{file}: {note}"), err=True)
    if records is None:
        return Talks(found)
    own = {one.id: one for one in RecordFile(records) if lacking.get(one.id)}
    if not own:
        raise UserError(f"{records} holds no record with the id of a dialogue that lacks one")
    typer.echo(f"records for {len(own)} of {sum(lacking.values())} dialogues", err=True)
    return Talks(WithRecords(found, own))


def _check_out(out: Path, file: Path) -> None:
    from bench.core.atomic import check_writable
    from bench.core.errors import UserError

    if out.exists() and out.samefile(file):
        raise UserError(f"--out {out} is the file to be scored itself: name another")
    check_writable(out)


def _journal(file: Path, roles: dict[str, str]) -> Path | None:
    """Beside the file if a model is asked; the stand-in needs none."""
    if not set(roles.values()) - {"rules"}:
        return None
    journal = file.with_name(f"{file.name}.journal.sqlite")
    typer.echo(f"answers are kept in {journal}", err=True)
    return journal


def _show(scores: "list[Score]", file: Path) -> None:
    """Print the scores with what pins their meaning: once for the parts of one metric."""
    from bench.cli.screen import show_grids
    from bench.report.tables import SCORE_COLUMNS, Grid, score_cells

    signed: dict[str, str] = {}
    for found in scores:
        if found.signature:
            signed.setdefault(found.metric.partition("/")[0], found.signature)
    notes = tuple(f"{name}: {signature}" for name, signature in signed.items())
    rows = tuple(score_cells(found) for found in scores)
    show_grids([Grid(f"{file}: scores", SCORE_COLUMNS, rows, notes)])


def _metrics(
    named: list[str] | None, roles: dict[str, str], takes: str, file: Path
) -> "list[Metric]":
    """The metrics named, or all for such items whose roles and libraries are there.

    Raises:
        UserError: if a metric that is named takes other items.
    """
    from importlib.util import find_spec

    from bench.api.adapters import make_metric
    from bench.core.errors import UserError
    from bench.core.registry import METRICS
    from bench.experiments.experiment import Choice, check_unique, parse_choice

    if named:
        choices = [parse_choice(text) for text in named]
        check_unique("--metric", [choice.label for choice in choices])
        asked = [make_metric(choice) for choice in choices]
        for metric in asked:
            if metric.card.takes != takes:
                raise UserError(
                    f"the metric {metric.card.name!r} scores {metric.card.takes}, and {file} "
                    f"holds {takes}"
                )
        return asked
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
        fits = metric.card.takes == takes and (neural or metric.card.extra is None)
        if answered and fits:
            found.append(metric)
    return found


async def _score(items: "Items | Talks", metrics: "list[Metric]", **asked: Any) -> "list[Score]":
    from bench.cli.screen import Progressing
    from bench.scoring.scores import score_items

    with Progressing().stage("scoring", len(metrics)) as step:
        return await score_items(items, metrics, step=step, **asked)
