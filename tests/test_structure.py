"""The house: imports run one way, rooms stay small, a start-up imports nothing heavy."""

import ast
import tomllib
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from commands import python

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("bench", "generators", "metrics", "leaderboards")
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
FLOORS = (
    ("bench.cli", "bench.hub"),
    ("bench.authoring",),
    ("bench.experiments",),
    ("bench.stages",),
    ("bench.report",),
    ("bench.runs", "bench.scoring", "bench.agents", "bench.students"),
    ("bench.api",),
    ("bench.backbones",),
    ("bench.journal",),
    ("bench.medqa",),
    ("bench.records",),
    ("bench.knowledge",),
    ("bench.core",),
)
"""A module imports nothing of a floor above its own."""


def module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module(path): path for path in FILES}


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> frozenset[str]:
    """Our modules that a file imports, late imports included, those for types alone left out."""
    return frozenset(imported(parsed(path)))


def imported(tree: ast.Module) -> Iterator[str]:
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in (f"{node.module}.{alias.name}" for alias in node.names):
                found = name if name in MODULES else node.module
                if found in MODULES:
                    yield found
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)


def floor(name: str) -> int:
    for height, prefixes in enumerate(FLOORS):
        if any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes):
            return height
    assert name == "bench", f"{name} is in no room of the house"
    return len(FLOORS)


def test_imports_run_downwards():
    for name, path in MODULES.items():
        if not name.startswith("bench"):
            continue
        for other in imports(path):
            assert other.startswith("bench"), f"{name} imports {other} by name"
            assert floor(other) >= floor(name), f"{name} imports {other} from above"


def test_no_file_lies_loose():
    assert {path.name for path in (ROOT / "bench").iterdir() if path.is_file()} == {
        "__init__.py",
        "py.typed",
    }


def test_no_class_has_two_homes():
    homes: dict[str, list[str]] = {}
    for name, path in MODULES.items():
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(name)
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


PLUGGED = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
STAND_IN = "bench.backbones.rules.backbone"
"""Answers in the models' stead where a plan is made; nothing else is named."""


ALSO_WORDS = {"evaluate", "generate", "read", "rows", "rules", "json", "text", "openai", "direct"}
"""Names of plug-ins that mean something else, too: methods, modes, the default table, ..."""


GENERAL = ("run", "reproduce", "score", "show", "list")
"""The commands that are about every plug-in alike."""


@cache
def constants(path: Path) -> set[str]:
    """The strings of a module, sentences of documentation left out."""
    tree = parsed(path)
    documentation = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and id(node) not in documentation
    }


@pytest.mark.parametrize("group", sorted(PLUGGED))
def test_a_plug_in_is_one_file_and_one_line(group):
    """Files of ours that know a built-in: its own, and pyproject; so another's need no more."""
    points = PLUGGED[group]
    homes = {target.partition(":")[0] for target in points.values()}
    rooms = {home.rpartition(".")[0] for home in homes} | homes
    if group == "pzbench.formats":
        return  # three built-in formats share a module with what all of them need
    for name, path in MODULES.items():
        inside = any(name == room or name.startswith(f"{room}.") for room in rooms)
        if inside or not name.startswith("bench."):
            continue
        known = {home for home in imports(path) if home in homes} - {STAND_IN}
        assert not known, f"{name} imports {known} by name"
        if name.startswith("bench.cli.") and name.rpartition(".")[2] not in GENERAL:
            continue  # a command of its own may name what it is about
        named = constants(path) & (set(points) - ALSO_WORDS)
        assert not named, f"{name} names {named}"


def test_there_is_no_circle():
    graph = {name: set(imports(path)) - {name} for name, path in MODULES.items()}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_files_and_functions_stay_small():
    for path in FILES:
        assert path.read_text(encoding="utf-8").count("\n") <= 500, path
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 60, (path, node.name)


HEAVY = "torch transformers sentence_transformers pandas datasets evaluate openai numpy scipy"


def test_help_and_lists_import_neither_plug_ins_nor_anything_heavy():
    told = python(
        "import sys\n"
        "from bench.cli.main import main\n"
        "for arguments in (['--help'], ['run', '--help'], ['list']):\n"
        "    sys.argv = ['pzbench', *arguments]\n"
        "    try:\n        main()\n    except SystemExit as end:\n        assert not end.code\n"
        f"    for name in sys.modules:\n"
        f"        assert name not in {HEAVY.split()!r}, (arguments, name)\n"
        "        assert not name.startswith(('generators.', 'metrics.')), (arguments, name)\n",
        cwd=ROOT,
    )
    assert told.code == 0, told
