"""Prompts as template files: jinja2, one `## role` heading before each message."""

import hashlib
import re
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.backbones.prompt import Message

_HEAD = re.compile(r"^## (system|user|assistant)\s*$", re.MULTILINE)


class Template:
    """A prompt template beside the code that uses it."""

    def __init__(self, path: Path) -> None:
        """Nothing is read until the template is used."""
        self.path = path

    @cached_property
    def text(self) -> str:
        """The file's text."""
        return self.path.read_text(encoding="utf-8")

    @property
    def sha256(self) -> str:
        """Hash of the file, in hex: the prompt's version."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def _compiled(self) -> list[tuple[Any, Any]]:
        """Role and template of each message: a value that holds a heading makes no new one."""
        from jinja2 import Environment, StrictUndefined

        # Prompts are plain text for a model, not HTML: nothing to escape.
        environment = Environment(
            undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
        )
        parts = _HEAD.split(self.text)[1:]
        return [
            (role, environment.from_string(content))
            for role, content in zip(parts[::2], parts[1::2], strict=True)
        ]

    def messages(self, **values: Any) -> tuple[Message, ...]:
        """The messages with values filled in.

        Raises:
            jinja2.UndefinedError: for a variable that is not given.
        """
        return tuple(
            Message(role, template.render(**values).strip()) for role, template in self._compiled
        )
