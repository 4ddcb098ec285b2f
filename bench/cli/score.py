"""`pzbench score`: a run whose first stage reads a file."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bench.cli.options import AtOnce, Drafts, JournalPath, Knowledge, RetryFailed, usable
from bench.cli.setting_options import SettingCommand, SettingOption, changed, role_settings
from bench.core.errors import UserError

if TYPE_CHECKING:
    from bench.api.cell import Cell
    from bench.api.choice import Choice
    from bench.api.metric import MetricCard
    from bench.api.stage import Stage
    from bench.api.table import Grid
    from bench.experiments.experiment import Experiment
    from bench.report.results import Result, Results
    from bench.runs.folder import RunFolder

STAGE = "read"
"""The stage that reads the file."""
LETTERS = 8
"""Of the content's hash, in the name of the run folder."""
Roles = Mapping[str, "tuple[Choice, ...]"]


File = typer.Argument(
    callback=usable, help="Records (.jsonl, .parquet) or dialogues (.jsonl; .txt transcripts)."
)
MetricNames = typer.Option(
    None,
    "--metric",
    "-m",
    help="Metric, as NAME or NAME:option=value,...; all whose needs are met if none.",
)
EncoderName = typer.Option(
    None, "--encoder", help="Text encoder (path or hub id); all-MiniLM-L6-v2 if none."
)
Records = typer.Option(
    None, "--records", callback=usable, help="Records of the dialogues that bring none, by id."
)
ScoresPath = typer.Option(None, "--out", callback=usable, help="Write the scores here as JSON.")
Run = typer.Option(
    None, "--run", callback=usable, help="Run folder; one below runs/ for each file if none."
)


class ScoreCommand(SettingCommand):
    """It has an option for every role that a metric asks."""

    def settings(self, words: Mapping[str, Any]) -> Sequence[SettingOption]:
        """The roles of all metrics that there are."""
        return list(role_settings(role for card in metric_cards() for role in card.roles))


def metric_cards() -> "Iterator[MetricCard]":
    """Of every metric that can be loaded; of another is told where it is wanted."""
    from bench.api.adapters import whole_card
    from bench.api.metric import MetricCard
    from bench.core.registry import METRICS

    for name in (plugin.name for plugin in METRICS.plugins()):
        try:
            yield whole_card(METRICS.load(name), name, name, MetricCard)
        except UserError:
            continue


def score(
    ctx: typer.Context,
    file: Path = File,
    metric: list[str] | None = MetricNames,
    encoder: str | None = EncoderName,
    records: Path | None = Records,
    out: Path | None = ScoresPath,
    run: Path | None = Run,
    kb: list[Path] | None = Knowledge,
    drafts: bool = Drafts,
    journal: Path | None = JournalPath,
    at_once: int = AtOnce,
    retry_failed: bool = RetryFailed,
) -> None:
    """Score records or dialogues made elsewhere; no plug-in needed."""
    from bench.cli.screen import Progressing, run_until_stopped
    from bench.experiments.assembly import assemble
    from bench.experiments.engine import execute
    from bench.experiments.experiment import experiment_from
    from bench.runs.folder import RunFolder
    from bench.runs.settings import Settings

    data = {
        "name": file.stem,
        STAGE: {"file": str(file), "records": records and str(records)},
        "encoder": encoder,
        "knowledge": list(map(str, kb or ())),
        "drafts": drafts,
    }
    bare = assemble(experiment_from(changed(ctx, data, {})))
    roles, stage = bare.experiment.roles, bare.stages[STAGE]
    metrics = _metrics(metric, roles, stage.card.makes, file)
    if out is not None:
        _check_out(out, file)
    folder = RunFolder(run or _folder(file, stage.own.digest))
    if not folder.path.exists():
        run_until_stopped(_check_items(stage))
    settings = Settings(journal=journal, at_once=at_once, retry_failed=retry_failed)
    asked = _joined(bare.experiment, folder, roles, metrics)
    results = run_until_stopped(execute(asked, folder, settings, Progressing()))
    _tell(results, metrics, roles, file, folder, out)


async def _check_items(stage: "Stage") -> None:
    """Read the file whole, so that one at fault leaves no folder behind.

    Raises:
        UserError: naming the line at fault, or if there are no items.
    """
    nobody: Any = None  # who reads a file asks nobody
    for cell in stage.cells([]):
        async for _ in stage.make(cell, {}, nobody):
            pass


def _folder(file: Path, digest: str) -> Path:
    from bench.api.cell import safe_name

    return Path("runs") / f"score-{safe_name(file.stem)}-{digest[:LETTERS]}"


def _check_out(out: Path, file: Path) -> None:
    from bench.core.atomic import check_writable

    if out.exists() and out.samefile(file):
        raise UserError(f"--out {out} is the file to be scored itself: name another")
    check_writable(out)


def _metrics(named: list[str] | None, roles: Roles, takes: str, file: Path) -> "tuple[Choice, ...]":
    """The metrics named, or all for such items whose roles and libraries are there.

    Raises:
        UserError: if a metric that is named takes other items.
    """
    from bench.api.adapters import make_metric
    from bench.api.choice import parse_choice, refuse_twice

    if not named:
        return _usable_metrics(roles, takes)
    choices = tuple(map(parse_choice, named))
    mend = "; tell them apart with as=LABEL, as in NAME:as=LABEL"
    try:
        refuse_twice("--metric", [choice.label for choice in choices], mend)
    except ValueError as error:
        raise UserError(str(error)) from error
    for choice in choices:
        card = make_metric(choice).card
        if card.takes != takes:
            raise UserError(
                f"the metric {card.name!r} scores {card.takes}, and {file} holds {takes}"
            )
    return choices


def _usable_metrics(roles: Roles, takes: str) -> "tuple[Choice, ...]":
    """All metrics for such items that need no option, and nobody and nothing that is not there."""
    from importlib.util import find_spec

    from bench.api.adapters import make_metric
    from bench.api.choice import Choice
    from bench.core.registry import METRICS

    neural = find_spec("torch") is not None
    chosen: list[Choice] = []
    for plugin in METRICS.plugins():
        choice = Choice(name=plugin.name)
        try:
            options = METRICS.options(plugin.name).values()
            if any(option.default is option.empty for option in options):
                continue
            card = make_metric(choice).card
        except UserError as error:  # nobody asked for it by name
            typer.echo(f"left out: {error}", err=True)
            continue
        fits = card.takes == takes and (neural or card.extra is None)
        if fits and set(card.roles) <= set(roles):
            chosen.append(choice)
    return tuple(chosen)


def _joined(
    experiment: "Experiment", folder: "RunFolder", roles: Roles, metrics: "Sequence[Choice]"
) -> "Experiment":
    """The experiment with what is asked, beside all that the folder's asked before."""
    from bench.experiments.changes import begun
    from bench.experiments.experiment import experiment_from

    data = folder.experiment()
    # A judge that never answered is not asked again.
    before = None if data is None else begun(experiment_from(data), folder, asked=True)
    old_roles = before.roles if before else {}
    joined = {
        role: _added(old_roles.get(role, ()), roles.get(role, ()))
        for role in dict.fromkeys((*old_roles, *roles))
    }
    asked = {"roles": joined, "metrics": _added(before.metrics if before else (), metrics)}
    # Another name of the same file is no other experiment.
    name = before.name if before else experiment.name
    return experiment.model_copy(update=asked | {"name": name})


def _added(before: "Sequence[Choice]", asked: "Sequence[Choice]") -> "tuple[Choice, ...]":
    """What was there and what is new; of one label what is asked now, which a run may refuse."""
    return tuple({choice.label: choice for choice in (*before, *asked)}.values())


def _tell(
    results: "Results",
    metrics: "Sequence[Choice]",
    roles: Roles,
    file: Path,
    folder: "RunFolder",
    out: Path | None,
) -> None:
    """Show the scores that were asked for, and write them where that was asked.

    Raises:
        typer.Exit: with code 3, if anything could not be scored.
    """
    import json

    from bench.api.adapters import make_metric
    from bench.cli.screen import report_failures, show_files, show_grids
    from bench.core.atomic import write_text
    from bench.report.text import printable
    from bench.runs.roles import factor_of

    for remark in results.manifest["stages"][STAGE]["remarks"]:
        typer.echo(printable(f"{file}: {remark}"), err=True)
    names = [make_metric(choice).card.name for choice in metrics]
    asked = {factor_of(role): [one.label for one in chosen] for role, chosen in roles.items()}

    def wanted(metric: str, cell: Mapping[str, str]) -> bool:
        of_roles = all(cell.get(factor) in (None, *labels) for factor, labels in asked.items())
        return metric in names and of_roles

    scores = [one for one in results.scores if wanted(one.score.metric, one.cell)]
    show_grids([_grid(scores, file)])
    if out is not None:
        rows = [{"cell": dict(one.cell), **one.score.model_dump(mode="json")} for one in scores]
        write_text(out, json.dumps(rows, indent=1, ensure_ascii=False) + "\n")
        show_files([out])
    failures = [one for one in folder.failures() if not one.metric or wanted(one.metric, one.cell)]
    report_failures(failures, f"see {folder.path}/failures.jsonl")


def _grid(results: "Sequence[Result]", file: Path) -> "Grid":
    """The scores over all items, and once for each metric what pins its meaning."""
    from dataclasses import replace

    from bench.api.score import ALL
    from bench.report.pivot import listing

    pins: dict[tuple[str, Cell], str] = {}
    shown: list[Result] = []
    for result in results:
        score, cell = result.score, result.cell.without("file")
        if score.by == ALL:
            pins.setdefault((score.metric, cell), score.signature)
            mark = ("stand-in",) * score.stand_in
            marked = score.model_copy(update={"notes": (*score.notes, *mark)})
            shown.append(replace(result, cell=cell, score=marked))
    notes = dict.fromkeys(f"{metric}: {pin}" for (metric, _), pin in pins.items() if pin)
    grid = listing(f"{file}: scores", shown)
    return replace(grid, notes=(*grid.notes, *notes))
