"""The journal's SQLite file and its one writer.

Promise: a row is on disk, in the sense of SQLite's WAL with synchronous NORMAL, before the future
of its `put` resolves. Killing the process at any instant loses no resolved row and never leaves
half a row; a power cut may lose the last commits but does not corrupt the file. Not for network
file systems, whose locks WAL cannot use.
"""

import asyncio
import contextlib
import queue
import sqlite3
import threading
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.core.errors import UserError

BATCH = 100
"""Rows after which a commit takes no further job; a batch is what waits while one is written."""
PAGE = 16384
"""Bytes; 2 KB bodies waste half of SQLite's default page of 4 KB."""
PATIENCE = 30.0
"""Seconds to wait for another process that holds the file."""
APPLICATION_ID = 0x505A4A31
"""Marks the file as a journal ("PZJ1")."""
SCHEMA = """
create table if not exists entries (
    key blob primary key,
    request blob not null,
    body blob not null,
    made real not null
)
"""


@dataclass(frozen=True)
class Row:
    """One thing that was asked or computed."""

    key: bytes
    request: bytes
    body: bytes


@dataclass(frozen=True)
class _Job:
    rows: Sequence[Row]
    forget: Sequence[bytes]
    done: asyncio.Future[None]
    loop: asyncio.AbstractEventLoop


class Store:
    """Rows by key; reads at once, writes through one thread."""

    def __init__(self, path: Path) -> None:
        """Open or create the file.

        Raises:
            UserError: if the file cannot be opened, or is not a journal.
        """
        self.path = path
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._reader = self._connect()
            self._writer = self._connect(other_thread=True)
        except (sqlite3.Error, OSError) as error:
            raise UserError(
                f"the journal {path} cannot be opened ({error}): "
                "name a folder that can be written, or another --journal"
            ) from error
        self._closed = False
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._write, name="journal", daemon=True)
        self._thread.start()

    def _connect(self, *, other_thread: bool = False) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=not other_thread
        )
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Settings and table; a file that is no journal is left as it was."""
        connection.execute("begin")
        marked = self._is_marked(connection)
        connection.execute("commit")
        connection.execute(f"pragma page_size = {PAGE}")
        _switch_to_wal(connection)
        connection.execute("pragma synchronous = normal")
        if marked:
            return
        # One transaction: neither a kill nor another process meets a table without its mark.
        connection.execute("begin immediate")
        if not self._is_marked(connection):
            connection.execute(SCHEMA)
            connection.execute(f"pragma application_id = {APPLICATION_ID}")
        connection.execute("commit")

    def _is_marked(self, connection: sqlite3.Connection) -> bool:
        """Whether the file is a journal already; if not, it is empty."""
        (mark,) = connection.execute("pragma application_id").fetchone()
        (tables,) = connection.execute("select count(*) from sqlite_master").fetchone()
        if mark != APPLICATION_ID and tables:
            raise UserError(f"{self.path} is a SQLite file, but no journal: name another file")
        return bool(mark == APPLICATION_ID)

    def get(self, key: bytes) -> tuple[bytes, float] | None:
        """Body and time of making (seconds since 1970) of a key; none if unknown. O(log n)."""
        row = self._one("select body, made from entries where key = ?", key)
        return (self._unpacked(row[0]), row[1]) if row else None

    def request(self, key: bytes) -> bytes | None:
        """What was asked under a key, as canonical JSON."""
        row = self._one("select request from entries where key = ?", key)
        return self._unpacked(row[0]) if row else None

    def __len__(self) -> int:
        """Number of rows."""
        row = self._one("select count(*) from entries")
        return int(row[0]) if row else 0

    def _one(self, query: str, *values: bytes) -> tuple[Any, ...] | None:
        self._check_open()
        try:
            row: tuple[Any, ...] | None = self._reader.execute(query, values).fetchone()
        except sqlite3.Error as error:
            raise self._unreadable(error) from error
        return row

    def _unpacked(self, packed: bytes) -> bytes:
        try:
            return zlib.decompress(packed)
        except zlib.error as error:
            raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> UserError:
        return UserError(
            f"the journal {self.path} cannot be read ({error}): put back a sound copy, or "
            "move it away to ask everything again"
        )

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError("the journal is closed")

    async def put(self, rows: Sequence[Row]) -> None:
        """Store rows; a key already there keeps its row.

        Raises:
            UserError: if the file cannot be written (a full disk, say); earlier rows stay whole.
        """
        await self._submit(rows, ())

    async def forget(self, keys: Sequence[bytes]) -> None:
        """Remove rows."""
        await self._submit((), keys)

    async def _submit(self, rows: Sequence[Row], forget: Sequence[bytes]) -> None:
        self._check_open()
        loop = asyncio.get_running_loop()
        job = _Job(rows, forget, loop.create_future(), loop)
        self._jobs.put(job)
        await job.done

    def close(self) -> None:
        """Write what was put, then close."""
        if self._closed:
            return
        self._closed = True
        self._jobs.put(None)
        self._thread.join()
        self._writer.close()
        self._reader.close()

    def _write(self) -> None:
        while (job := self._jobs.get()) is not None:
            batch = [job]
            last = False
            while sum(len(job.rows) for job in batch) < BATCH and not self._jobs.empty():
                following = self._jobs.get()
                if following is None:
                    last = True
                    break
                batch.append(following)
            self._commit(batch)
            if last:
                return

    def _commit(self, batch: Sequence[_Job]) -> None:
        error: Exception | None = None
        try:
            self._writer.execute("begin immediate")
            for job in batch:
                self._writer.executemany("delete from entries where key = ?", zip(job.forget))
                self._writer.executemany(
                    "insert or ignore into entries values (?, ?, ?, ?)",
                    [
                        (
                            row.key,
                            zlib.compress(row.request, 3),
                            zlib.compress(row.body, 3),
                            time.time(),
                        )
                        for row in job.rows
                    ],
                )
            self._writer.execute("commit")
        # Whatever it is: a writer that died here would leave every later `put` waiting for ever.
        except Exception as raised:  # noqa: BLE001
            if self._writer.in_transaction:
                self._writer.execute("rollback")
            error = UserError(
                f"the journal {self.path} cannot be written ({raised}): free some space or mend "
                "the file's permissions, then run the same command again; nothing stored is lost"
            )
        for job in batch:
            # A loop that has ended waits for nothing.
            with contextlib.suppress(RuntimeError):
                job.loop.call_soon_threadsafe(_resolve, job.done, error)


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """SQLite's own time-out does not cover this: two processes may open a new file at once."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            connection.execute("pragma journal_mode = wal")
            return
        except sqlite3.OperationalError as error:
            # The low byte; the rest says what kind of busy.
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                raise
        time.sleep(0.01)


def _resolve(done: asyncio.Future[None], error: Exception | None) -> None:
    if done.cancelled():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(error)
