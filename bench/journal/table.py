"""The table of a journal's file, and reading from it."""

import sqlite3
import zlib
from pathlib import Path
from typing import Any

from bench.core.errors import UserError
from bench.journal.faults import damaged, file_error, other_schema

APPLICATION_ID = 0x505A4A31
"""Marks the file as a journal ("PZJ1")."""
SCHEMA = 1
"""Number of the schema (SQLite's user_version); journals of another are refused."""
TABLE = """
create table if not exists entries (
    key blob primary key,
    request blob not null,
    body blob not null,
    made real not null
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

    def get(self, key: bytes) -> tuple[bytes, float] | None:
        """Body and time of making (seconds since 1970) of a key; none if unknown. O(log n)."""
        row = self._row("select body, made from entries where key = ?", key)
        return (self._unpacked(row[0]), row[1]) if row else None

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
