"""`pzbench list`."""

import typer


def list_plugins(
    kind: str | None = typer.Argument(
        None, help="generators, metrics, backbones, formats, tables or runs; all but runs if none."
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
    """The folders below runs/ that hold a run."""
    from pathlib import Path

    from bench.runs.folder import RunFolder

    for path in sorted(Path("runs").glob("*/experiment.json")):
        folder = RunFolder(path.parent)
        experiment = folder.experiment()
        done = "done" if (path.parent / "manifest.json").exists() else "not finished"
        if experiment is not None:
            backbones = ", ".join(choice.name for choice in experiment.roles.generator)
            typer.echo(f"{path.parent}  {experiment.name}  {backbones}  {done}")
