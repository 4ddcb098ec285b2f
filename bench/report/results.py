"""From a run directory to its tables."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from bench.api.metric import Score
from bench.core.errors import UserError
from bench.core.registry import TABLES
from bench.experiments.experiment import MEDQA, ZERO_SHOT, Choice, Experiment
from bench.report.tables import Grid, Named, Part, Result, Results, Table
from bench.runs.folder import NOBODY, Cell, RunFolder
from bench.scoring.scores import remarked


def read_results(folder: RunFolder) -> Results:
    """Everything the tables of a run are made of.

    Raises:
        UserError: if the folder holds no finished run.
    """
    manifest = folder.manifest()
    experiment = folder.experiment()
    if experiment is None:
        raise UserError(f"{folder.path} lacks experiment.json: run the experiment again")
    stand_ins = {(role["role"], role["label"]) for role in manifest["roles"] if role["stand_in"]}
    answering = _answering(experiment)
    drafts = manifest.get("drafts", [])
    backbones = _named((*experiment.roles.generator, Choice(name=NOBODY)))
    untrained = {ZERO_SHOT: Named(ZERO_SHOT, ZERO_SHOT)} if experiment.medqa else {}
    methods = untrained | _named(experiment.methods)
    talked = {talk.label: _talked(talk, experiment) for talk in _talks(folder)}
    results = tuple(
        Result(
            backbone=backbones[scored.cell.backbone],
            method={**methods, **talked}[scored.cell.label],
            score=remarked(score, drafts),
            stand_in=bool(stand_ins & set(answering(scored.cell, score))),
            part=_part(scored.cell),
        )
        for scored in folder.scores()
        for score in scored.scores
    )
    return Results(
        name=experiment.name,
        backbones=tuple(backbones.values()),
        methods=(*methods.values(), *talked.values()),
        metrics=(*_named(experiment.metrics).values(), *_examining(experiment)),
        results=results,
        differences=tuple(
            (compared.backbone, difference)
            for compared in folder.differences()
            for difference in compared.differences
        ),
        manifest=manifest,
    )


SETTINGS = ("questions", "triplets", "updating", "decomposition", "styles")
"""What a row says of how dialogues were held, beside interaction and format."""


def _part(cell: Cell) -> Part:
    if cell.examined:
        return "exam"
    return "dialogues" if cell.interaction else "records"


def _talks(folder: RunFolder) -> Iterator[Cell]:
    return (talk for cell in folder.cells() for talk in folder.talks(cell))


def _talked(talk: Cell, experiment: Experiment) -> Named:
    """What a table calls dialogues: the generator of their patients, with how they are held."""
    (method,) = experiment.methods
    held = experiment.dialogues.model_dump(mode="json") if experiment.dialogues else {}
    settings = {name: held[name] for name in SETTINGS}
    options = {
        **method.options,
        "interaction": talk.interaction,
        "format": talk.format,
        **settings,
    }
    return Named(talk.label, method.name, json.dumps(options, sort_keys=True))


def _examining(experiment: Experiment) -> Iterator[Named]:
    """The exam as a metric, with its settings."""
    if experiment.medqa is not None:
        left_out = {"questions", "labels", "digest"}
        settings = experiment.medqa.model_dump(mode="json", exclude=left_out)
        yield Named(MEDQA, MEDQA, json.dumps(settings, sort_keys=True))


def _answering(experiment: Experiment) -> Callable[[Cell, Score], Iterator[tuple[str, str]]]:
    """Role and label of everybody behind a score: who wrote, who talked, whom the metric asks."""
    roles = experiment.roles
    writers = {choice.label: choice for choice in roles.generator}
    named = roles.named()

    def found(cell: Cell, score: Score) -> Iterator[tuple[str, str]]:
        if cell.method != ZERO_SHOT:
            yield "generator", cell.backbone
        if cell.examined:
            student = roles.student or writers.get(cell.backbone)
            yield "student", student.label if student else ""
            return
        if cell.interaction is not None and experiment.dialogues is not None:
            talking = roles.talking(writers.get(cell.backbone))
            asked = experiment.dialogues.asked(cell.interaction)
            yield from ((role, talking[role].label) for role in asked)
        yield from ((role, named[role].label) for role in score.roles if role in named)

    return found


def _named(choices: Iterable[Choice]) -> dict[str, Named]:
    return {
        choice.label: Named(
            choice.label,
            choice.name,
            json.dumps(choice.options, sort_keys=True) if choice.options else "",
        )
        for choice in choices
    }


def make_tables(folder: RunFolder) -> tuple[list[Grid], list[Path]]:
    """The grids of a run's first table, and the files written for all its tables.

    Raises:
        UserError: if a table is unknown or a file cannot be written.
    """
    results = read_results(folder)
    experiment = folder.experiment()
    grids: list[Grid] = []
    written: list[Path] = []
    for name in experiment.tables if experiment else ():
        table: Table = TABLES.make(name, {})
        if not grids:
            grids = list(table.grids(results))
        for file_name, text in table.files(results).items():
            written.append(folder.save_table(file_name, text))
    folder.save_manifest(results.manifest | {"tables": [path.name for path in written]})
    return grids, written
