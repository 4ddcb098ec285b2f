"""`pzbench score`: a run whose first stage reads a file."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bench.cli.options import RunOptions, with_options
from bench.cli.run import carry_out
from bench.cli.setting_options import SettingCommand, SettingOption, changed, role_settings
from bench.core.errors import UserError

if TYPE_CHECKING:
    from bench.api.choice import Choice
    from bench.api.metric import MetricCard
    from bench.api.stage import Stage
    from bench.experiments.experiment import Experiment
    from bench.runs.folder import RunFolder

STAGE = "read"
"""The stage that reads the file."""
LETTERS = 8
"""Of the content's hash, in the name of the run folder."""


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


@with_options(RunOptions)
def score(
    ctx: typer.Context,
    file: Path = typer.Argument(
        help="Records (.jsonl, .parquet) or dialogues (.jsonl; .txt transcripts)."
    ),
    metric: list[str] | None = typer.Option(
        None,
        "--metric",
        "-m",
        help="Metric, as NAME or NAME:option=value,...; all whose needs are met if none.",
    ),
    encoder: str | None = typer.Option(
        None, "--encoder", help="Text encoder (path or hub id); all-MiniLM-L6-v2 if none."
    ),
    records: Path | None = typer.Option(
        None, "--records", help="Records of the dialogues that bring none, by id."
    ),
    *,
    options: RunOptions,
) -> None:
    """Score records or dialogues made elsewhere; no plug-in needed.

    That is a run as well: scoring the same file again adds to it.
    """
    from bench.api.cell import safe_name
    from bench.cli.screen import run_until_stopped
    from bench.experiments.assembly import assemble
    from bench.experiments.experiment import experiment_from
    from bench.runs.folder import RunFolder

    data = {
        "name": file.stem,
        STAGE: {"file": str(file), "records": records and str(records)},
        "metrics": metric or (),
        "encoder": encoder,
    }
    asked = assemble(options.applied(experiment_from(changed(ctx, data))))
    experiment, stage = asked.experiment, asked.stages[STAGE]
    if not metric:
        chosen = tuple(_usable_metrics(experiment.roles, stage.card.makes))
        experiment = experiment.model_copy(update={"metrics": chosen})
    own = f"score-{safe_name(file.stem)}-{stage.own.digest[:LETTERS]}"
    folder = RunFolder(options.out or Path("runs") / own)
    if not folder.path.exists():
        run_until_stopped(_check_items(stage))
    carry_out(_joined(experiment, folder), options, folder.path)


async def _check_items(stage: "Stage") -> None:
    """Read the file whole, so that one at fault leaves no folder behind.

    Raises:
        UserError: naming the line at fault, or if there are no items.
    """
    nobody: Any = None  # who reads a file asks nobody
    for cell in stage.cells([]):
        async for _ in stage.make(cell, {}, nobody):
            pass


def _usable_metrics(roles: "Mapping[str, Any]", takes: str) -> "Iterator[Choice]":
    """All metrics for such items that need no option, and nobody and nothing that is not there."""
    from importlib.util import find_spec

    from bench.api.adapters import make_metric
    from bench.api.choice import Choice
    from bench.core.registry import METRICS

    neural = find_spec("torch") is not None
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
            yield choice


def _joined(experiment: "Experiment", folder: "RunFolder") -> "Experiment":
    """The experiment with what is asked, beside all that the folder's asked before."""
    from bench.experiments.changes import begun
    from bench.experiments.experiment import experiment_from

    data = folder.experiment()
    if data is None:
        return experiment
    # A judge that never answered is not asked again.
    before = begun(experiment_from(data), folder, asked=True)
    roles = {
        role: _added(before.roles.get(role, ()), experiment.roles.get(role, ()))
        for role in dict.fromkeys((*before.roles, *experiment.roles))
    }
    metrics = _added(before.metrics, experiment.metrics)
    # Another name of the same file is no other experiment.
    return experiment.model_copy(update={"roles": roles, "metrics": metrics, "name": before.name})


def _added(before: "Sequence[Choice]", asked: "Sequence[Choice]") -> "tuple[Choice, ...]":
    """What was there and what is new; of one label what is asked now, which a run may refuse."""
    return tuple({choice.label: choice for choice in (*before, *asked)}.values())
