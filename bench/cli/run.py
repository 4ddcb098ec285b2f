"""`pzbench run`: an experiment file, or a run folder to go on with."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bench.cli.options import RunOptions, with_options
from bench.core.errors import UserError

if TYPE_CHECKING:
    from bench.experiments.experiment import Experiment

FILES = (".csv", ".json", ".jsonl")
"""Endings of what a run writes, which its folder is not meant to have."""
MANY = 1000
"""Exchanges above which a run asks first, on a terminal."""


@with_options(RunOptions)
def run(
    experiment: Path = typer.Argument(
        help="Experiment file (YAML), or a run folder, to go on with its own."
    ),
    *,
    options: RunOptions,
) -> None:
    """Run an experiment, or go on with it: running again asks only what was not answered."""
    from bench.experiments.experiment import experiment_from, load_experiment
    from bench.runs.folder import RunFolder

    if not experiment.is_dir():
        carry_out(options.applied(load_experiment(experiment)), options)
        return
    data = RunFolder(experiment).experiment()
    if data is None:
        raise UserError(f"{experiment} holds no run; `pzbench list runs` shows those there are")
    if options.out not in (None, experiment):
        raise UserError(f"{experiment} is a run folder, and --out names another: leave --out out")
    carry_out(options.applied(experiment_from(data)), options, experiment)


def carry_out(
    experiment: "Experiment",
    options: RunOptions,
    out: Path | None = None,
) -> None:
    """Run an experiment in the folder `out`, or else as the options say; show its first table."""
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
    from bench.runs.settings import Settings

    if options.out is not None and options.out.suffix in FILES:
        raise UserError(f"--out is the folder of the whole run: name another than {options.out}")
    if not _agreed(experiment, options):
        return
    folder = RunFolder(out or options.out or Path("runs") / safe_name(experiment.name))
    settings = Settings(options.journal, options.at_once, options.retry_failed)
    results = run_until_stopped(execute(experiment, folder, settings, Progressing()))
    for table in experiment.tables[:1]:
        show_grids(grids_of(table, results))
    show_files([folder.results, *sorted(folder.tables.glob("*"))])
    if idle := results.manifest.get("idle_roles"):
        typer.echo(f"nobody asks these roles of the experiment: {', '.join(idle)}", err=True)
    typer.echo("\nnext:")
    typer.echo(f"  pzbench show {folder.path} --item ID    one of its items, with all reasons")
    typer.echo("  pzbench list    generators, metrics and backbones there are")
    report_failures(folder.failures(), f"see {folder.path}/failures.jsonl")


def _agreed(experiment: "Experiment", options: RunOptions) -> bool:
    """Say what will be asked; whether to go on."""
    from bench.experiments.assembly import assemble
    from bench.experiments.plan import estimate

    costs = []
    if options.plan or not experiment.offline:
        assemble(experiment).check_roles()
        costs = estimate(experiment)
    for cost in costs:
        typer.echo(f"plan: {cost}", err=True)
    if costs:
        typer.echo("plan: of the whole experiment; what is answered is not asked again", err=True)
    if options.plan:
        if not costs:
            typer.echo("plan: only the embedded stand-in is asked; it costs nothing", err=True)
        return False
    many = sum(cost.exchanges for cost in costs) > MANY
    if many and not options.yes and sys.stdin.isatty():
        return typer.confirm("go on?", err=True)
    return True
