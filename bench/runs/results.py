"""From a run directory to its tables."""

import json
from collections.abc import Iterable
from pathlib import Path

from bench.errors import UserError
from bench.plugins import TABLES
from bench.runs.experiment import Choice
from bench.runs.folder import NOBODY, RunFolder
from bench.tables import Grid, Named, Result, Results, Table


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
    stand_in_roles = {role for role, _ in stand_ins if role != "generator"}
    drafts = manifest.get("drafts", [])
    remarks = (
        (f"planned with unapproved drafts of outlines: {', '.join(drafts)}",) if drafts else ()
    )
    backbones = _named((*experiment.roles.generator, Choice(name=NOBODY)))
    methods = _named(experiment.methods)
    results = tuple(
        Result(
            backbone=backbones[scored.cell.backbone],
            method=methods[scored.cell.method],
            score=score.model_copy(update={"notes": (*score.notes, *remarks)}),
            stand_in=("generator", scored.cell.backbone) in stand_ins
            or any(role in stand_in_roles for role in score.roles),
        )
        for scored in folder.scores()
        for score in scored.scores
    )
    return Results(
        name=experiment.name,
        backbones=tuple(backbones.values()),
        methods=tuple(methods.values()),
        metrics=tuple(_named(experiment.metrics).values()),
        results=results,
        differences=tuple(
            (compared.backbone, difference)
            for compared in folder.differences()
            for difference in compared.differences
        ),
        manifest=manifest,
    )


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
