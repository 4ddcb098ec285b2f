"""`pzbench run`: an experiment file, or a run folder to go on with."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bench.cli.options import RunOptions, with_options
from bench.cli.setting_options import (
    TYPED,
    SettingCommand,
    SettingOption,
    changed,
    role_settings,
)
from bench.core.errors import UserError

if TYPE_CHECKING:
    from bench.api.choice import Choice
    from bench.experiments.experiment import Experiment

FILES = (".csv", ".json", ".jsonl")
"""Endings of what a run writes, which its folder is not meant to have."""
MANY = 1000
"""Exchanges above which a run asks first, on a terminal."""


class RunCommand(SettingCommand):
    """It has an option for every role that the experiment's stages and metrics ask."""

    def settings(self, words: Mapping[str, Any]) -> Sequence[SettingOption]:
        """The roles of the experiment that is named."""
        named = words.get("experiment")
        if not isinstance(named, str):
            return ()
        return list(role_settings(roles_of(_read(Path(named)))))


@with_options(RunOptions)
def run(
    ctx: typer.Context,
    experiment: Path = typer.Argument(
        help="Experiment file (YAML), or a run folder, to go on with its own."
    ),
    *,
    options: RunOptions,
) -> None:
    """Run an experiment, or go on with it: running again asks only what was not answered.

    It has an option for every role that the experiment asks (--judge X), in the place of who is
    named there: add the file before --help to list them.
    """
    from bench.experiments.experiment import experiment_from

    given = _read(experiment)
    if ctx.meta[TYPED][1]:
        given = experiment_from(changed(ctx, given.as_data()))
    if not experiment.is_dir():
        carry_out(options.applied(given), options)
        return
    if options.out not in (None, experiment):
        raise UserError(f"{experiment} is a run folder, and --out names another: leave --out out")
    carry_out(options.applied(given), options, experiment)


def _read(path: Path) -> "Experiment":
    """The experiment of a file or a run folder.

    Raises:
        UserError: if there is none.
    """
    from bench.experiments.experiment import experiment_from, load_experiment
    from bench.runs.folder import RunFolder

    if not path.is_dir():
        return load_experiment(path)
    data = RunFolder(path).experiment()
    if data is None:
        raise UserError(f"{path} holds no run; `pzbench list runs` shows those there are")
    return experiment_from(data)


def roles_of(experiment: "Experiment", more: "Iterable[Choice]" = ()) -> Iterator[str]:
    """The roles that an experiment's stages and metrics ask, and those that more metrics do.

    Raises:
        UserError: if a metric cannot be used.
    """
    from bench.api.adapters import load_stage, make_metric

    made = [load_stage(name) for name in experiment.sections]
    made += [make_metric(choice) for choice in (*experiment.metrics, *more)]
    yield from (role for one in made for role in one.card.roles)


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
        warn,
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
    settings = Settings(options.journal, options.at_once, options.retry_failed, options.same_model)
    results = run_until_stopped(execute(experiment, folder, settings, Progressing()))
    for table in experiment.tables[:1]:
        show_grids(grids_of(table, results))
    show_files([folder.results, *sorted(folder.tables.glob("*"))])
    warn(note for role in results.manifest["roles"] for note in role["notes"])
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
