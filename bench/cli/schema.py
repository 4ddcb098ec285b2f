"""`pzbench schema`: what records, dialogues and experiment files hold."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    pass

HEAD = """\
# What an experiment file (YAML) may say: `setting: kind = default`, and what it means.
# A plug-in is its name, "NAME:OPTION=value,..." or
# {name: NAME, as: LABEL, roles: {...}, OPTION: value, ...}."""


def schema(
    dialogues: bool = typer.Option(False, "--dialogues", help="That of a dialogue instead."),
    experiment: bool = typer.Option(
        False, "--experiment", help="All that an experiment file may say, in words, instead."
    ),
) -> None:
    """Print the JSON schema of a patient record or a dialogue, or what an experiment may say."""
    from bench.cli.screen import say
    from bench.records.dialogue import Dialogue
    from bench.records.record import PatientRecord

    if experiment:
        say("\n".join(_reference()))
        return
    model = Dialogue if dialogues else PatientRecord
    typer.echo(json.dumps(model.model_json_schema(), indent=2))


def _reference() -> Iterator[str]:
    """All settings, a section for each installed stage, the roles, and the plug-ins to name."""
    from bench.api.adapters import load_stage
    from bench.cli.list import plugin_lines, setting_lines
    from bench.cli.score import metric_cards
    from bench.core.registry import REGISTRIES, STAGES
    from bench.experiments.experiment import Experiment

    yield HEAD
    yield from setting_lines(Experiment)
    askers: dict[str, list[str]] = {}
    for plugin in STAGES.plugins():
        stage = load_stage(plugin.name)
        yield f"\n{plugin.name}:  # {stage.card.summary}"
        yield from (f"  {line}" for line in setting_lines(stage.settings))
        for role, stand_in in stage.card.roles.items():
            other = f" (or else the {stand_in} answers)" if stand_in else ""
            askers.setdefault(role, []).append(f"{plugin.name}{other}")
    for card in metric_cards():
        for role in card.roles:
            askers.setdefault(role, []).append(card.name)
    yield "\n# Roles, and who asks them"
    yield from (f"{role:<21} {', '.join(those)}" for role, those in askers.items())
    for name, registry in REGISTRIES.items():
        if registry is not STAGES:
            yield f"\n# {name.capitalize()}, with their options"
            yield from plugin_lines(registry, options=True)
