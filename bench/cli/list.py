"""`pzbench list`: the plug-ins, styles and departments that there are, and the runs."""

import ast
import json
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from bench.core.errors import UserError
from bench.core.text import one_line

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from pydantic import BaseModel

    from bench.core.registry import Registry


def list_plugins(
    kind: str | None = typer.Argument(
        None,
        help="stages, generators, metrics, backbones, formats or tables, with their options; "
        "styles, departments or runs. All but runs if none.",
    ),
) -> None:
    """List the plug-ins, styles and departments that an experiment can name; or the runs."""
    from bench.cli.screen import say
    from bench.core.registry import REGISTRIES, nearest

    kinds: dict[str, Callable[[], Iterator[str]]] = {
        name: partial(plugin_lines, registry, options=kind is not None)
        for name, registry in REGISTRIES.items()
    }
    kinds |= {"styles": _styles, "departments": _departments, "runs": _runs}
    if kind is not None and kind not in kinds:
        raise UserError(f"there is no kind {kind!r}{nearest(kind, kinds)}")
    for name in [kind] if kind else [name for name in kinds if name != "runs"]:
        if not kind:
            say(f"{name}:")
        for line in kinds[name]():
            say(line if kind else f"  {line}")


def plugin_lines(registry: "Registry", *, options: bool) -> Iterator[str]:
    """Each plug-in with what its class says of itself, and who brings it if not we do.

    With its options, as "timeout: float = 600.0", or why it cannot be used.
    """
    from bench.backbones.drawing import Drawing
    from bench.core.registry import BACKBONES

    for plugin in registry.plugins():
        package = plugin.dist
        known = package is None or package.name == "patient-zero-bench"
        theirs = "" if known or package is None else f" ({package.name} {package.version})"
        yield f"{plugin.name:<21} {summary(plugin)}{theirs}"
        if options:
            try:
                yield from (f"    {option}" for option in registry.options(plugin.name).values())
            except UserError as error:
                yield f"    {error}"
    if options and registry is BACKBONES:
        yield "all of them that draw their answers:"
        yield from (f"    {line}" for line in setting_lines(Drawing))


def summary(plugin: "EntryPoint") -> str:
    """What a card says of a plug-in, else its documentation; read in its source, never imported."""
    try:
        spec = find_spec(plugin.module)
        tree = ast.parse(Path(spec.origin).read_bytes() if spec and spec.origin else b"")
    except (ImportError, OSError, SyntaxError, ValueError):
        return "its source cannot be read"
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and node.name == plugin.attr:
            documentation = (ast.get_docstring(node) or "").partition("\n")[0]
            return next(_summaries(node), documentation)
    return ""


def _summaries(node: ast.ClassDef) -> Iterator[str]:
    """Texts called "summary" in a class: an argument of a card, or an entry of a mapping."""
    for inner in ast.walk(node):
        if isinstance(inner, ast.keyword) and inner.arg == "summary":
            yield str(ast.literal_eval(inner.value))
        elif isinstance(inner, ast.Dict):
            for key, value in zip(inner.keys, inner.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "summary":
                    yield str(ast.literal_eval(value))


def _styles() -> Iterator[str]:
    from bench.agents.styles import styles

    for name, style in styles().items():
        yield f"{name:<21} {style.description.partition('.')[0]}"


def _departments() -> Iterator[str]:
    from bench.knowledge.library import Library

    library = Library()
    for department in library.departments:
        yield f"{department:<21} {len(library.diseases(department))} diseases"


def _runs() -> Iterator[str]:
    """The folders below runs/ that hold a run: name, backbones and state, or why it is unread."""
    from bench.experiments.run_reader import RunReader
    from bench.runs.folder import RunFolder

    for file in sorted(Path("runs").glob("*/experiment.*")):
        try:
            reader = RunReader(RunFolder(file.parent))
            roles = reader.experiment.roles.values()
            backbones = ", ".join(dict.fromkeys(one.name for chosen in roles for one in chosen))
            state = "not finished" if reader.unfinished else "done"
            yield "  ".join((str(file.parent), reader.experiment.name, backbones, state))
        except UserError as error:
            yield f"{file.parent}  {error}"


def setting_lines(model: "type[BaseModel]") -> Iterator[str]:
    """Every field of a model: its kind, its default if it has one, and its description."""
    schema = model.model_json_schema()
    for name, field in schema["properties"].items():
        default = f" = {json.dumps(field['default'])}" if "default" in field else ""
        yield f"{name}: {_kind(field, schema.get('$defs', {}))}{default}"
        yield f"    {one_line(field.get('description', ''))}"


def _kind(field: Mapping[str, Any], models: Mapping[str, Any]) -> str:
    """The values that a field takes, in words."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return "plug-in" if name == "Choice" else f"{{{', '.join(models[name]['properties'])}}}"
    if "anyOf" in field:
        return " or ".join(_kind(one, models) for one in field["anyOf"])
    if "enum" in field:
        return " or ".join(map(str, field["enum"]))
    for kind, inner in (("list of", "items"), ("mapping to", "additionalProperties")):
        if inner in field:
            return f"{kind} {_kind(field[inner], models)}"
    return str(field.get("type", "anything"))
