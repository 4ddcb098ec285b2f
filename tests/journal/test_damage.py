"""A damaged, empty or lost journal is told in one sentence, and the advice in it works."""

import contextlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from journals import asked, ran, said

from bench.core.errors import UserError
from bench.journal.journal import Journal, key_of
from bench.journal.table import APPLICATION_ID, SCHEMA, open_rows

ROWS = 60
Damage = Callable[[Path], object]


async def answer_all(path: Path, first: int = 0, **how: bool) -> int:
    """Ask a run's questions; how many of them were not in the journal."""
    journal = Journal.open(path, **how)
    try:
        entries = [
            await journal.once(asked(f"{number} " * 2_000), said)
            for number in range(first, first + ROWS)
        ]
        return sum(entry.computed for entry in entries)
    finally:
        await journal.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    journal = tmp_path / "journal.sqlite"
    ran(answer_all(journal))
    return journal


def test_an_answered_journal_is_not_asked_again(path: Path) -> None:
    assert ran(answer_all(path, existing=True)) == 0


def cut_in_half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def cut_within_a_page(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1_000)


def overwrite_the_head(path: Path) -> None:
    overwrite(path, 0, 100)


def overwrite_the_pages(path: Path) -> None:
    for place in range(2 * 16_384, path.stat().st_size, 16_384):
        overwrite(path, place, 300)


def overwrite_the_table_of_tables(path: Path) -> None:
    overwrite(path, 100, 200)


def overwrite_what_is_packed(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("update entries set body = x'00112233'")
        file.commit()


def overwrite(path: Path, place: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"\xa5" * length)


DAMAGES = (
    cut_in_half,
    cut_within_a_page,
    overwrite_the_head,
    overwrite_the_pages,
    overwrite_the_table_of_tables,
    overwrite_what_is_packed,
)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_journal_is_told_and_the_advice_works(path: Path, damage: Damage) -> None:
    copy = shutil.copy(path, path.with_name("copy"))
    damage(path)
    with pytest.raises(UserError) as error:
        ran(answer_all(path, existing=True))
    sentence = str(error.value)
    assert re.search(
        r"journal .*journal\.sqlite is damaged \(.+\): put a sound copy in its place", sentence
    )
    assert "remove journal.sqlite-wal if there is one" in sentence
    assert "ask everything again: with another --journal" in sentence
    assert ran(answer_all(path.with_name("another"))) == ROWS
    Path(copy).replace(path)
    assert ran(answer_all(path, existing=True)) == 0


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_journal_is_told_when_read_alone(path: Path, damage: Damage) -> None:
    damage(path)
    with pytest.raises(UserError, match=r"is damaged \(.+\): put a sound copy in its place"):
        for number in range(ROWS):
            read_one(path, number)


def test_damage_in_the_midst_of_a_run_is_told(path: Path) -> None:
    async def running() -> None:
        journal = Journal.open(path)
        try:
            overwrite_the_pages(path)
            for number in range(3 * ROWS):
                await journal.once(asked(f"{number} " * 2_000), said)
        finally:
            await journal.close()

    with pytest.raises(UserError, match="is damaged"):
        ran(running())


def empty(path: Path) -> None:
    os.truncate(path, 0)


@pytest.mark.parametrize(("how", "lose"), [("gone", Path.unlink), ("empty", empty)])
def test_a_lost_journal_is_told_where_something_counts_on_it(
    path: Path, how: str, lose: Damage
) -> None:
    lose(path)
    for opening in (lambda: Journal.open(path, existing=True), lambda: open_rows(path)):
        with pytest.raises(UserError, match=rf"journal\.sqlite is {how}: put a copy back"):
            opening()
    assert ran(answer_all(path)) == ROWS


KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
from test_damage import answer_all
import bench.journal.journal as journals
async def end(self):
    os.kill(os.getpid(), signal.SIGKILL)
journals.Journal.close = end
asyncio.run(answer_all(Path(sys.argv[1]), 1000))
"""


def run_apart(program: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    here = Path(__file__).parent
    paths = os.pathsep.join(map(str, (here, here.parent / "support")))
    command = [sys.executable, "-c", program, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": paths}
    return subprocess.run(command, check=False, capture_output=True, text=True, env=environment)


def kill_amid_a_run(path: Path) -> None:
    """Leave what a kill leaves: rows in the write-ahead log beside the file."""
    done = run_apart(KILLED, path)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert path.with_name("journal.sqlite-wal").stat().st_size > 0


def test_what_a_killed_run_left_beside_a_lost_journal_does_no_harm(path: Path) -> None:
    kill_amid_a_run(path)
    path.unlink()
    assert ran(answer_all(path)) == ROWS
    assert ran(answer_all(path, existing=True)) == 0


def test_a_journal_of_another_schema_is_refused(path: Path) -> None:
    for schema, advice in ((SCHEMA - 1, "use the version"), (SCHEMA + 1, "use the version")):
        with contextlib.closing(sqlite3.connect(path)) as file:
            file.execute(f"pragma user_version = {schema}")
        for opening in (Journal.open, open_rows):
            with pytest.raises(UserError, match=rf"pzbench \(schema {schema}, .* {advice}"):
                opening(path)


def test_a_new_journal_has_the_schema_number(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as file:
        assert file.execute("pragma user_version").fetchone() == (SCHEMA,)
        assert file.execute("pragma application_id").fetchone() == (APPLICATION_ID,)


def test_a_journal_that_vanishes_amid_a_run_is_told(path: Path) -> None:
    async def running() -> None:
        journal = Journal.open(path)
        try:
            path.rename(path.with_name("away"))
            await journal.once(asked("another"), said)
        finally:
            await journal.close()

    with pytest.raises(UserError, match="gone, moved or removed while it was in use"):
        ran(running())


def test_a_journal_that_another_process_holds_is_told(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bench.journal.store.PATIENCE", 0.05)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("begin immediate")
        with pytest.raises(UserError, match="another process holds it"):
            Journal.open(path)


# Reading alone


def contents(folder: Path) -> dict[str, tuple[int, bytes]]:
    return {
        item.name: (item.stat().st_mtime_ns, item.read_bytes())
        for item in folder.iterdir()
        if not item.name.endswith("-shm")
    }


def read_one(path: Path, number: int = 7) -> bytes | None:
    with contextlib.closing(open_rows(path)) as rows:
        key = bytes.fromhex(key_of(asked(f"{number} " * 2_000)))
        row = rows.get(key)
        assert (rows.request(key) is None) == (row is None)
        return None if row is None else row[0]


def test_reading_writes_nothing(path: Path) -> None:
    before = contents(path.parent)
    assert read_one(path) == b"an answer"
    assert read_one(path, -1) is None
    assert contents(path.parent) == before
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_reading_beside_a_run_sees_its_rows(path: Path) -> None:
    async def running() -> None:
        journal = Journal.open(path)
        await journal.once(asked("1000 " * 2_000), said)
        assert read_one(path, 1000) is not None
        await journal.close()

    ran(running())


def test_reading_what_a_killed_run_left_writes_nothing(path: Path) -> None:
    kill_amid_a_run(path)
    before = contents(path.parent)
    assert read_one(path, 1000) is not None
    assert contents(path.parent) == before


READ = """
import os, sys
from pathlib import Path
from test_damage import read_one
os.setuid(65534)
path = Path(sys.argv[1])
assert not os.access(path.parent, os.W_OK) and not os.access(path, os.W_OK)
assert read_one(path, int(sys.argv[2])) is not None
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user who may not write")
@pytest.mark.parametrize("killed", [False, True])
def test_reading_needs_no_right_to_write(path: Path, killed: bool) -> None:
    if killed:
        kill_amid_a_run(path)
        path.with_name("journal.sqlite-shm").unlink()
    for folder in (path.parent, *path.parent.parents):
        if folder.owner() == "root" and folder.name.startswith(("test_", "pytest-", "popen-")):
            folder.chmod(0o755)
    for item in path.parent.iterdir():
        item.chmod(0o444)
    done = run_apart(READ, path, 1000 if killed else 7)
    assert done.returncode == 0, done.stderr
