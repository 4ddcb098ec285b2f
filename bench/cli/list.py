"""`pzbench list`, and `pzbench schema`."""

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from bench.runs.folder import RunFolder


def list_plugins(
    kind: str | None = typer.Argument(
        None,
        help="stages, generators, metrics, backbones, formats, tables or runs; all but runs if "
        "none.",
    ),
) -> None:
    """List the plug-ins that are installed, without importing them; or the runs there are."""
    from bench.core.errors import UserError
    from bench.core.registry import REGISTRIES, nearest

    if kind == "runs":
        _list_runs()
        return
    if kind is not None and kind not in REGISTRIES:
        raise UserError(f"there is no kind {kind!r}{nearest(kind, [*REGISTRIES, 'runs'])}")
    for name, registry in REGISTRIES.items():
        if kind in (None, name):
            typer.echo(name)
            for plugin in registry.plugins():
                typer.echo(f"  {plugin.name:<21} {plugin.target:<58} {plugin.package}")


def print_schema(
    dialogues: bool = typer.Option(False, "--dialogues", help="That of a dialogue instead."),
) -> None:
    """Print the JSON schema of a patient record, or of a dialogue."""
    import json

    from bench.records.dialogue import Dialogue
    from bench.records.record import PatientRecord

    schema = (Dialogue if dialogues else PatientRecord).model_json_schema()
    typer.echo(json.dumps(schema, indent=2, ensure_ascii=False))


def _list_runs() -> None:
    """The folders below runs/ that hold a run; one that cannot be read says why."""
    from pathlib import Path

    from bench.core.errors import UserError
    from bench.report.text import printable
    from bench.runs.folder import OLDER, RunFolder

    for path in sorted(Path("runs").glob("*")):
        if not any((path / name).exists() for name in ("experiment.yaml", OLDER)):
            continue
        try:
            state = _state(RunFolder(path))
        except UserError as error:
            state = str(error)
        typer.echo(printable(f"{path}  {state}"))


def _state(folder: "RunFolder") -> str:
    """Name, backbones and state of a run.

    Raises:
        UserError: if it cannot be read, or is of an earlier version.
    """
    from bench.experiments.changes import digest_of
    from bench.experiments.experiment import experiment_from

    experiment = experiment_from(folder.experiment() or {})
    chosen = (choice.name for choices in experiment.roles.values() for choice in choices)
    backbones = ", ".join(dict.fromkeys(chosen))
    state = "not finished"
    if folder.finished:
        same = folder.manifest()["experiment"] == digest_of(experiment)
        state = "done" if same else "extended, not finished"
    return "  ".join(filter(None, (experiment.name, backbones, state)))
