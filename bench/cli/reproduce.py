"""`pzbench reproduce`: the experiment of a table, changed by options.

Which options there are follows from the table's preset: one for every role that its stages and
metrics ask, and one for every setting of its sections, called like it or as its stage's `flags`
say. Nothing here names one.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bench.cli.options import RunOptions, with_options
from bench.cli.run import carry_out, roles_of
from bench.cli.setting_options import SettingCommand, SettingOption, changed, role_settings
from bench.core.errors import UserError
from bench.core.text import one_line

if TYPE_CHECKING:
    from pydantic import BaseModel

GENERAL = ("departments", "seed")
"""Settings of the experiment itself; their options are there for every table."""


class TableCommand(SettingCommand):
    """Its options are those of the table that is named with it."""

    def settings(self, words: Mapping[str, Any]) -> Sequence[SettingOption]:
        """As the table's preset has them."""
        table = words.get("table")
        if not isinstance(table, str):
            return ()
        if table.startswith("-"):
            raise UserError(f"name the table first, as in `pzbench reproduce table3 {table} ...`")
        return settings_of(preset_of(table), words.get("metric") or ())


@with_options(RunOptions)
def reproduce(
    ctx: typer.Context,
    table: str = typer.Argument(help="Table of the paper, for instance table3."),
    metric: list[str] | None = typer.Option(
        None, "--metric", help="Only this metric: NAME or NAME:option=value,...,as=LABEL."
    ),
    *,
    options: RunOptions,
) -> None:
    """Reproduce a table of the paper; with no options, on the embedded stand-in.

    A table has more options, for its roles (--backbone X, --judge X), its departments, its seed and
    its settings (--cases 5): add its name before --help to list them.
    """
    from bench.experiments.experiment import experiment_from

    data = changed(ctx, preset_of(table)) | ({"metrics": metric} if metric else {})
    carry_out(options.applied(experiment_from(data)), options)


def preset_of(table: str) -> dict[str, Any]:
    """The experiment that makes a table, as its file has it.

    Raises:
        UserError: if there is no such table, or it has none.
    """
    from bench.core.registry import TABLES
    from bench.core.yaml_lines import read_yaml

    preset: Path | str | None = getattr(TABLES.load(table), "preset", None)
    if preset is None:
        raise UserError(f"{table!r} is not a table of the paper: there is nothing to reproduce")
    return dict(read_yaml(Path(preset), "the experiment file").data)


def settings_of(preset: Mapping[str, Any], metrics: Sequence[str]) -> list[SettingOption]:
    """All that can be set of a preset, roles first; `metrics` are asked for beside its own.

    Raises:
        UserError: if the preset or a metric cannot be used.
    """
    from bench.api.adapters import load_stage
    from bench.api.choice import parse_choice
    from bench.experiments.experiment import Experiment, experiment_from

    experiment = experiment_from(preset)
    stages = {name: load_stage(name) for name in experiment.sections}
    roles = list(role_settings(roles_of(experiment, map(parse_choice, metrics))))
    taken = {name for setting in roles for name in setting.names}
    listed = [one for one in _fields((), Experiment, {}) if one.path[0] in GENERAL]
    for name, stage in stages.items():
        listed += _fields((name,), stage.settings, stage.flags)
    return roles + [one for one in listed if taken.isdisjoint(one.names)]


def _fields(
    section: tuple[str, ...], model: "type[BaseModel]", flags: Mapping[str, str]
) -> Iterator[SettingOption]:
    """The settings of a section; mappings are for files alone."""
    for name, field in model.model_json_schema()["properties"].items():
        kinds = {kind.get("type") for kind in (field, *field.get("anyOf", ()))}
        own = name.removesuffix("s") if "array" in kinds else name
        aliases = [option for option, setting in flags.items() if setting == name]
        if "object" not in kinds:
            yield SettingOption(
                (*section, name),
                tuple(aliases) or (own.replace("_", "-"),),
                one_line(field.get("description", "")),
                listed="array" in kinds,
                switch="boolean" in kinds,
            )
