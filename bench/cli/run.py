"""`pzbench run`: an experiment file, or a run folder to go on with."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bench.cli.options import (
    AtOnce,
    Drafts,
    JournalPath,
    Knowledge,
    Out,
    PlanOnly,
    RetryFailed,
    Yes,
    usable,
)

if TYPE_CHECKING:
    from bench.api.table import Grid
    from bench.experiments.experiment import Experiment
    from bench.report.results import Results
    from bench.runs.settings import Settings

MANY = 1000
"""Exchanges above which a run asks first, on a terminal."""


def run(
    experiment: Path = typer.Argument(
        callback=usable, help="Experiment file (YAML), or a run folder, to go on with its own."
    ),
    kb: list[Path] | None = Knowledge,
    drafts: bool = Drafts,
    out: Path | None = Out,
    journal: Path | None = JournalPath,
    at_once: int = AtOnce,
    retry_failed: bool = RetryFailed,
    plan: bool = PlanOnly,
    yes: bool = Yes,
) -> None:
    """Run an experiment, or go on with it: running again asks only what was not answered."""
    from bench.runs.settings import Settings

    loaded, folder = _experiment(experiment)
    if folder is not None and out not in (None, folder):
        from bench.core.errors import UserError

        raise UserError(f"{folder} is a run folder, and --out names another: leave --out out")
    known = {"knowledge": (*loaded.knowledge, *(kb or ())), "drafts": loaded.drafts or drafts}
    settings = Settings(journal=journal, at_once=at_once, retry_failed=retry_failed)
    carry_out(loaded.model_copy(update=known), folder or out, settings, plan, yes)


def _experiment(path: Path) -> "tuple[Experiment, Path | None]":
    """The experiment of a file, or of a run folder with the folder."""
    from bench.core.errors import UserError
    from bench.experiments.experiment import experiment_from, load_experiment
    from bench.runs.folder import RunFolder

    if not path.is_dir():
        return load_experiment(path), None
    data = RunFolder(path).experiment()
    if data is None:
        raise UserError(f"{path} holds no run; `pzbench list runs` shows those there are")
    return experiment_from(data), path


def carry_out(
    experiment: "Experiment",
    out: Path | None,
    settings: "Settings",
    plan: bool,
    yes: bool,
    grids: "Callable[[Results], Iterable[Grid]] | None" = None,
) -> None:
    """Run an experiment and show its first table, or other grids."""
    from bench.api.cell import safe_name
    from bench.cli.screen import (
        Progressing,
        report_failures,
        run_until_stopped,
        show_files,
        show_grids,
    )
    from bench.experiments.engine import execute
    from bench.report.writer import grids_of
    from bench.runs.folder import RunFolder

    if not _agreed(experiment, plan, yes):
        return
    folder = RunFolder(out or Path("runs") / safe_name(experiment.name))
    results = run_until_stopped(execute(experiment, folder, settings, Progressing()))
    if grids is not None:
        show_grids(grids(results))
    else:
        for table in experiment.tables[:1]:
            show_grids(grids_of(table, results))
    show_files([folder.results, *sorted(folder.tables.glob("*"))])
    if idle := results.manifest.get("idle_roles"):
        typer.echo(f"nobody asks these roles of the experiment: {', '.join(idle)}", err=True)
    typer.echo("\nnext:")
    typer.echo(f"  pzbench show {folder.path} --item ID    one of its items, with all reasons")
    typer.echo("  pzbench list    generators, metrics and backbones there are")
    report_failures(folder.failures(), f"see {folder.path}/failures.jsonl")


def _agreed(experiment: "Experiment", plan: bool, yes: bool) -> bool:
    """Say what will be asked; whether to go on."""
    from bench.experiments.assembly import assemble
    from bench.experiments.plan import estimate

    costs = []
    if plan or not experiment.offline:
        assemble(experiment).check_roles()
        costs = estimate(experiment)
    for cost in costs:
        typer.echo(f"plan: {cost}", err=True)
    if costs:
        typer.echo("plan: of the whole experiment; what is answered is not asked again", err=True)
    if plan:
        if not costs:
            typer.echo("plan: only the embedded stand-in is asked; it costs nothing", err=True)
        return False
    many = sum(cost.exchanges for cost in costs) > MANY
    if many and not yes and sys.stdin.isatty():
        return typer.confirm("go on?", err=True)
    return True
