"""What is installed is what pyproject.toml names and what the folders hold."""

import importlib
import inspect
import pkgutil
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from importlib.metadata import EntryPoint, EntryPoints, distribution
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench.backbones.local.find import SMOLLM2

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("bench", "generators", "metrics", "leaderboards")
DATA = {".csv", ".css", ".html", ".j2", ".js", ".json", ".jsonl", ".md", ".svg", ".txt", ".yaml"}
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def named() -> list[EntryPoint]:
    """The entry points that pyproject.toml names, the console script among them."""
    groups = {"console_scripts": PROJECT["scripts"], **PROJECT["entry-points"]}
    return [
        EntryPoint(name=name, value=value, group=group)
        for group, lines in groups.items()
        for name, value in lines.items()
    ]


def triples(points: Iterator[EntryPoint] | EntryPoints | list[EntryPoint]) -> set[tuple[str, ...]]:
    return {(point.group, point.name, point.value) for point in points}


def test_installed_entry_points_are_those_of_pyproject() -> None:
    assert triples(distribution(PROJECT["name"]).entry_points) == triples(named())


@pytest.mark.parametrize("point", named(), ids=lambda p: f"{p.group}:{p.name}")
def test_entry_point_loads_from_our_own_folder(point: EntryPoint) -> None:
    target = point.load()
    assert inspect.isclass(target) or inspect.isroutine(target)
    file = Path(inspect.getfile(importlib.import_module(point.module)))
    assert file.resolve() == ROOT.joinpath(*point.module.split(".")).with_suffix(".py")


# A plug-in that nobody named


def modules(package: ModuleType) -> Iterator[ModuleType]:
    """Every module of a package, at any depth, itself included."""
    yield package
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        yield importlib.import_module(found.name)


def plugins(package: ModuleType) -> set[str]:
    """`module:Class` of every public, concrete class with a card in a package."""
    return {
        f"{module.__name__}:{name}"
        for module in modules(package)
        for name, kind in inspect.getmembers(module, inspect.isclass)
        if kind.__module__ == module.__name__ and hasattr(kind, "card")
        if not name.startswith("_") and not inspect.isabstract(kind)
    }


@pytest.mark.parametrize("folder", ["generators", "metrics"])
def test_every_plugin_in_the_folder_is_named(folder: str) -> None:
    registered = {point.value for point in named() if point.group == f"pzbench.{folder}"}
    found = plugins(importlib.import_module(folder))
    assert found
    assert found <= registered


# What is built


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a wheel and an sdist, built offline without an environment of its own."""
    out = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-t", "sdist", "-d", str(out)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return out


def package_files() -> set[str]:
    """Every source and data file of the four folders, whatever .gitignore says."""
    return {
        path.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for path in (ROOT / package).rglob("*")
        if path.suffix in DATA | {".py"} or path.name == "py.typed"
    }


def test_wheel_holds_the_four_packages_and_their_data(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        files = {name for name in archive.namelist() if not name.endswith("/")}
        info = next(name.split("/")[0] for name in files if ".dist-info/" in name)
        metadata = archive.read(f"{info}/METADATA").decode()
    assert {name.split("/")[0] for name in files} == {*PACKAGES, info}
    assert package_files() <= files
    assert not [name for name in files if name.endswith((".pyc", ".sqlite"))]
    assert f"{info}/licenses/LICENSE" in files
    assert "License-Expression: Apache-2.0" in metadata


def test_sdist_holds_what_builds_and_tests_it(built: Path) -> None:
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        files = {name.split("/", 1)[1] for name in archive.getnames()}
    wanted = {"pyproject.toml", "README.md", "LICENSE", "Makefile", "constraints.txt"}
    assert package_files() | wanted | {"tests/test_packaging.py"} <= files


# What is pinned


def canonical(requirement: str) -> str:
    name = re.split(r"[\[<>=!~; ]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_requirement_is_pinned_and_no_pin_names_a_host() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    assert [line for line in lines if not re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line)] == []
    pins = dict(line.split("==") for line in lines)
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    assert {canonical(line) for group in groups for line in group} - {PROJECT["name"]} <= set(pins)
    assert pins["torch"] == "2.13.0"
    assert "uv" in pins


def test_what_set_up_installs_is_what_a_user_is_told_to() -> None:
    assert f"\nSMOLLM2 := {SMOLLM2}\n" in (ROOT / "Makefile").read_text("utf-8")
