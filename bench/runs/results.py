"""From a run directory to its tables."""

from pathlib import Path

from bench.errors import UserError
from bench.plugins import TABLES
from bench.runs.folder import RunFolder
from bench.tables import Grid, Result, Results, Table


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
    judge_stands_in = any(role == "judge" for role, _ in stand_ins)
    results = tuple(
        Result(
            backbone=scored.cell.backbone,
            method=scored.cell.method,
            score=score,
            stand_in=("generator", scored.cell.backbone) in stand_ins
            or (judge_stands_in and "judge:" in score.signature),
        )
        for scored in folder.scores()
        for score in scored.scores
    )
    return Results(
        name=experiment.name,
        backbones=tuple(choice.label for choice in experiment.roles.generator),
        methods=tuple(choice.label for choice in experiment.methods),
        metrics=tuple(choice.label for choice in experiment.metrics),
        results=results,
        differences=tuple(
            (compared.backbone, difference)
            for compared in folder.differences()
            for difference in compared.differences
        ),
        manifest=manifest,
    )


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
    return grids, written
