"""A YAML file with the lines its values stand on, for errors that say where."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from bench.errors import UserError

_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Loader(_SAFE):  # type: ignore[misc]
    """The safe loader, which takes no key twice: the first value would be lost without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.tag == "tag:yaml.org,2002:str" and key.value in seen:
                fault = f"{key.value!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, fault, key.start_mark)
            seen.add(key.value)
        made: dict[Any, Any] = super().construct_mapping(node, deep)
        return made


Location = Sequence[int | str]
"""Keys and indices from the root to a value, as pydantic gives them."""


@dataclass(frozen=True)
class YamlFile:
    """What a file holds."""

    path: Path
    text: str
    data: Any

    @cached_property
    def _root(self) -> Any:
        return yaml.compose(self.text, _SAFE)

    def line(self, location: Location) -> int:
        """Line, from 1, of the deepest value there is on the way to a location."""
        node = self._root
        if node is None:
            return 1
        for part in location:
            following = next(_children(node, part), None)
            if following is None:
                break
            node = following
        return int(node.start_mark.line) + 1

    def place(self, location: Location) -> str:
        """ "FILE, line N: field.0.name": how an error begins."""
        field = ".".join(str(part) for part in location) or "the whole"
        return f"{self.path}, line {self.line(location)}: {field}"


def read_yaml(path: Path, noun: str) -> YamlFile:
    """The parsed file; `noun` says what it is, for instance "the outline".

    Raises:
        UserError: naming the file, and the line where it is not YAML.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{noun} {path} cannot be read ({error})") from error
    try:
        return YamlFile(path, text, yaml.load(text, _Loader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}, line {line}: not valid YAML ({error.problem})") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error


def _children(node: Any, part: int | str) -> Iterator[Any]:
    if isinstance(node, yaml.MappingNode):
        yield from (value for key, value in node.value if key.value == part)
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        yield from node.value[part : part + 1]
