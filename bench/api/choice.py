"""A plug-in by name, with its options, as files and command lines give it."""

from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, Field

from bench.core.errors import UserError
from bench.core.schema import Model


class Choice(Model):
    """A plug-in by name, with its options."""

    name: str
    """Name as `pzbench list` shows it; for a backbone its full name, "openai/gpt-4o"."""
    label: str = Field(default_factory=lambda given: str(given["name"]), min_length=1)
    """What it is called in files and tables, its name if not said; tells two of one name apart."""
    roles: dict[str, str] = {}
    """The role of the experiment that fills each of its own; those not named are filled alike."""
    options: dict[str, Any] = {}
    """Keyword arguments of the plug-in."""


def parse_choice(text: str) -> Choice:
    """A plug-in as the command line names it: "bleu" or "bleu:view=values,as=bleu-values".

    Raises:
        UserError: for an option without a value.
    """
    name, _, listed = text.partition(":")
    options: dict[str, Any] = {}
    for part in filter(None, listed.split(",")):
        option, sign, value = part.partition("=")
        if not sign:
            raise UserError(f"{text!r}: the option {option!r} needs a value, as in {option}=VALUE")
        try:
            options[option.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UserError(f"{text!r}: the value of {option!r} is not YAML") from error
    label = {"label": str(options.pop("as"))} if "as" in options else {}
    return Choice(name=name, options=options, **label)


OWN = {"name": "name", "as": "label", "roles": "roles"}
"""What stands beside the options in a file, and what it is here."""


def _choice(value: object) -> object:
    """ "bleu" or {name: bleu, as: bleu-values, view: values}: options stand beside the name."""
    if isinstance(value, str):
        return {"name": value}
    if isinstance(value, dict) and "name" in value and "options" not in value:
        options = {key: given for key, given in value.items() if key not in OWN}
        return {OWN[key]: value[key] for key in OWN if key in value} | {"options": options}
    return value


def as_list(value: object) -> object:
    """One value stands for a list of one."""
    return value if isinstance(value, list | tuple) else [value]


Chosen = Annotated[Choice, BeforeValidator(_choice)]
Choices = Annotated[tuple[Chosen, ...], BeforeValidator(as_list)]


def refuse_twice(setting: str, labels: list[str], mend: str = "") -> None:
    """Refuse one label for two.

    Raises:
        ValueError: naming it.
    """
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(f"{setting} names {label!r} twice{mend}")
