"""The journal's SQLite file and its one writer.

Promise: a row is on disk, in the sense of SQLite's WAL with synchronous NORMAL, before the future
of its `put` resolves. Killing the process at any instant loses no resolved row and never leaves
half a row; a power cut may lose the last commits but does not corrupt the file. Not for network
file systems, whose locks WAL cannot use.
"""

import asyncio
import contextlib
import os
import queue
import sqlite3
import threading
import time
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.core.errors import UserError
from bench.journal.faults import file_error, lost
from bench.journal.table import APPLICATION_ID, SCHEMA, TABLE, StoredRows

BATCH = 100
"""Rows after which a commit takes no further job; a batch is what waits while one is written."""
PAGE = 16384
"""Bytes; 2 KB bodies waste half of SQLite's default page of 4 KB."""
PATIENCE = 30.0
"""Seconds to wait for another process that holds the file."""
LEVEL = 3
"""Of zlib."""


Row = tuple[bytes, bytes, bytes, str]
"""Key, request, body and address of one thing that was asked or computed."""


@dataclass(frozen=True)
class _Commission:
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
            self._reader = StoredRows(self._connect(), path)
            self._writer = self._connect(other_thread=True)
            self._opened = path.stat()
        except (sqlite3.Error, OSError) as error:
            raise file_error(path, error, "opened") from error
        self._closed = False
        self._jobs: queue.SimpleQueue[_Commission | None] = queue.SimpleQueue()
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
        rows = StoredRows(connection, self.path)
        connection.execute("begin")
        ready = rows.check()
        connection.execute("commit")
        connection.execute(f"pragma page_size = {PAGE}")
        _switch_to_wal(connection)
        connection.execute("pragma synchronous = normal")
        # One transaction: neither a kill nor another process meets a table without its mark. Of a
        # journal that is there too: a file that cannot be written is told before anything is asked.
        connection.execute("begin immediate")
        if not ready and not rows.check():
            connection.execute(TABLE)
            connection.execute(f"pragma application_id = {APPLICATION_ID}")
            connection.execute(f"pragma user_version = {SCHEMA}")
        connection.execute("commit")

    @property
    def rows(self) -> StoredRows:
        """What is stored."""
        if self._closed:
            raise RuntimeError("the journal is closed")
        return self._reader

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
        if self._closed:
            raise RuntimeError("the journal is closed")
        loop = asyncio.get_running_loop()
        job = _Commission(rows, forget, loop.create_future(), loop)
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

    def _commit(self, batch: Sequence[_Commission]) -> None:
        error: Exception | None = None
        try:
            self._check_place()
            packed = [[_packed(row) for row in job.rows] for job in batch]
            self._writer.execute("begin immediate")
            for job, rows in zip(batch, packed, strict=True):
                self._writer.executemany("delete from entries where key = ?", zip(job.forget))
                self._writer.executemany(
                    "insert or ignore into entries values (?, ?, ?, ?, ?)", rows
                )
            self._writer.execute("commit")
        except UserError as raised:
            error = raised
        # Whatever it is: a writer that died here would leave every later `put` waiting for ever.
        except Exception as raised:  # noqa: BLE001
            with contextlib.suppress(sqlite3.Error):
                if self._writer.in_transaction:
                    self._writer.execute("rollback")
            error = file_error(self.path, raised, "written")
        for job in batch:
            # A loop that has ended waits for nothing.
            with contextlib.suppress(RuntimeError):
                job.loop.call_soon_threadsafe(_resolve, job.done, error)

    def _check_place(self) -> None:
        """Rows of a file that was moved or removed would be lost without a word."""
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(self.path.stat(), self._opened):
                return
        raise lost(self.path, "gone, moved or removed while it was in use")


def _packed(row: Row) -> tuple[bytes, bytes, bytes, float, str]:
    key, request, body, address = row
    return key, zlib.compress(request, LEVEL), zlib.compress(body, LEVEL), time.time(), address


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
