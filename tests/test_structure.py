"""The house: imports run one way, rooms stay small, a start-up imports nothing heavy."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

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


def imports(path: Path) -> Iterator[str]:
    """Our modules that a file imports, late imports included, those for types alone left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
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


@pytest.mark.parametrize("path", FILES, ids=module)
def test_imports_run_downwards(path):
    name = module(path)
    for imported in imports(path):
        if name.startswith("bench"):
            assert imported.startswith("bench"), f"{name} imports {imported} by name"
            assert floor(imported) >= floor(name), f"{name} imports {imported} from above"


def test_no_file_lies_loose():
    assert {path.name for path in (ROOT / "bench").iterdir() if path.is_file()} == {
        "__init__.py",
        "py.typed",
    }


def test_no_class_has_two_homes():
    homes: dict[str, list[str]] = {}
    for name, path in MODULES.items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
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


def constants(path: Path) -> set[str]:
    """The strings of a module, sentences of documentation left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
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


@pytest.mark.parametrize("path", FILES, ids=module)
def test_files_and_functions_stay_small(path):
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    return done.stdout


HEAVY = "torch transformers sentence_transformers pandas datasets evaluate openai numpy scipy"


@pytest.mark.parametrize("arguments", [["--help"], ["list"], ["run", "--help"]])
def test_start_up_imports_nothing_heavy(arguments):
    told = run(
        "import sys\n"
        f"sys.argv = ['pzbench', *{arguments!r}]\n"
        "from bench.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        f"print('LOADED', *[name for name in {HEAVY.split()!r} if name in sys.modules])"
    )
    assert re.search(r"^LOADED$", told, re.MULTILINE), told[-300:]


def test_listing_imports_no_plug_in():
    told = run(
        "import sys\n"
        "from bench.core.registry import REGISTRIES\n"
        "assert all(registry.plugins() for registry in REGISTRIES.values())\n"
        "print(*[n for n in sys.modules if n.split('.')[0] in ('generators', 'metrics')])"
    )
    assert told.strip() == ""
