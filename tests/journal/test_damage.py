"""A damaged, empty or lost journal is told in one sentence, and the advice in it works."""

import contextlib
import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from commands import python
from journals import asked, ran, said

from bench.core.errors import UserError
from bench.journal.journal import Journal, key_of
from bench.journal.table import SCHEMA, open_rows

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


@pytest.fixture(scope="module")
def answered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    journal = tmp_path_factory.mktemp("answered") / "journal.sqlite"
    ran(answer_all(journal))
    return journal


@pytest.fixture
def path(answered: Path, tmp_path: Path) -> Path:
    """A journal with an answer to each question."""
    return Path(shutil.copy(answered, tmp_path))


def overwrite_the_pages(path: Path) -> None:
    for place in range(2 * 16_384, path.stat().st_size, 16_384):
        overwrite(path, place, 300)


def overwrite_what_is_packed(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("update entries set body = x'00112233'")
        file.commit()


def overwrite(path: Path, place: int, length: int) -> None:
    with path.open("r+b") as file:
        file.seek(place)
        file.write(b"\xa5" * length)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: os.truncate(path, path.stat().st_size // 2),
        lambda path: os.truncate(path, path.stat().st_size - 1_000),
        lambda path: overwrite(path, 0, 100),
        overwrite_the_pages,
        lambda path: overwrite(path, 100, 200),  # the table of tables
        overwrite_what_is_packed,
    ],
    ids=["half", "within a page", "head", "pages", "tables", "bodies"],
)
def test_a_damaged_journal_is_told_and_the_advice_works(path: Path, damage: Damage) -> None:
    copy = shutil.copy(path, path.with_name("copy"))
    damage(path)
    with pytest.raises(UserError, match=r"is damaged") as error:
        ran(answer_all(path, existing=True))
    for named in (str(path), "journal.sqlite-wal", "--journal"):
        assert named in str(error.value)
    with pytest.raises(UserError, match="is damaged"):
        for number in range(ROWS):
            read_one(path, number)
    assert ran(answer_all(path.with_name("another"))) == ROWS
    Path(copy).replace(path)
    assert ran(answer_all(path, existing=True)) == 0


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


@pytest.mark.parametrize(
    ("how", "lose"), [("gone", Path.unlink), ("empty", lambda path: os.truncate(path, 0))]
)
def test_a_lost_journal_is_told_where_something_counts_on_it(
    path: Path, how: str, lose: Damage
) -> None:
    lose(path)
    for opening in (lambda: Journal.open(path, existing=True), lambda: open_rows(path)):
        with pytest.raises(UserError, match=rf"journal\.sqlite is {how}"):
            opening()
    assert ran(answer_all(path)) == ROWS


def test_a_journal_of_another_schema_is_refused(path: Path) -> None:
    for schema in (SCHEMA - 1, SCHEMA + 1):
        with contextlib.closing(sqlite3.connect(path)) as file:
            file.execute(f"pragma user_version = {schema}")
        for opening in (Journal.open, open_rows):
            with pytest.raises(UserError, match=rf"pzbench \(schema {schema}, .* use the version"):
                opening(path)


def test_a_journal_that_vanishes_amid_a_run_is_told(path: Path) -> None:
    async def running() -> None:
        journal = Journal.open(path)
        try:
            path.rename(path.with_name("away"))
            await journal.once(asked("another"), said)
        finally:
            await journal.close()

    with pytest.raises(UserError, match="gone"):
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


def test_reading_writes_nothing_and_sees_the_rows_of_a_run(path: Path) -> None:
    before = contents(path.parent)
    assert read_one(path) == b"an answer"
    assert read_one(path, -1) is None
    assert contents(path.parent) == before
    assert [item.name for item in path.parent.iterdir()] == [path.name]

    async def running() -> None:
        journal = Journal.open(path)
        await journal.once(asked("1000 " * 2_000), said)
        assert read_one(path, 1000) is not None
        await journal.close()

    ran(running())


# What a kill leaves

KILLED = """
import asyncio, os, signal, sys
from pathlib import Path
sys.path.append(sys.argv[2])
from test_damage import answer_all
import bench.journal.journal as journals
async def end(self):
    os.kill(os.getpid(), signal.SIGKILL)
journals.Journal.close = end
asyncio.run(answer_all(Path(sys.argv[1]), 1000))
"""
READ = """
import os, sys
from pathlib import Path
sys.path.append(sys.argv[2])
from test_damage import read_one
os.setuid(65534)
path = Path(sys.argv[1])
assert not os.access(path.parent, os.W_OK) and not os.access(path, os.W_OK)
assert read_one(path, 1000) is not None
"""
HERE = Path(__file__).parent


@pytest.fixture
def killed(path: Path) -> Path:
    """A journal with rows in the write-ahead log beside the file."""
    done = python(KILLED, path, HERE)
    assert done.code == -signal.SIGKILL, done
    assert path.with_name("journal.sqlite-wal").stat().st_size > 0
    return path


def test_what_a_killed_run_left_is_read_and_does_no_harm(killed: Path) -> None:
    before = contents(killed.parent)
    assert read_one(killed, 1000) is not None
    assert contents(killed.parent) == before
    killed.unlink()
    assert ran(answer_all(killed)) == ROWS
    assert ran(answer_all(killed, existing=True)) == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user who may not write")
@pytest.mark.parametrize("log", [True, False])
def test_reading_needs_no_right_to_write(killed: Path, log: bool) -> None:
    if not log:
        ran(Journal.open(killed).close())
    killed.with_name("journal.sqlite-shm").unlink(missing_ok=True)
    # Not below pytest's own folder, which each session of pytest closes to others.
    with TemporaryDirectory() as name:
        folder = Path(shutil.copytree(killed.parent, Path(name) / "open"))
        for item in folder.iterdir():
            item.chmod(0o444)
        for one in (folder, folder.parent):
            one.chmod(0o755)
        done = python(READ, folder / killed.name, HERE)
    assert done.code == 0, done.err
