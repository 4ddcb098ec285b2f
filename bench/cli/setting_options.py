"""Commands that have an option for every role and setting that their other words lead to.

Which there are a command says; they are parsed, and listed in its help, like all its options.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

TYPED = "bench.typed"
"""Where a command's context keeps the settings, and what was typed for them."""
SHORT = {"backbone": ("-b",)}
"""Second forms of options, as all commands have them."""
NONE = "none"
"""The value of a list without anything in it."""


@dataclass(frozen=True)
class SettingOption:
    """A place in an experiment, and the options that set it."""

    path: tuple[str, ...]
    names: tuple[str, ...]
    """Options without their dashes; help shows the first, and of several given the first counts."""
    help: str
    listed: bool = False
    """Whether it holds a list: its texts are parted at commas, but for one with options."""
    switch: bool = False
    """Whether it needs no value."""

    def read(self, typed: Any) -> Any:
        """What the texts that were typed stand for; a switch is on or off."""
        if not self.listed:
            return typed if self.switch else typed[-1]
        parts = (part for text in typed for part in ([text] if "=" in text else text.split(",")))
        return [part.strip() for part in parts if part != NONE]


def role_settings(roles: Iterable[str]) -> Iterator[SettingOption]:
    """A setting for each role: whoever is named for it."""
    from bench.runs.roles import factor_of

    for role in dict.fromkeys(roles):
        told = f"Backbone in the role {role}; may be given several times."
        yield SettingOption(("roles", role), (factor_of(role),), told, listed=True)


class SettingCommand(TyperCommand):
    """A command whose further options are settings."""

    def settings(self, words: Mapping[str, Any]) -> Sequence[SettingOption]:
        """The settings, by what is typed for the command's own parameters."""
        raise NotImplementedError

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As usual, with the options of the settings."""
        parser = self.make_parser(ctx)
        parser.ignore_unknown_options = True
        words, *_ = parser.parse_args(list(args))
        settings = self.settings(words)
        own = {name for parameter in self.params for name in parameter.opts}
        options = {name: option for name, option in _options(settings) if f"--{name}" not in own}
        self.params += options.values()
        rest = super().parse_args(ctx, args)
        typed = {name: ctx.params.pop(option.name) for name, option in options.items()}
        given = {name: value for name, value in typed.items() if value not in (None, [], ())}
        ctx.meta[TYPED] = settings, given
        return rest


def changed(ctx: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """An experiment with what was asked of it; an option that several settings have sets all."""
    settings, typed = ctx.meta[TYPED]
    whole = deepcopy(dict(data))
    for setting in settings:
        given = next((typed[name] for name in setting.names if name in typed), None)
        if given is not None:
            *sections, name = setting.path
            place = whole
            for section in sections:
                place = place.setdefault(section, {})
            place[name] = setting.read(given)
    return whole


def _options(settings: Sequence[SettingOption]) -> Iterator[tuple[str, Any]]:
    """An option for each name; help shows the first of a setting."""
    shown = {setting.names[0]: setting for setting in reversed(settings)}
    names = dict.fromkeys(name for setting in settings for name in setting.names)
    switches = {name for setting in settings if setting.switch for name in setting.names}

    def command() -> None:
        """Its parameters are the options."""

    parameters = [
        Parameter(
            f"setting_{number}",
            Parameter.KEYWORD_ONLY,
            default=typer.Option(
                None,
                *(
                    [f"--{name}/--no-{name}"]
                    if name in switches
                    else [f"--{name}", *SHORT.get(name, ())]
                ),
                help=shown[name].help if name in shown else None,
                hidden=name not in shown,
            ),
            annotation=bool | None if name in switches else list[str] | None,
        )
        for number, name in enumerate(names)
    ]
    command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
    app = typer.Typer(add_completion=False)
    app.command()(command)
    yield from zip(names, get_command(app).params, strict=True)
