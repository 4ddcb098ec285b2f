"""Runs an experiment: cases, records, scores, differences, tables, each from the file before it.

Running again is resuming: everything a model answered is in the journal, the rest is computed anew.
"""

from collections import Counter
from dataclasses import replace
from itertools import combinations

from bench.api.adapters import as_line, make_generator, make_metric
from bench.api.context import Context
from bench.api.failure import Failure
from bench.api.generator import Generator
from bench.api.metric import Difference, Items
from bench.backbones.respondent import Respondent
from bench.core.atomic import writing
from bench.core.registry import TABLES
from bench.experiments.experiment import TALKING, Experiment, refuse_changes
from bench.journal.journal import Journal
from bench.knowledge.cases import plan
from bench.knowledge.library import Library
from bench.records.record_files import RecordFile
from bench.runs.folder import NOBODY, Cell, Compared, RunFolder, Scored
from bench.runs.manifest import describe_run
from bench.runs.roles import Team, settled
from bench.runs.settings import Settings
from bench.stages.exam import examine, students
from bench.stages.exam_questions import with_test
from bench.stages.interview import check_talks, talk, talkers
from bench.stages.register import Register, yielded
from bench.stages.underway import Done, Run, Watch, compare_cells, score_cell


def check_names(experiment: Experiment) -> Library:
    """The disease knowledge of an experiment, whose tables, backbones and departments there are.

    Raises:
        UserError: naming the first that there is not, with the nearest.
    """
    for name in experiment.tables:
        TABLES.load(name)
    settled(experiment)
    outlines = experiment.library()
    for department in experiment.departments_of(outlines.departments):
        outlines.diseases(department)
    return outlines


async def execute(
    experiment: Experiment, folder: RunFolder, settings: Settings, watch: Watch
) -> None:
    """Run or resume an experiment in its folder.

    Raises:
        UserError: if the experiment cannot be run as it stands; what was answered is kept.
    """
    methods = {choice.label: make_generator(choice) for choice in experiment.methods}
    metrics = tuple(make_metric(choice) for choice in experiment.metrics)
    check_talks(experiment.dialogues, metrics)
    outlines = check_names(experiment)
    experiment, test = with_test(experiment, outlines.departments)
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
            run = Run(experiment, folder, context, team, watch, metrics, methods, test=test)
            await _execute(run)
        finally:
            # The journal first: it ends what is in flight, which may need its backbone to end.
            await journal.close()
            await team.close()


def _roles(team: Team, experiment: Experiment) -> dict[str, Respondent]:
    named = experiment.roles.named().items()
    return {role: team.engage(role, choice) for role, choice in named if role not in TALKING}


async def _execute(run: Run) -> None:
    chosen = run.experiment.roles.generator
    writers = {choice.label: run.team.engage("generator", choice) for choice in chosen}
    for role in {role for metric in run.metrics for role in metric.card.needs}:
        run.context.role(role)
    talking, learning = talkers(run), students(run)
    run.folder.save_experiment(run.experiment)
    run.folder.unfinish()
    # A generator that asks no model is run once, is no model's, and is compared with each one's.
    alone: dict[str, Done] = {}
    compared: dict[str, list[Difference]] = {}
    written: dict[str, list[str]] = {}
    for label, writer in ((NOBODY, None), *writers.items()):
        own = await _with(run, label, writer)
        differences = await _compare(run, own, alone)
        for name in own if label in talking else ():
            differences += await talk(run, Cell(backbone=label, method=name), talking[label])
        compared[label], written[label] = differences, list(own)
        alone = own if label == NOBODY else alone
    for label, found in (await examine(run, learning, written)).items():
        compared[label] += found
    run.folder.save_differences(
        [Compared(backbone=label, differences=tuple(found)) for label, found in compared.items()]
    )
    run.folder.save_failures(run.failures)
    run.folder.save_manifest(
        describe_run(run.experiment, run.team, run.methods, run.metrics, run.context.outlines)
        | {
            "planned": run.planned,
            "failures": Counter(failure.stage for failure in run.failures),
            "rewritten": run.rewritten,
        }
        | ({"dialogues": run.talked} if run.experiment.dialogues else {})
        | ({"medqa": run.examined} if run.examined else {})
    )


async def _with(run: Run, label: str, writer: Respondent | None) -> dict[str, Done]:
    """Every method that asks this backbone, or that asks nobody, by name."""
    roles = run.context.roles if writer is None else {**run.context.roles, "generator": writer}
    context = replace(run.context, roles=roles)
    items: dict[str, Items] = {}
    for name, generator in run.methods.items():
        if ("generator" in generator.card.needs) == (writer is not None):
            cell = Cell(backbone=label, method=name)
            items[name] = await _generate(run, cell, generator, context)
    done: dict[str, Done] = {}
    for name, found in items.items():
        done[name] = await score_cell(run, name, found, run.metrics_of("records"), context)
        cell = Cell(backbone=label, method=name)
        run.folder.save_scores(Scored(cell=cell, scores=done[name].scores))
    return done


async def _generate(run: Run, cell: Cell, generator: Generator, context: Context) -> Items:
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


async def _compare(run: Run, own: dict[str, Done], others: dict[str, Done]) -> list[Difference]:
    """Each of a backbone's methods against every earlier one and against the others."""
    done = {**others, **own}
    paired = [name for name in run.methods if name in done and run.methods[name].card.paired]
    couples = [(second, first) for first, second in combinations(paired, 2)]
    new = [couple for couple in couples if set(couple) & set(own)]
    return await compare_cells(run, new, done, run.metrics_of("records"), run.context)
