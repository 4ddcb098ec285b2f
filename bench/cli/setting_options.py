"""Commands that have an option for every role and setting that their other words lead to.

Which there are a command says; they are parsed, and listed in its help, like all its options.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import Any

import typer
from typer.core import TyperCommand
from typer.main import get_command

from bench.cli.options import parse_backbone
from bench.core.errors import UserError

ASKED = "bench.asked"
"""Where a command's context keeps the settings, and what was asked of them."""


@dataclass(frozen=True)
class SettingOption:
    """A place in an experiment, and the options that set it."""

    path: tuple[str, ...]
    names: tuple[str, ...]
    """Options without their dashes; help shows the first, and of several given the first counts."""
    help: str
    read: Callable[[Sequence[str]], Any]
    """What its texts stand for."""
    switch: bool = False
    """Whether it needs no value."""


def role_settings(roles: Iterable[str]) -> Iterator[SettingOption]:
    """A setting for each role: whoever is named for it."""
    from bench.runs.roles import factor_of

    for role in dict.fromkeys(roles):
        yield SettingOption(
            path=("roles", role),
            names=tuple(dict.fromkeys((factor_of(role), role))),
            help=f"Backbone in the role {role}; may be given several times.",
            read=lambda texts: [parse_backbone(text).model_dump() for text in texts],
        )


class SettingCommand(TyperCommand):
    """A command whose further options are settings."""

    allow_extra_args = True
    ignore_unknown_options = True

    def settings(self, words: Mapping[str, Any]) -> Sequence[SettingOption]:
        """The settings, by what is typed for the command's own parameters."""
        raise NotImplementedError

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """As usual, with the options of the settings.

        Raises:
            UserError: for an option that there is not, with the nearest, or without a value.
        """
        words, *_ = self.make_parser(ctx).parse_args(list(args))
        settings = self.settings(words)
        own = {name for parameter in self.params for name in parameter.opts}
        options = {name: option for name, option in _options(settings) if f"--{name}" not in own}
        self.params += options.values()
        rest = super().parse_args(ctx, args)
        typed = {name: ctx.params.pop(option.name) for name, option in options.items()}
        asked = {name: texts for name, value in typed.items() if (texts := _texts(value))}
        for name, texts in asked.items():
            if any(text.startswith("--") for text in texts):
                raise UserError(f"--{name} needs a value")
        for word in rest:
            raise self._unknown(word, [f"--{name}" for name in options] + sorted(own))
        ctx.meta[ASKED] = settings, asked
        return rest

    def _unknown(self, word: str, known: list[str]) -> UserError:
        from bench.core.registry import nearest

        option = word.partition("=")[0]
        if not option.startswith("-"):
            return UserError(f"{word!r} belongs to no option of {self.name}")
        return UserError(f"{self.name} has no option {option}{nearest(option, known)}")


def changed(ctx: Any, data: Mapping[str, Any]) -> dict[str, Any]:
    """An experiment with what was asked of it; an option that several settings have sets all."""
    settings, asked = ctx.meta[ASKED]
    whole = deepcopy(dict(data))
    for setting in settings:
        texts = next((asked[name] for name in setting.names if name in asked), None)
        if texts is not None:
            *sections, name = setting.path
            place = whole
            for section in sections:
                place = place.setdefault(section, {})
            place[name] = setting.read(texts)
    return whole


def _texts(value: Any) -> list[str]:
    """What was typed for an option: nothing, once, or several times."""
    if value is None:
        return []
    return [str(one) for one in (value if isinstance(value, list | tuple) else [value])]


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
                f"--{name}/--no-{name}" if name in switches else f"--{name}",
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
