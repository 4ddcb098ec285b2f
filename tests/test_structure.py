"""The house: imports run one way, rooms stay small, a start-up imports nothing heavy."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("bench", "generators", "metrics", "leaderboards")
FILES = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
FLOORS = (
    ("bench.cli", "bench.hub"),
    ("bench.experiments", "bench.stages", "bench.runs", "bench.report", "bench.scoring", "bench.api")
    + ("bench.agents", "bench.students", "bench.medqa"),
    ("bench.authoring",),
    ("bench.backbones",),
    ("bench.journal",),
    ("bench.records",),
    ("bench.knowledge",),
)
"""A module imports nothing of a floor above its own; modules not named stand on the ground."""


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
    return len(FLOORS)


@pytest.mark.parametrize("path", FILES, ids=module)
def test_imports_run_downwards(path):
    name = module(path)
    for imported in imports(path):
        if name.startswith("bench"):
            assert imported.startswith("bench"), f"{name} imports {imported} by name"
            assert floor(imported) >= floor(name), f"{name} imports {imported} from above"


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
