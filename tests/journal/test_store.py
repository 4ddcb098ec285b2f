"""The journal as a file: nothing lost, nobody else's touched, many writers."""

import asyncio
import contextlib
import multiprocessing
import sqlite3
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from journals import SECONDS, asked, ran, said

from bench.core.errors import UserError
from bench.journal.journal import Entry, Journal, canonical, key_of
from bench.journal.store import PAGE
from bench.journal.table import APPLICATION_ID, SCHEMA, open_rows


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


def test_entries_survive_reopening(path: Path) -> None:
    async def keep() -> None:
        journal = Journal.open(path)
        for number in range(3):
            made = await journal.once({"n": number, "ü": "\x00"}, said)
            assert not made.earlier
        await journal.close()

    ran(keep())
    journal = Journal.open(path)
    assert len(journal) == 3
    for number in range(3):
        request = {"n": number, "ü": "\x00"}
        entry = journal.get(key_of(request))
        assert entry == Entry(key_of(request), b"an answer", earlier=True)
    assert journal.get(key_of({"n": 3})) is None
    ran(journal.close())
    with contextlib.closing(open_rows(path)) as rows:
        for number in range(3):
            request = {"n": number, "ü": "\x00"}
            assert rows.request(bytes.fromhex(key_of(request))) == canonical(request)
        assert rows.request(bytes.fromhex(key_of({"n": 3}))) is None


def test_forgotten_rows_are_computed_again(path: Path) -> None:
    async def forgetting() -> None:
        journal = Journal.open(path)
        entry = await journal.once(asked("x"), said)
        await journal.once(asked("y"), said)
        await journal.forget([entry.key])
        assert journal.get(entry.key) is None
        assert len(journal) == 1
        await journal.close()

    ran(forgetting())


def test_the_file_is_as_promised(path: Path) -> None:
    async def fill() -> None:
        journal = Journal.open(path)
        await journal.once(asked("x" * 5000), said)
        await journal.close()

    ran(fill())
    with contextlib.closing(sqlite3.connect(path)) as file:
        (size,) = file.execute("pragma page_size").fetchone()
        (mode,) = file.execute("pragma journal_mode").fetchone()
        (mark,) = file.execute("pragma application_id").fetchone()
        assert file.execute("pragma user_version").fetchone() == (SCHEMA,)
        (request,) = file.execute("select request from entries").fetchone()
    assert (size, mode, mark) == (PAGE, "wal", APPLICATION_ID) == (16384, "wal", 0x505A4A31)
    assert len(request) < 500
    assert zlib.decompress(request) == canonical(asked("x" * 5000))
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_full_disk_is_told_and_what_was_stored_stays(path: Path) -> None:
    async def filling() -> int:
        journal = Journal.open(path)
        await journal.once(asked("before"), said)
        journal._store._writer.execute("pragma max_page_count = 12")

        async def large(_: Sequence[int]) -> Sequence[bytes]:
            return [noise(40_000)]

        stored = 1
        with pytest.raises(UserError, match=r"cannot be written \(.*full"):
            for number in range(20):
                await journal.many([{"n": number}], large)
                stored += 1
        assert stored > 1
        assert len(journal) == stored
        kept = await journal.once(asked("before"), said)
        assert kept.body == b"an answer"
        # Room again, and it goes on with the same object.
        journal._store._writer.execute("pragma max_page_count = 1000")
        await journal.many([{"n": stored - 1}], large)
        await journal.close()
        return stored + 1

    stored = ran(filling())
    journal = Journal.open(path)
    assert len(journal) == stored
    ran(journal.close())


def noise(size: int) -> bytes:
    """Bytes that do not compress."""
    import random

    return random.Random(size).randbytes(size)


def a_note(path: Path) -> None:
    path.write_text("Dear diary, today I was no database at all.\n" * 99)


def another_database(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as file:
        file.execute("create table customers (name text)")
        file.execute("insert into customers values ('somebody')")
        file.commit()


@pytest.mark.parametrize("make", [a_note, another_database])
def test_a_file_that_is_no_journal_is_refused_and_left_alone(
    path: Path, make: Callable[[Path], None]
) -> None:
    make(path)
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"journal\.sqlite.*(another --journal|name another)"):
        Journal.open(path)
    assert path.read_bytes() == before
    assert [one.name for one in path.parent.iterdir()] == [path.name]


def test_a_path_under_a_file_or_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file" / "journal.sqlite", tmp_path):
        with pytest.raises(UserError, match="cannot be opened"):
            Journal.open(path)


def test_none_lasts_as_long_as_the_object() -> None:
    async def passing() -> Path:
        journal = Journal.open(None)
        await journal.once(asked("x"), said)
        path = journal._store.path
        assert path.exists()
        await journal.close()
        return path

    assert not ran(passing()).parent.exists()


# Two processes

ROWS = 150


def write_rows(path: Path, name: str, ready: Any) -> None:
    """What one of the processes does: rows of its own and rows that both want."""

    async def writing() -> None:
        ready.wait(SECONDS)
        journal = Journal.open(path)

        async def mine(_: str) -> bytes:
            return name.encode()

        await asyncio.gather(
            *(journal.once({"own": name, "n": n}, mine) for n in range(ROWS)),
            *(journal.once({"shared": n}, mine) for n in range(ROWS)),
        )
        await journal.close()

    asyncio.run(writing())


def test_two_processes_write_one_journal(tmp_path: Path) -> None:
    processes = multiprocessing.get_context("spawn")
    path = tmp_path / "shared" / "journal.sqlite"
    names = ("first", "second")
    ready = processes.Barrier(len(names))
    writers = [processes.Process(target=write_rows, args=(path, n, ready)) for n in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(SECONDS)
    assert [writer.exitcode for writer in writers] == [0] * len(names)

    journal = Journal.open(path)
    assert len(journal) == ROWS * (len(names) + 1)
    for name in names:
        for n in range(ROWS):
            entry = journal.get(key_of({"own": name, "n": n}))
            assert entry is not None and entry.body == name.encode()
    for n in range(ROWS):
        entry = journal.get(key_of({"shared": n}))
        assert entry is not None and entry.body.decode() in names
    ran(journal.close())
