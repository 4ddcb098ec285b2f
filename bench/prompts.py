"""Prompts as template files: jinja2, one `## role` heading before each message."""

import hashlib
import re
from functools import cached_property
from pathlib import Path
from typing import Any, cast

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
    def _compiled(self) -> Any:
        from jinja2 import Environment, StrictUndefined

        # Prompts are plain text for a model, not HTML: nothing to escape.
        environment = Environment(
            undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, autoescape=False
        )
        return environment.from_string(self.text)

    def messages(self, **values: Any) -> tuple[Message, ...]:
        """The messages with values filled in.

        Raises:
            jinja2.UndefinedError: for a variable that is not given.
        """
        rendered = self._compiled.render(**values)
        parts = _HEAD.split(rendered)[1:]
        return tuple(
            Message(cast(Any, role), content.strip())
            for role, content in zip(parts[::2], parts[1::2], strict=True)
        )
