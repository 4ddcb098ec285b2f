"""Runs an experiment: cases, records, scores, differences, tables, each from the file before it.

Running again is resuming: everything a model answered is in the journal, the rest is computed anew.
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Protocol

from bench.backbones.asking import Respondent
from bench.context import Context
from bench.failure import Failure, guarded
from bench.files import writing
from bench.generating import Generator
from bench.journal.journal import Journal
from bench.knowledge.cases import plan
from bench.plugins import TABLES
from bench.records.files import RecordFile
from bench.runs.comparing import compare
from bench.runs.experiment import Experiment, refuse_changes
from bench.runs.folder import NOBODY, Cell, Compared, RunFolder, Scored
from bench.runs.manifest import describe_run
from bench.runs.plugged import as_line, make_generator, make_metric
from bench.runs.register import Register, yielded
from bench.runs.scoring import score_with
from bench.runs.settings import Settings
from bench.runs.team import Team, settled
from bench.scoring import Difference, Items, Metric, Score


class Watch(Protocol):
    """Is told how far a run is."""

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator["Step"]:
        """A stage of `total` items; the step is called for each."""
        ...


class Step(Protocol):
    """Called when an item is done."""

    def __call__(self, failed: bool = False) -> None:
        """One more item."""
        ...


@dataclass
class _Run:
    """What one execution holds on to."""

    experiment: Experiment
    folder: RunFolder
    context: Context
    team: Team
    watch: Watch
    metrics: tuple[Metric, ...]
    methods: dict[str, Generator]
    failures: list[Failure] = field(default_factory=list)
    rewritten: dict[str, int] = field(default_factory=dict)
    """Records that a plausibility check had written anew, by backbone and method."""

    @property
    def departments(self) -> tuple[str, ...]:
        return self.experiment.departments_of(self.context.outlines.departments)

    @property
    def planned(self) -> int:
        return len(self.departments) * self.experiment.cases_per_department


async def execute(
    experiment: Experiment, folder: RunFolder, settings: Settings, watch: Watch
) -> None:
    """Run or resume an experiment in its folder.

    Raises:
        UserError: if the experiment cannot be run as it stands; what was answered is kept.
    """
    methods = {choice.label: make_generator(choice) for choice in experiment.methods}
    metrics = tuple(make_metric(choice) for choice in experiment.metrics)
    for name in experiment.tables:
        TABLES.load(name)
    outlines = experiment.library()
    with folder.locked():
        journal = Journal.open(folder.journal(settings.journal))
        team = Team(journal, outlines, at_once=settings.at_once, retry_failed=settings.retry_failed)
        try:
            if settings.journal is not None:
                folder.share(settings.journal)
            before = folder.experiment()
            begun = folder.has_records or (settings.journal is None and len(journal) > 0)
            if before is not None and begun:
                refuse_changes(settled(before), settled(experiment), folder.path)
            context = Context(
                journal=journal,
                outlines=outlines,
                roles=_roles(team, experiment),
                encoder_model=experiment.encoder,
                at_once=settings.at_once,
            )
            run = _Run(experiment, folder, context, team, watch, metrics, methods)
            await _execute(run)
        finally:
            # The journal first: it ends what is in flight, which may need its backbone to end.
            await journal.close()
            await team.close()


def _roles(team: Team, experiment: Experiment) -> dict[str, Respondent]:
    named = {"judge": experiment.roles.judge, "scorer": experiment.roles.scorer}
    return {role: team.engage(role, choice) for role, choice in named.items() if choice is not None}


async def _execute(run: _Run) -> None:
    for department in run.departments:
        run.context.outlines.diseases(department)
    chosen = run.experiment.roles.generator
    writers = {choice.label: run.team.engage("generator", choice) for choice in chosen}
    for role in {role for metric in run.metrics for role in metric.card.needs}:
        run.context.role(role)
    run.folder.save_experiment(run.experiment)
    run.folder.unfinish()
    # A generator that asks no model is run once, is no model's, and is compared with each one's.
    alone = await _with(run, NOBODY, None)
    compared = [await _compare(run, NOBODY, alone, {})]
    for label, writer in writers.items():
        own = await _with(run, label, writer)
        compared.append(await _compare(run, label, own, alone))
    run.folder.save_differences(compared)
    run.folder.save_failures(run.failures)
    run.folder.save_manifest(
        describe_run(run.experiment, run.team, run.methods, run.metrics, run.context.outlines)
        | {
            "planned": run.planned,
            "failures": Counter(failure.stage for failure in run.failures),
            "rewritten": run.rewritten,
        }
    )


@dataclass(frozen=True)
class _Done:
    """One method with one backbone, written and scored."""

    items: Items
    scores: tuple[Score, ...]


async def _with(run: _Run, label: str, writer: Respondent | None) -> dict[str, _Done]:
    """Every method that asks this backbone, or that asks nobody, by name."""
    roles = run.context.roles if writer is None else {**run.context.roles, "generator": writer}
    context = replace(run.context, roles=roles)
    items: dict[str, Items] = {}
    for name, generator in run.methods.items():
        if ("generator" in generator.card.needs) == (writer is not None):
            cell = Cell(backbone=label, method=name)
            items[name] = await _generate(run, cell, generator, context)
    done: dict[str, _Done] = {}
    for name, found in items.items():
        done[name] = _Done(found, await _score(run, name, found, context))
        cell = Cell(backbone=label, method=name)
        run.folder.save_scores(Scored(cell=cell, scores=done[name].scores))
    return done


async def _generate(run: _Run, cell: Cell, generator: Generator, context: Context) -> Items:
    """Write a cell's records file; what fails is counted."""
    experiment = run.experiment
    path = run.folder.records(cell)
    planned = plan(
        context.outlines, run.departments, experiment.cases_per_department, experiment.seed
    )
    register = Register(planned, paired=generator.card.paired)
    title = f"{cell.method} by {cell.backbone}"
    with run.watch.stage(title, run.planned) as step, writing(path) as file:
        async for given in yielded(generator, register, context):
            line = register.checked(as_line(given, cell.method), cell.method)
            step(failed=isinstance(line, Failure))
            if isinstance(line, Failure):
                run.failures.append(line)
            else:
                file.write(line.text)
    if register.rewritten:
        run.rewritten[f"{cell.backbone} {cell.method}"] = register.rewritten
    missing = max(run.planned - register.written, 0) if generator.card.paired else 0
    return Items(RecordFile(path), missing=missing)


async def _score(run: _Run, method: str, items: Items, context: Context) -> tuple[Score, ...]:
    """All metrics of one cell."""
    scores: list[Score] = []
    with run.watch.stage(f"scoring {method}", len(run.metrics)) as step:
        for metric in run.metrics:
            found = await score_with(metric, items, context, method)
            run.failures.extend(failure for score in found for failure in score.failures)
            scores.extend(found)
            step()
    return tuple(scores)


async def _compare(
    run: _Run, label: str, own: dict[str, _Done], others: dict[str, _Done]
) -> Compared:
    """Each of a backbone's methods against every earlier one and against the others."""
    done = {**own, **others}
    paired = [name for name in run.methods if name in done and run.methods[name].card.paired]
    couples = [pair for pair in combinations(paired, 2) if set(pair) & set(own)]
    differences: list[Difference] = []
    if not couples:
        return Compared(backbone=label, differences=())
    with run.watch.stage("comparing methods", len(couples) * len(run.metrics)) as step:
        for first, second in couples:
            ours = (second, done[second].items, done[second].scores)
            theirs = (first, done[first].items, done[first].scores)
            for metric in run.metrics:
                found = await guarded(
                    compare(metric, ours, theirs, run.context),
                    f"{second} - {first}",
                    metric.card.name,
                )
                if isinstance(found, Failure):
                    run.failures.append(found)
                elif found is not None:
                    differences.append(found)
                step()
    return Compared(backbone=label, differences=tuple(differences))
