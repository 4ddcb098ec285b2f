"""The registries: entry-point groups, listed without importing anything.

A plug-in is named `NAME = "module:Attribute"` in one of the groups of an installed package.
"""

import inspect
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cached_property
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path
from traceback import walk_tb
from typing import Any, get_type_hints

from bench.core.errors import UserError
from bench.core.text import one_line

FEW = 8
"""Names that an error lists whole beside the nearest."""
HOME = Path(__file__).resolve().parents[2]
OURS = ("bench", "generators", "metrics", "leaderboards")


class Registry:
    """The plug-ins of one group."""

    def __init__(self, group: str, noun: str, required: tuple[str, ...]) -> None:
        """`noun` is used in errors; `required` are attributes that a plug-in must have."""
        self.group = group
        self.noun = noun
        self._required = required

    @cached_property
    def _points(self) -> dict[str, EntryPoint]:
        found: dict[str, EntryPoint] = {}
        for point in sorted(entry_points(group=self.group), key=lambda point: point.name):
            mine = point.dist is not None and point.dist.name == "patient-zero-bench"
            if mine or point.name not in found:
                found[point.name] = point
        return found

    def plugins(self) -> tuple[EntryPoint, ...]:
        """What there is, by name; imports nothing."""
        return tuple(self._points.values())

    def load(self, name: str) -> Any:
        """The class or function behind a name.

        Raises:
            UserError: if there is no such plug-in (with the nearest name), if it cannot be
                imported, or if it lacks what a plug-in of its group must have.
        """
        point = self._points.get(name)
        if point is None:
            raise UserError(f"there is no {self.noun} {name!r}{nearest(name, self._points)}")
        try:
            target = point.load()
        # A foreign module may raise anything while it is imported.
        except Exception as error:
            blame = shadow(point.module) or fault_of(error) or f"{point.value}: {_reason(error)}"
            raise UserError(f"the {self.noun} {name!r} cannot be used: {blame}") from error
        missing = [attribute for attribute in self._required if not hasattr(target, attribute)]
        if missing:
            lack = f"the {self.noun} {name!r} ({point.value}) lacks {', '.join(missing)}"
            raise UserError(written(target) + lack)
        return target

    def options(self, name: str) -> dict[str, inspect.Parameter]:
        """The options of a plug-in: keyword-only arguments of its constructor.

        If that takes any others, they are those of the constructor it is built on.

        Raises:
            UserError: as `load`.
        """
        target = self.load(name)
        makers = [target]
        if inspect.isclass(target):
            kinds = map(vars, inspect.getmro(target))
            makers = [kind["__init__"] for kind in kinds if "__init__" in kind]
        found: dict[str, inspect.Parameter] = {}
        for maker in makers:
            parameters = inspect.signature(maker).parameters.values()
            own = {one.name: one for one in parameters if one.kind is one.KEYWORD_ONLY}
            found = own | found
            if not any(one.kind is one.VAR_KEYWORD for one in parameters):
                break
        return found

    def make(self, name: str, options: Mapping[str, Any], *arguments: Any) -> Any:
        """An instance with options.

        Raises:
            UserError: as `load`, and for an option that it does not have or refuses.
        """
        target, known = self.load(name), list(self.options(name))
        for option in options:
            if option not in known:
                raise UserError(
                    f"the {self.noun} {name!r} has no option {option!r}{nearest(option, known)}"
                )
        try:
            return target(*arguments, **_typed(target, options))
        except (TypeError, ValueError) as error:
            why = fault_of(error) or one_line(str(error))
            raise UserError(f"the {self.noun} {name!r} refuses its options: {why}") from error


def _typed(target: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Options checked against the annotations of the constructor: "valuez" is no view.

    Raises:
        ValueError: naming the option, what it may be and what it is.
    """
    from pydantic import TypeAdapter, ValidationError

    hints = get_type_hints(target.__init__) if options else {}
    typed = dict(options)
    for option, value in options.items():
        if option in hints:
            if isinstance(value, bool) and hints[option] in (int, float):
                raise ValueError(f"{option} is {value!r}, which is no number")
            try:
                typed[option] = TypeAdapter(hints[option]).validate_python(value)
            except ValidationError as error:
                fault = error.errors(include_url=False)[0]["msg"]
                raise ValueError(f"{option} is {value!r}: {fault}") from error
    return typed


def nearest(word: str, known: "Mapping[str, Any] | list[str]") -> str:
    """The end of an error sentence: the nearest known word, and all there are if they are few."""
    near = get_close_matches(word, list(known), n=1, cutoff=0.6)
    mean = f"; did you mean {near[0]!r}?" if near else ""
    if near and len(known) > FEW:
        return mean
    listed = f"there are: {', '.join(sorted(known))}" if known else "there are none"
    return f"{mean} ({listed})" if near else f"; {listed}"


def _reason(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}")


def written(target: Any) -> str:
    """The beginning of an error sentence: the file and line where a class is written, if any is."""
    kind = target if isinstance(target, type) else type(target)
    try:
        return f"{inspect.getsourcefile(kind)}, line {inspect.getsourcelines(kind)[1]}: "
    except (OSError, TypeError):
        return ""


def fault_of(error: Exception) -> str | None:
    """What somebody else's plug-in got wrong, with file and line; none if none had a part in it."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}: {error.msg}"
    plugins = (plugin for registry in REGISTRIES.values() for plugin in registry.plugins())
    theirs = {plugin.module.partition(".")[0] for plugin in plugins}.difference(OURS)
    frames = [
        f"{frame.f_code.co_filename}, line {line}"
        for frame, line in walk_tb(error.__traceback__)
        if frame.f_globals.get("__name__", "").partition(".")[0] in theirs
    ]
    return f"{frames[-1]}: {_reason(error)}" if frames else None


def shadow(module: str) -> str | None:
    """The sentence to say when another file hides one of our packages; none if none does."""
    top = module.partition(".")[0]
    if top not in OURS:
        return None
    spec = find_spec(top)
    found = Path(spec.origin).resolve() if spec is not None and spec.origin else None
    if found is None or found == HOME / top / "__init__.py":
        return None
    return (
        f"{found} hides the package {top!r} of patient-zero-bench: "
        "rename it, or run from another folder"
    )


GENERATORS = Registry("pzbench.generators", "generator", ("card",))
METRICS = Registry("pzbench.metrics", "metric", ("card",))
STAGES = Registry("pzbench.stages", "stage", ("card", "settings", "cells", "make"))
BACKBONES = Registry("pzbench.backbones", "backbone", ("complete", "close", "endpoint", "reads"))
FORMATS = Registry("pzbench.formats", "format", ("render",))
TABLES = Registry("pzbench.tables", "table", ("grids",))
REGISTRIES: dict[str, Registry] = {
    "stages": STAGES,
    "generators": GENERATORS,
    "metrics": METRICS,
    "backbones": BACKBONES,
    "formats": FORMATS,
    "tables": TABLES,
}
