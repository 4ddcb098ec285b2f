"""The table of a journal's file, and reading from it: on any disk, writing nothing beside it."""

import shutil
import sqlite3
import tempfile
import zlib
from pathlib import Path
from typing import Any

from bench.core.errors import UserError
from bench.journal.faults import damaged, file_error, lost, other_schema

APPLICATION_ID = 0x505A4A31
"""Marks the file as a journal ("PZJ1")."""
SCHEMA = 2
"""Number of the schema (SQLite's user_version); journals of another are refused."""
TABLE = """
create table if not exists entries (
    key blob primary key,
    request blob not null,
    body blob not null,
    made real not null,
    address text not null
)
"""


class StoredRows:
    """The rows of an open file."""

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        """`path` is for the sentences of errors."""
        self._connection = connection
        self._path = path

    def check(self) -> bool:
        """Whether the file is a journal already; if not, nothing is in it.

        Raises:
            UserError: if it is something else, or a journal of another schema.
        """
        (mark,) = self._connection.execute("pragma application_id").fetchone()
        (tables,) = self._connection.execute("select count(*) from sqlite_master").fetchone()
        if mark != APPLICATION_ID and tables:
            raise UserError(f"{self._path} is a SQLite file, but no journal: name another file")
        (schema,) = self._connection.execute("pragma user_version").fetchone()
        if mark == APPLICATION_ID and schema != SCHEMA:
            raise other_schema(self._path, schema, SCHEMA)
        self._check_length()
        return bool(mark == APPLICATION_ID)

    def _check_length(self) -> None:
        """SQLite would take what is cut off the last page for zeros, and rows for unknown."""
        log = self._path.with_name(f"{self._path.name}-wal")
        if log.exists() and log.stat().st_size:
            return  # somebody may be writing at this moment
        (pages,) = self._connection.execute("pragma page_count").fetchone()
        (size,) = self._connection.execute("pragma page_size").fetchone()
        if self._path.stat().st_size < pages * size:
            raise damaged(self._path, "its end is cut off")

    def get(self, key: bytes) -> tuple[bytes, float, str] | None:
        """Body, time of making (seconds since 1970) and address of a key; none if unknown.

        O(log n).
        """
        row = self._row("select body, made, address from entries where key = ?", key)
        return (self._unpacked(row[0]), row[1], row[2]) if row else None

    def request(self, key: bytes) -> bytes | None:
        """What was asked under a key, as canonical JSON."""
        row = self._row("select request from entries where key = ?", key)
        return self._unpacked(row[0]) if row else None

    def __len__(self) -> int:
        """Number of rows."""
        row = self._row("select count(*) from entries")
        return int(row[0]) if row else 0

    def _row(self, query: str, *values: bytes) -> tuple[Any, ...] | None:
        try:
            row: tuple[Any, ...] | None = self._connection.execute(query, values).fetchone()
        except sqlite3.Error as error:
            raise file_error(self._path, error, "read") from error
        return row

    def _unpacked(self, packed: bytes) -> bytes:
        try:
            return zlib.decompress(packed)
        except (zlib.error, TypeError) as error:
            raise damaged(self._path, error) from error

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def check_there(path: Path) -> None:
    """Make sure that there is a file with something in it.

    Raises:
        UserError: if not.
    """
    try:
        empty = path.stat().st_size == 0
    except FileNotFoundError:
        raise lost(path, "gone") from None
    except OSError as error:
        raise file_error(path, error, "read") from error
    if empty:
        raise lost(path, "empty")


def open_rows(path: Path) -> StoredRows:
    """The rows of a journal that is only read: nothing is written, not even beside it.

    Raises:
        UserError: if it is gone, empty, damaged, no journal, or of another version.
    """
    check_there(path)
    log = path.with_name(f"{path.name}-wal")
    try:
        if not log.exists() or log.stat().st_size == 0:
            # Nobody writes to it, so SQLite need leave no mark of its reading.
            return _open(path, path, "immutable=1")
        try:
            return _open(path, path, "mode=ro")
        except sqlite3.OperationalError:
            # A killed run left rows beside it, which cannot be read without writing.
            with tempfile.TemporaryDirectory(prefix="pzbench-") as folder:
                for file in (path, log):
                    shutil.copyfile(file, Path(folder) / file.name)
                # On Unix an open file may lose its name.
                return _open(Path(folder) / path.name, path, "mode=rw")
    except (sqlite3.Error, OSError) as error:
        raise file_error(path, error, "read") from error


def _open(file: Path, path: Path, how: str) -> StoredRows:
    connection = sqlite3.connect(f"{file.absolute().as_uri()}?{how}", uri=True)
    try:
        rows = StoredRows(connection, path)
        if not rows.check():
            raise damaged(path, "no table is in it")
        return rows
    except BaseException:
        connection.close()
        raise
