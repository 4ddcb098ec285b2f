"""A YAML file with the lines its values stand on, for errors that say where."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from bench.core.errors import UserError
from bench.core.text import one_line

_SAFE: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
DEEPEST = 100
"""Levels of lists and mappings that a file may have; far deeper ones would end the process."""
MOST = 100_000
"""Values that a file may have with its aliases written out: a few lines can mean billions."""


class _Loader(_SAFE):  # type: ignore[misc]
    """The safe loader, which takes no key twice: the first value would be lost without a word."""

    _depth = 0

    def descend_resolver(self, node: yaml.Node | None, index: Any) -> None:
        """Called on the way into every value: the one place to stop before the stack ends."""
        self._depth += 1
        if self._depth > DEEPEST + 1:
            mark = node.start_mark if node is not None else None
            fault = f"more than {DEEPEST} levels"
            raise yaml.constructor.ConstructorError(None, None, fault, mark)
        super().descend_resolver(node, index)

    def ascend_resolver(self) -> None:
        """Called on the way out."""
        self._depth -= 1
        super().ascend_resolver()

    def construct_document(self, node: yaml.Node) -> Any:
        values, levels = _written_out(node, {})
        if values > MOST or levels > DEEPEST + 1:
            fault = f"its aliases stand for more than {MOST} values or {DEEPEST} levels"
            raise yaml.constructor.ConstructorError(None, None, fault, node.start_mark)
        return super().construct_document(node)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            # 2024-02-30, or !!int of what is no number.
            kind = node.tag.rpartition(":")[2]
            fault = f"{node.value!r} is no {kind}"
            raise yaml.constructor.ConstructorError(None, None, fault, node.start_mark) from error

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key, _ in node.value:
            if key.tag != "tag:yaml.org,2002:str":
                continue
            if key.value in seen:
                fault = f"{key.value!r} stands twice"
                raise yaml.constructor.ConstructorError(None, None, fault, key.start_mark)
            seen.add(key.value)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def _written_out(node: Any, known: dict[int, tuple[float, float]]) -> tuple[float, float]:
    """Values and levels below a node with every alias written out; endless where it holds itself.

    Each node is counted once. An alias comes after what it stands for, so that no path through
    nodes not yet counted is longer than the text is deep.
    """
    if isinstance(node, yaml.ScalarNode):
        return 1, 0
    if id(node) not in known:
        known[id(node)] = math.inf, math.inf
        pairs = isinstance(node, yaml.MappingNode)
        inner = [one for pair in node.value for one in pair] if pairs else node.value
        counted = [_written_out(one, known) for one in inner]
        values = 1 + sum(value for value, _ in counted)
        known[id(node)] = values, 1 + max((levels for _, levels in counted), default=0)
    return known[id(node)]


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

    def refused(self, error: ValidationError) -> UserError:
        """The first thing that a validation found, with its place."""
        fault, *others = error.errors(include_url=False, include_input=False)
        more = f" (and {len(others)} more)" if others else ""
        return UserError(f"{self.place(fault['loc'])}: {fault['msg']}{more}")


def read_yaml(path: Path, noun: str) -> YamlFile:
    """The parsed file; `noun` says what it is, for instance "the outline".

    Raises:
        UserError: naming the file, and the line where it is not YAML.
    """
    return parse_yaml(path, read_text(path, noun))


def read_text(path: Path, noun: str) -> str:
    """The text of a file.

    Raises:
        UserError: naming the file, if it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{noun} {path} cannot be read ({error})") from error


# What one command reads several times is parsed once; nobody changes what was read.
@lru_cache(maxsize=128)
def parse_yaml(path: Path, text: str) -> YamlFile:
    """The parsed text of a file.

    Raises:
        UserError: naming the file, and the line where it is not YAML.
    """
    try:
        return YamlFile(path, text, yaml.load(text, _Loader))
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{path}, line {line}: not valid YAML ({error.problem})") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML ({one_line(str(error))})") from error


def _children(node: Any, part: int | str) -> Iterator[Any]:
    if isinstance(node, yaml.MappingNode):
        yield from (value for key, value in node.value if key.value == part)
    elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        yield from node.value[part : part + 1]
