"""What somebody else's plug-in gets wrong is one sentence with file and line."""

from importlib.metadata import EntryPoint
from pathlib import Path
from textwrap import indent
from typing import Any

import pytest
from commands import experiment, inside

from bench.core.registry import REGISTRIES

METHOD = "async def evaluate(self, item, context):\n    return 1"


def metric(method: str = METHOD, **card: Any) -> str:
    whole = {"summary": "s", "unit": "points", "better": "higher"} | card
    return f"class Theirs:\n    card = {whole!r}\n{indent(method, '    ')}\n"


STAGE = """
from pydantic import BaseModel

class Theirs:
    card = {"summary": "s", "takes": "records", "makes": "talks"}
    settings = BaseModel
"""
CASES = {
    "better": ("metrics", metric(better="up"), 1, "'higher' or 'lower'"),
    "needs": ("metrics", metric(needs="judge"), 1, "needs: Input should be a valid tuple"),
    "misspelt": ("metrics", metric(bettr="up"), 1, "'bettr'; did you mean 'better'?"),
    "parts": ("metrics", metric(parts=[3]), 1, "parts.0"),
    "prompt": ("metrics", metric(prompts=["no.j2"]), 1, "not there: no.j2"),
    "number": ("metrics", "class Theirs:\n    card = 3", 1, "summary: Field required"),
    "cardless": ("metrics", "class Theirs:\n    pass", 1, "lacks card"),
    "methods": ("metrics", metric("pass"), 1, "none of evaluate, kernel, score"),
    "import": ("metrics", "\nimport nowhere", 2, "No module named 'nowhere'"),
    "raises": ("metrics", "\n1 / 0", 2, "ZeroDivisionError: division by zero"),
    "syntax": ("metrics", "\nclass :", 2, "invalid syntax"),
    "made": ("metrics", metric("def __init__(self):\n    self.card['a']"), 4, "KeyError: 'a'"),
    "options": ("metrics", metric("def __init__(self):\n    float('a')"), 4, "ValueError: "),
    "pinned": (
        "metrics",
        metric(f"def signature(self, context):\n    return 1 / 0\n{METHOD}"),
        4,
        "ZeroDivisionError",
    ),
    "writer": ("generators", "class Theirs:\n    card = {'summary': 's'}", 1, "write and generate"),
    "stage": ("stages", STAGE, 4, "lacks cells, make"),
    "cells": (
        "stages",
        f"{STAGE}\n    make = None\n    def cells(self, given):\n        return given[9]",
        10,
        "IndexError",
    ),
    "table": ("tables", "class Theirs:\n    def grids(self, results):\n        1 / 0", 3, "1 / 0"),
    "backbone": ("backbones", "class Theirs:\n    pass", 1, "lacks complete"),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_told_where(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    group, code, line, said = CASES[case]
    module = tmp_path / f"their_{case}.py"
    module.write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    registry = REGISTRIES[group]
    point = EntryPoint("theirs", f"{module.stem}:Theirs", registry.group)
    monkeypatch.setattr(registry, "_points", {**registry._points, "theirs": point})
    changes: dict[str, Any] = {
        "metrics": {"metrics": ["theirs"]},
        "generators": {"methods": ["theirs"]},
        "stages": {"theirs": {}},
        "tables": {"tables": ["theirs"]},
        "backbones": {"roles": {"generator": "rules", "judge": "theirs"}},
    }
    plain = {"departments": ["Urology"], "cases_per_department": 1, "metrics": ["accuracy"]}
    file = experiment(tmp_path / "x.yaml", **plain | changes[group])
    error = inside("run", file, "--out", tmp_path / "run").error
    assert f"{module}, line {line}: " in error
    assert said.replace("1 / 0", "division by zero") in error
    debugged = inside("run", file, "--out", tmp_path / "run", "--debug")
    assert (debugged.code, "Traceback" in debugged.err) == (2, True)
