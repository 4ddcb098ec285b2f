"""A plug-in by name, with its options, as files and command lines give it."""

import re
from collections.abc import Iterator
from itertools import pairwise
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


_BEGIN = re.compile(r":(?=\w+\s*=)")
"""The colon before an option."""
_OPENING, _CLOSING, _BEFORE_VALUE = "{[", "}]", "=,:[{"


def parse_choice(text: str) -> Choice:
    """A plug-in with its options in one text, as the command line has it.

    For instance "bleu", "bleu:view=values,as=bleu-values" or "openai/llama3:8b:timeout=9". Options
    begin at the last colon that `word=` follows; their values are YAML, in flow style.

    Raises:
        UserError: for an option without a value, or several plug-ins.
    """
    choice = Choice.model_validate(_parsed(text))
    if "," in choice.name:
        raise UserError(f"{text!r} names several: give the option once for each")
    return choice


def _parsed(text: str) -> dict[str, Any]:
    outside = list(_outside(text))
    begins = {found.start() for found in _BEGIN.finditer(text)}.intersection(outside)
    start = max(begins, default=len(text))
    cuts = [start, *(at for at in outside if at > start and text[at] == ","), len(text)]
    options: dict[str, Any] = {}
    for part in filter(None, (text[begin + 1 : end] for begin, end in pairwise(cuts))):
        option, sign, value = part.partition("=")
        if not (sign and value.strip()):
            raise UserError(f"{text!r}: the option {option!r} needs a value, as in {option}=VALUE")
        if option.strip() in options:
            raise UserError(f"{text!r} gives the option {option.strip()!r} twice")
        try:
            options[option.strip()] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise UserError(f"{text!r}: the value of {option!r} is not YAML") from error
    label = {"label": str(options.pop("as"))} if "as" in options else {}
    return {"name": text[:start], "options": options, **label}


def _outside(text: str) -> Iterator[int]:
    """The places in a text that stand in no brackets and no quotes.

    As in YAML both begin a value, or are characters like others.
    """
    depth, quote, before = 0, "", ""
    for at, character in enumerate(text):
        if quote:
            if character == quote and before != "\\":
                quote = ""
            # What is escaped escapes nothing.
            before = "" if before == "\\" or quote == "'" else character
            continue
        if character in "\"'" and (before in _BEFORE_VALUE or before == character):
            quote = character
        elif character in _OPENING and (depth or before == "="):
            depth += 1
        elif character in _CLOSING and depth:
            depth -= 1
        elif not depth:
            yield at
        before = character if not character.isspace() or before not in _BEFORE_VALUE else before


OWN = {"name": "name", "as": "label", "roles": "roles"}
"""What stands beside the options in a file, and what it is here."""


def _choice(value: object) -> object:
    """ "bleu:view=values" or {name: bleu, as: bleu-values, view: values}."""
    if isinstance(value, str):
        return _parsed(value)
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
