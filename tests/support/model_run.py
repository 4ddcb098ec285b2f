"""What the tests of a real model share: short prompts, and an account of what became of a run."""

import contextlib
import json
import sqlite3
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from commands import Ended, experiment, inside
from model_server import ModelServer

from bench.api.cell import Cell
from bench.api.failure import Failure
from bench.backbones.prompt import Completion
from bench.knowledge.library import Library
from bench.runs.folder import RunFolder
from bench.students.answer import Answered

AT_ONCE = 2
"""For a server that answers one at a time."""


def variables(server: ModelServer) -> dict[str, str]:
    """What tells a command where the server is."""
    return {"OPENAI_BASE_URL": server.url, "OPENAI_API_KEY": "sk-nobody-asks-for-it"}


def ran(server: ModelServer, *arguments: object) -> Ended:
    """A command to whose backbones the server answers."""
    return inside(*arguments, "--at-once", AT_ONCE, **variables(server))


def short_outlines(folder: Path, most: int, *departments: str) -> Path:
    """A folder with the outline of each department's first disease, its lists cut to `most`."""

    def cut(node: Any) -> Any:
        if isinstance(node, list):
            return [cut(item) for item in node[:most]]
        return {name: cut(item) for name, item in node.items()} if isinstance(node, dict) else node

    library = Library()
    folder.mkdir()
    for department in departments:
        first = library.diseases(department)[0]
        whole = yaml.safe_load(first.path.read_text("utf-8"))
        (folder / f"{first.id}.yaml").write_text(yaml.safe_dump(cut(whole)), "utf-8")
    return folder


def stand_in_records(folder: Path, *departments: str) -> Path:
    """A file of one record of each department's first disease, which the stand-in wrote."""
    file = experiment(
        folder / "records.yaml",
        departments=list(departments),
        cases_per_department=1,
        methods=["direct"],
        metrics=[],
        tables=[],
    )
    assert inside("run", file, "--out", folder / "records").code == 0
    return folder / "records/items/generate/rules/direct.jsonl"


@dataclass(frozen=True)
class Exchange:
    """One exchange of a run's journal."""

    request: dict[str, Any]
    completion: Completion

    @property
    def words(self) -> list[str]:
        """What was said to the model, message by message."""
        return [message["content"] for message in self.request["messages"]]

    @property
    def repair(self) -> bool:
        """Whether it shows the model an invalid answer."""
        return "/repair-" in self.request["replicate"]


def exchanges(run: Path, server: ModelServer) -> dict[str, Exchange]:
    """All exchanges with the server's model that a run's journal holds, by key."""
    with contextlib.closing(sqlite3.connect(run / "journal.sqlite")) as journal:
        rows = list(journal.execute("select key, request, body from entries order by rowid"))
    requests = [(key.hex(), json.loads(zlib.decompress(one)), body) for key, one, body in rows]
    return {
        key: Exchange(request, Completion(**json.loads(zlib.decompress(body))))
        for key, request, body in requests
        if request.get("backbone") == server.name
    }


def accounted(run: Path, ended: Ended, server: ModelServer) -> list[Failure]:
    """The failures of a run, after seeing that all that was planned is there or among them.

    And that each reason is true.
    """
    assert ended.code in (0, 3), ended
    assert "Traceback" not in ended.out + ended.err, ended
    folder = RunFolder(run)
    failures = folder.failures()
    assert (ended.code == 3) == bool(failures), ended
    for name, stage in folder.manifest()["stages"].items():
        made = [one for one in failures if one.stage == name and not one.metric]
        for cell in stage["cells"]:
            lost = sum(one.cell == cell["factors"] for one in made)
            assert (cell["failed"], cell["planned"]) == (lost, cell["made"] + lost)
            items = folder.items(name, Cell(cell["factors"])).read_text("utf-8").splitlines()
            assert len(items) == cell["made"]
    known = exchanges(run, server)
    for failure in failures:
        assert_true(failure, known, server)
    return failures


def assert_true(
    failed: Failure | Answered, known: dict[str, Exchange], server: ModelServer
) -> None:
    """A reason says what the server did: cut it off, sent a bad or stray one, had no room."""
    if failed.outcome == "error":
        assert "too long" in failed.reason
        assert f"({server.context} tokens)" in failed.reason
        return
    assert failed.outcome in ("invalid", "cut", "off-plan"), failed
    last = known[failed.keys[-1]].completion
    if last.outcome == "cut":
        assert last.output_tokens is not None
        assert last.output_tokens <= server.limit
        assert f"after {last.output_tokens} tokens" in failed.reason
