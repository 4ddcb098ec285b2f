"""Runs an experiment: stages make items, metrics evaluate them, evaluations become results.

Running again is resuming: everything a model answered is in the journal, the rest is computed anew.
The cells of a stage are made side by side, and what is made is scored while later stages go on;
each backbone has its own limit. Files and results are in the experiment's order all the same.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from bench.api.adapters import made_items
from bench.api.cell import Cell
from bench.api.choice import Choice
from bench.api.context import Context, Shared, Watch
from bench.api.failure import Failure
from bench.api.item import About, Items
from bench.api.stage import Stage
from bench.core.atomic import write_text, writing
from bench.core.errors import UserError
from bench.experiments.assembly import Assembly, assemble
from bench.experiments.changes import begun, digest_of, refuse_changes
from bench.experiments.experiment import Experiment, experiment_from
from bench.experiments.scorer import Scorer
from bench.journal.journal import Journal
from bench.records.record_files import ItemFile
from bench.report.results import Results, results_text
from bench.report.writer import table_texts, write_texts
from bench.runs.folder import RunFolder
from bench.runs.manifest import describe_run
from bench.runs.roles import Team
from bench.runs.settings import Settings

AHEAD = 2
"""Items admitted for each exchange that a backbone may have in flight: what is rendered or
committed holds no place of the endpoint."""


@dataclass
class Run:
    """What one execution holds on to."""

    assembly: Assembly
    folder: RunFolder
    team: Team
    journal: Journal
    settings: Settings
    watch: Watch
    shared: Shared = field(default_factory=Shared)
    items: dict[str, dict[Cell, Items]] = field(default_factory=dict)
    """What each stage made."""
    failures: dict[tuple[str, Cell], list[Failure]] = field(default_factory=dict)
    """What could not be made, by stage and cell."""
    counts: dict[str, dict[Cell, dict[str, int]]] = field(default_factory=dict)
    saved: bool = False
    """Whether the experiment is the folder's."""

    def context(self, roles: Mapping[str, Choice], stage: str = "") -> Context:
        """A context in which these fill the roles.

        Raises:
            UserError: if a backbone cannot be made.
        """
        return Context(
            journal=self.journal,
            outlines=self.assembly.outlines,
            roles={role: self.team.engage(role, choice) for role, choice in roles.items()},
            encoder_model=self.assembly.experiment.encoder,
            seed=self.assembly.experiment.seed,
            at_once=AHEAD * self.settings.at_once,
            folder=self.folder.details(stage) if stage else None,
            watch=self.watch,
            shared=self.shared,
        )

    def save_experiment(self) -> None:
        """Let the folder's experiment be this one, once something of it is kept."""
        if not self.saved:
            self.folder.save_experiment(self.assembly.experiment.as_data())
            self.saved = True


async def execute(
    experiment: Experiment, folder: RunFolder, settings: Settings, watch: Watch
) -> Results:
    """Run or resume an experiment in its folder.

    Raises:
        UserError: if the experiment cannot be run as it stands; what was answered is kept, and
            what the folder held before stays.
    """
    assembly = assemble(experiment)
    idle = assembly.check_roles()
    with folder.locked():
        journal = Journal.open(folder.journal(settings.journal), existing=folder.has_items)
        team = Team(journal, assembly.outlines, settings)
        try:
            if settings.journal is not None:
                folder.share(settings.journal)
            run = Run(assembly, folder, team, journal, settings, watch)
            _engage(run)
            _check_changes(run)
            results = await _raising(_execute(run))
            manifest = {**results.manifest, "idle_roles": idle} if idle else results.manifest
            return _finish(run, replace(results, manifest=manifest))
        finally:
            # The journal first: it ends what is in flight, which may need its backbone to end.
            await journal.close()
            await team.close()


def _check_changes(run: Run) -> None:
    """Refuse another experiment than the folder's; a new folder gets this one at once."""
    before = run.folder.experiment()
    asked = run.settings.journal is None and len(run.journal) > 0
    if before is None and run.folder.has_items:
        raise run.folder.no_experiment()
    if before is not None and (run.folder.has_items or asked):
        old = begun(experiment_from(before), run.folder, asked)
        refuse_changes(old, run.assembly.experiment, run.folder.path)
        run.saved = before == run.assembly.experiment.as_data()
    else:
        run.save_experiment()


async def _raising(work: Coroutine[Any, Any, Results]) -> Results:
    """What the work gives; of several errors at once the first that a user can act on."""
    try:
        return await work
    except BaseExceptionGroup as group:
        acted, _ = group.split(UserError)
        raise _first(acted or group) from group


def _first(error: BaseException) -> BaseException:
    return _first(error.exceptions[0]) if isinstance(error, BaseExceptionGroup) else error


def _engage(run: Run) -> None:
    """Make every backbone, before anything is asked and before options at fault are kept.

    Raises:
        UserError: if one cannot be made, or a stage cannot do with it.
    """
    for name, stage in run.assembly.stages.items():
        for cell in run.assembly.cells[name]:
            stage.ready(run.context(run.assembly.makers(stage, cell)))
        for _, _, chosen in run.assembly.judgements(stage, Cell()):
            run.context(chosen)


async def _execute(run: Run) -> Results:
    assembly = run.assembly
    scorer = Scorer(assembly, run.folder, run.context, run.watch)
    async with asyncio.TaskGroup() as scoring:
        for name, stage in assembly.stages.items():
            given = {
                cell: items
                for other in assembly.given(stage)
                for cell, items in run.items[other].items()
            }
            run.items[name], run.counts[name] = {}, {}
            cells = assembly.cells[name]
            if cells:
                await stage.prepare(given, run.context(assembly.makers(stage, cells[0]), name))
            async with asyncio.TaskGroup() as making:
                for cell in cells:
                    making.create_task(_make(run, stage, cell, given, scorer, scoring))
            # In the order of the plan, whatever was finished first.
            run.items[name] = {cell: run.items[name][cell] for cell in cells}
            scoring.create_task(scorer.score_together(stage, run.items[name]))
    found = await scorer.results()
    failures = [
        failure
        for name in assembly.stages
        for cell in assembly.cells[name]
        for failure in run.failures[name, cell]
    ]
    run.folder.save_failures([*failures, *scorer.failures()])
    experiment = assembly.experiment
    manifest = describe_run(
        assembly.stages, assembly.metrics, team=run.team, outlines=assembly.outlines
    ) | {
        "name": experiment.name,
        "experiment": digest_of(experiment),
        "levels": assembly.levels(),
        "metrics": [metric.card.name for metric in assembly.metrics],
        "stages": {name: _described(run, name) for name in assembly.stages},
    }
    return Results(experiment.name, tuple(found), manifest)


def _described(run: Run, name: str) -> dict[str, Any]:
    stage = run.assembly.stages[name]
    counts = [
        {"factors": dict(cell), **run.counts[name][cell]} for cell in run.assembly.cells[name]
    ]
    card = stage.card
    made = {"makes": card.makes, "takes": card.takes, "roles": list(card.roles)}
    return {**made, "cells": counts, **stage.details()}


def _finish(run: Run, results: Results) -> Results:
    """Put results, manifest and tables in the place of the old ones.

    Raises:
        UserError: if a table cannot be made of the results; those are kept, the old tables stay.
    """
    run.save_experiment()
    write_text(run.folder.results, results_text(results.results))
    run.folder.save_manifest(dict(results.manifest))
    texts = table_texts(run.assembly.experiment.tables, results)
    write_texts(run.folder.tables, texts)
    return results


async def _make(
    run: Run,
    stage: Stage,
    cell: Cell,
    given: Mapping[Cell, Items],
    scorer: Scorer,
    scoring: asyncio.TaskGroup,
) -> None:
    """Make a cell's items, and begin to score them."""
    name = stage.card.name
    context = run.context(run.assembly.makers(stage, cell), name)
    total = sum(1 for _ in stage.expected(cell, given))
    path = run.folder.items(name, cell)
    before, now = _digest(path), sha256()
    ids: set[str] = set()
    lost: list[Failure] = []
    with run.watch.stage(f"{name}: {cell}", total) as step, writing(path) as file:
        async with aclosing(made_items(stage, cell, given, context)) as made:
            async for item in made:
                step(failed=isinstance(item, Failure))
                if isinstance(item, Failure):
                    lost.append(item.model_copy(update={"stage": name, "cell": dict(cell)}))
                    continue
                ids.add(item[0].id)
                file.write(item[1])
                now.update(item[1].encode())
                if run.team.asked:
                    run.save_experiment()
        if now.hexdigest() != before:  # a cell that only came out again changes no experiment
            run.save_experiment()
    run.failures[name, cell] = lost
    run.items[name][cell] = _items(run, stage, cell, given, ids)
    run.counts[name][cell] = {
        "planned": max(total, len(ids)),
        "made": len(ids),
        "failed": len(lost),
    }
    scorer.begin(scoring, stage, cell, run.items[name][cell])


def _digest(path: Path) -> str:
    """Of a file's content; empty if there is none."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _items(run: Run, stage: Stage, cell: Cell, given: Mapping[Cell, Items], ids: set[str]) -> Items:
    """What a cell holds now, and what it lacks of its plan."""
    items = Items(
        ItemFile(run.folder.items(stage.card.name, cell), stage.item),
        kind=stage.card.makes,
        answers=stage.answers(cell),
        signature=stage.signature(cell),
    )
    planned = False
    for who in stage.expected(cell, given):
        planned = True
        if who.id not in ids:
            items.lacking[About("", "", who.department, who.sex, who.age)] += 1
    before = (note for other, one in given.items() if other.within(cell) for note in one.notes)
    notes = tuple(dict.fromkeys((*before, *stage.notes(cell))))
    return replace(items, planned=planned, notes=notes)
