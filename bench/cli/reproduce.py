"""`pzbench reproduce`: the experiment of a table, changed by options.

Which options there are follows from the table's preset: one for every role that its stages and
metrics ask, and one for every setting of its sections, called like it or as its stage's `flags`
say. Nothing here names one.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin

import typer

from bench.cli.options import (
    AtOnce,
    Drafts,
    JournalPath,
    Knowledge,
    Out,
    PlanOnly,
    RetryFailed,
    Yes,
)
from bench.cli.run import carry_out
from bench.cli.setting_options import SettingCommand, SettingOption, changed, role_settings
from bench.core.errors import UserError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

GENERAL = ("departments", "seed")
"""Settings of the experiment itself; their options are there for every table."""
NONE = "none"
"""The value of a list without anything in it."""


class TableCommand(SettingCommand):
    """Its options are those of the table that is named with it."""

    def settings(self, words: Mapping[str, Any]) -> Sequence[SettingOption]:
        """As the table's preset has them."""
        table = words.get("table")
        if not isinstance(table, str):
            return ()
        if table.startswith("-"):
            raise UserError(f"name the table first, as in `pzbench reproduce table3 {table} ...`")
        self.name = table
        return settings_of(preset_of(table), words.get("metric") or ())


def reproduce(
    ctx: typer.Context,
    table: str = typer.Argument(help="Table of the paper, for instance table3."),
    metric: list[str] | None = typer.Option(
        None, "--metric", help="Only this metric: NAME or NAME:option=value,...,as=LABEL."
    ),
    kb: list[Path] | None = Knowledge,
    drafts: bool = Drafts,
    out: Path | None = Out,
    journal: Path | None = JournalPath,
    at_once: int = AtOnce,
    retry_failed: bool = RetryFailed,
    plan: bool = PlanOnly,
    yes: bool = Yes,
) -> None:
    """Reproduce a table of the paper; with no options, on the embedded stand-in.

    A table has more options, for its roles (--backbone X, --judge X), its departments, its seed and
    its settings (--cases 5): add its name before --help to list them.
    """
    from bench.api.choice import parse_choice
    from bench.experiments.experiment import experiment_from
    from bench.runs.settings import Settings

    known = {"knowledge": kb, "drafts": drafts}
    data = changed(ctx, preset_of(table)) | {name: value for name, value in known.items() if value}
    if metric:
        data["metrics"] = [parse_choice(text).model_dump() for text in metric]
    carry_out(
        experiment_from(data),
        out,
        Settings(journal=journal, at_once=at_once, retry_failed=retry_failed),
        plan,
        yes,
    )


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
    from bench.api.adapters import load_stage, make_metric
    from bench.api.choice import parse_choice
    from bench.experiments.experiment import Experiment, experiment_from

    experiment = experiment_from(preset)
    stages = {name: load_stage(name) for name in experiment.sections}
    scored = [make_metric(one) for one in (*experiment.metrics, *map(parse_choice, metrics))]
    cards = [one.card for one in (*stages.values(), *scored)]
    listed = list(role_settings(role for card in cards for role in card.roles))
    taken = {name for setting in listed for name in setting.names}
    fields: list[tuple[str, str, FieldInfo, Mapping[str, str]]]
    fields = [("", name, Experiment.model_fields[name], {}) for name in GENERAL]
    fields += [
        (stage, name, field, type_.flags)
        for stage, type_ in stages.items()
        for name, field in type_.settings.model_fields.items()
        if get_origin(field.annotation) is not dict  # for files alone
    ]
    for section, name, field, flags in fields:
        names = tuple(option for option in _names(name, field, flags) if option not in taken)
        path = (section, name) if section else (name,)
        description = " ".join((field.description or "").split())
        reader, switch = _reader(field.annotation), field.annotation is bool
        if names:
            listed.append(SettingOption(path, names, description, reader, switch))
    return listed


def _names(name: str, field: "FieldInfo", flags: Mapping[str, str]) -> Sequence[str]:
    """The options of a setting: those that its stage gives it, and its own name.

    Of a list also the singular, for the option may be given several times.
    """
    own = name.replace("_", "-")
    singular = [own.removesuffix("s")] if _element(field.annotation) is not None else []
    aliases = [option for option, setting in flags.items() if setting == name]
    return tuple(dict.fromkeys((*aliases, *singular, own)))


def _element(annotation: Any) -> Any:
    """The type of a list's elements; none where a setting is no list."""
    kinds = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    for kind in kinds:
        if get_origin(kind) in (tuple, list):
            return get_args(kind)[0]
    return None


def _reader(annotation: Any) -> Callable[[Sequence[str]], Any]:
    from bench.api.choice import Choice, parse_choice

    element = _element(annotation)
    if element is None:
        return lambda texts: texts[-1]
    if Choice in (element, *get_args(element)):  # options after a name hold commas themselves
        return lambda texts: [parse_choice(text).model_dump() for text in texts]
    return lambda texts: [
        part.strip() for text in texts if text != NONE for part in text.split(",")
    ]
