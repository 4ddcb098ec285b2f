"""An experiment put together: its stages, their cells, its metrics, and who fills which role."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import product, takewhile
from pathlib import Path
from typing import Any

from bench.api.adapters import load_stage, make_metric
from bench.api.cell import Cell, safe_name
from bench.api.choice import Choice
from bench.api.context import nobody
from bench.api.stage import Scope, Stage
from bench.core.errors import UserError
from bench.core.registry import BACKBONES, TABLES, nearest
from bench.experiments.experiment import Experiment
from bench.knowledge.library import Library
from bench.report.results import FIGURES, MINUS, STAGE
from bench.runs.roles import factor_of, fill, unfilled, without_transport

Judgement = tuple[Any, Cell, dict[str, Choice]]
"""A metric, the cell of its evaluations, and who it asks."""


@dataclass(frozen=True)
class Assembly:
    """What an experiment names, made."""

    experiment: Experiment
    """As it is run: with what its stages found out, for instance the hash of a file."""
    outlines: Library
    stages: Mapping[str, Stage]
    """By name, each after those that it takes items from."""
    cells: Mapping[str, Sequence[Cell]]
    """Of each stage."""
    metrics: Sequence[Any]

    def given(self, stage: Stage) -> list[str]:
        """The stages before it whose items a stage takes."""
        before = takewhile(lambda entry: entry[1] is not stage, self.stages.items())
        return [name for name, other in before if other.card.makes == stage.card.takes]

    def metrics_of(self, stage: Stage) -> list[Any]:
        """The metrics that score what a stage makes."""
        return [metric for metric in self.metrics if metric.card.takes == stage.card.makes]

    def makers(self, stage: Stage, cell: Cell) -> dict[str, Choice]:
        """Who fills the roles that a stage asks in a cell.

        Raises:
            UserError: if nobody is named for one of them.
        """
        stand_ins = self._stand_ins(stage)
        filled: dict[str, Choice] = {}
        for role in stage.asks(cell):
            choice = fill(role, cell, stage.scope.roles, stand_ins)
            if choice is None:
                raise unfilled(role, stand_ins)
            filled[role] = choice
        return filled

    def _stand_ins(self, stage: Stage) -> dict[str, str | None]:
        """Which role stands in for which, those of the stages before included."""
        known: dict[str, str | None] = {}
        for name in self.given(stage):
            known |= self._stand_ins(self.stages[name])
        return known | dict(stage.card.roles)

    def judged(self, metric: Any, cell: Cell) -> Iterator[tuple[Cell, dict[str, Choice]]]:
        """The cells of a metric's evaluations: one for every choice of those that it asks.

        A role that it uses and that nobody fills is left out.

        Raises:
            UserError: if nobody is named for a role that it needs.
        """
        roles, names = self.experiment.roles, self._metric_roles(metric)
        for role in metric.card.needs:
            if not roles.get(names[role]):
                raise unfilled(names[role], {})
        asked = [role for role in metric.card.roles if roles.get(names[role])]
        # Who fills a role that another was pointed at tells nothing of the item's own factor.
        factors = {
            role: factor_of(names[role] if factor_of(role) in cell else role) for role in asked
        }
        own = {role: _of_cell(roles[names[role]], cell.get(factors[role])) for role in asked}
        for choices in product(*own.values()):
            chosen = dict(zip(asked, choices, strict=True))
            labels = {factors[role]: choice.label for role, choice in chosen.items()}
            yield cell.and_(labels), chosen

    def judgements(self, stage: Stage, cell: Cell) -> Iterator[Judgement]:
        """Every metric over the items of a cell, once for every choice of those that it asks."""
        for metric in self.metrics_of(stage):
            for own, chosen in self.judged(metric, cell):
                yield metric, own, chosen

    def _metric_roles(self, metric: Any) -> dict[str, str]:
        pairs = zip(self.metrics, self.experiment.metrics, strict=True)
        choice = next(choice for other, choice in pairs if other is metric)
        _check_pointers(f"the metric {metric.card.name!r}", choice.roles, metric.card.roles)
        return {role: choice.roles.get(role, role) for role in metric.card.roles}

    def levels(self) -> dict[str, dict[str, Any]]:
        """What the labels of factors and metrics stand for."""
        levels: dict[str, dict[str, Choice]] = {
            "metric": {
                metric.card.name: choice
                for metric, choice in zip(self.metrics, self.experiment.metrics, strict=True)
            }
        }
        for role, choices in self.experiment.roles.items():
            named = {choice.label: without_transport(choice) for choice in choices}
            levels[factor_of(role)] = named
        for stage in self.stages.values():
            levels |= {factor: dict(by_label) for factor, by_label in stage.levels().items()}
        return {
            factor: {label: choice.model_dump(mode="json") for label, choice in by_label.items()}
            for factor, by_label in levels.items()
        }

    def check_roles(self) -> list[str]:
        """Find out before long work who is missing; the roles that are named and never asked.

        Raises:
            UserError: if nobody fills a role that is asked, or a name looks misspelt.
        """
        asked = {role for metric in self.metrics for role in self._metric_roles(metric).values()}
        for stage in self.stages.values():
            asked |= {pointed(stage.own, role) for role in stage.card.roles}
        idle = [role for role in self.experiment.roles if role not in asked]
        for role in idle:
            near = get_close_matches(role, asked - set(self.experiment.roles), n=1)
            if near:
                raise UserError(f"nobody asks the role {role!r}; did you mean {near[0]!r}?")
        for name, stage in self.stages.items():
            for cell in self.cells[name]:
                self.makers(stage, cell)
            list(self.judgements(stage, Cell()))
        return idle


def assemble(experiment: Experiment) -> Assembly:
    """Make all that an experiment names, before anything is asked.

    Raises:
        UserError: naming the first thing that there is not, or that does not go together.
    """
    for name in experiment.tables:
        TABLES.load(name)
    for choice in (one for choices in experiment.roles.values() for one in choices):
        BACKBONES.load(choice.name.partition("/")[0])
    outlines = experiment.library()
    stages = dict(_in_order(dict(_stages(experiment, outlines))))
    metrics = [make_metric(choice) for choice in experiment.metrics]
    _check_metrics(metrics, stages)
    cells: dict[str, Sequence[Cell]] = {}
    for name, stage in stages.items():
        given = [
            cell
            for other, of in cells.items()
            for cell in of
            if stages[other].card.makes == stage.card.takes
        ]
        cells[name] = [Cell(cell) for cell in stage.cells(given)]
    for role, choices in experiment.roles.items():
        _check_factor(factor_of(role), f"the role {role!r}")
        for choice in choices:
            _check_value(role, choice.label)
    _check_cells(stages, cells)
    own = {name: stage.own for name, stage in stages.items()}
    return Assembly(experiment.model_copy(update=own), outlines, stages, cells, metrics)


def _stages(experiment: Experiment, outlines: Library) -> Iterator[tuple[str, Stage]]:
    """Each stage that has a section, with the roles as it calls them."""
    for name, settings in experiment.sections.items():
        stage = load_stage(name)
        pointers: Mapping[str, str] = getattr(settings, "roles", {})
        _check_pointers(f"the stage {name!r}", pointers, stage.card.roles)
        roles = dict(experiment.roles)
        for role in stage.card.roles:
            if pointed(settings, role) in experiment.roles:
                roles[role] = experiment.roles[pointed(settings, role)]
            elif role in pointers:
                raise nobody(pointers[role])
        departments = experiment.departments_of(outlines.departments)
        yield name, stage(settings, Scope(experiment.seed, departments, outlines, roles))


def _check_pointers(whose: str, pointers: Mapping[str, str], asked: Iterable[str]) -> None:
    """Roles that are pointed elsewhere are roles that are asked.

    Raises:
        UserError: if one is not.
    """
    known = list(asked)
    for role in pointers:
        if role not in known:
            raise UserError(f"{whose} asks no role {role!r}{nearest(role, known)}")


def pointed(settings: Any, role: str) -> str:
    """The experiment's role that fills one of a stage's, by the settings of its section."""
    return str(getattr(settings, "roles", {}).get(role, role))


def _of_cell(choices: Sequence[Choice], label: str | None) -> Sequence[Choice]:
    """Of a role that is a factor of the items, whoever made them; else everybody named."""
    return [choice for choice in choices if label in (None, choice.label)]


def _in_order(stages: Mapping[str, Stage]) -> Iterator[tuple[str, Stage]]:
    """The stages in their sections' order, each after one that makes what it takes.

    Raises:
        UserError: if there is none, or nobody makes what one takes.
    """
    if not stages:
        raise UserError(
            "the experiment has no stage: add a section, for instance `generate:` "
            "(`pzbench list stages` shows those there are)"
        )
    kinds: set[str | None] = {None}
    waiting = dict(stages)
    while waiting:
        ready = {name: stage for name, stage in waiting.items() if stage.card.takes in kinds}
        if not ready:
            name, stage = next(iter(waiting.items()))
            raise UserError(
                f"the stage {name!r} takes {stage.card.takes}, and no stage before it makes any: "
                "add a section of one that does"
            )
        for name, stage in ready.items():
            del waiting[name]
            kinds.add(stage.card.makes)
            yield name, stage


def _check_cells(stages: Mapping[str, Stage], cells: Mapping[str, Sequence[Cell]]) -> None:
    """Every cell has a file of its own, and can be a line of the results.

    Raises:
        UserError: naming the stage and the factor at fault.
    """
    places: set[tuple[str, Path]] = set()
    for name, stage in stages.items():
        whose = f"the stage {name!r}"
        for cell in cells[name]:
            for factor, value in cell.items():
                _check_factor(factor, whose)
                _check_value(factor, value)
            if not cell or (stage.card.makes, cell.path("")) in places:
                what = f"two cells of {stage.card.makes} called {cell}" if cell else "a bare cell"
                raise UserError(f"{whose} makes {what}: factors must tell them apart")
            places.add((stage.card.makes, cell.path("")))
        for first, second in stage.compared(cells[name]):
            if set(first) != set(second):
                raise UserError(f"{whose} compares cells of other factors: {first} and {second}")


LONGEST = 200
"""Bytes of a factor's value, which is the name of a file."""


def _check_value(factor: str, value: str) -> None:
    if not value or len(safe_name(value).encode()) > LONGEST:
        raise UserError(
            f"the {factor} {value[:40]!r} is empty or too long for the name of a file: call it "
            f"something else (`as:`), of at most {LONGEST} bytes"
        )


def _check_factor(factor: str, whose: str) -> None:
    if factor in (*FIGURES, STAGE) or factor.startswith(MINUS):
        raise UserError(
            f"{whose} is a factor {factor!r}, which is a column of results: call it something else"
        )


def _check_metrics(metrics: Sequence[Any], stages: Mapping[str, Stage]) -> None:
    """Each metric scores what some stage makes, under a name of its own.

    Raises:
        UserError: if one does not.
    """
    names = [metric.card.name for metric in metrics]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"two metrics are called {name!r}; tell them apart with `as:`")
    kinds = {stage.card.makes for stage in stages.values()}
    for metric in metrics:
        if metric.card.takes not in kinds:
            raise UserError(
                f"the metric {metric.card.name!r} scores {metric.card.takes}, and the experiment "
                f"has only {' and '.join(sorted(kinds))}: add a stage that makes them, or leave "
                "the metric out"
            )
