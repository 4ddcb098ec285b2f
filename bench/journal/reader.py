"""Opening a journal for reading alone: on any disk, with nothing written beside it."""

import shutil
import sqlite3
import tempfile
from pathlib import Path

from bench.journal.faults import damaged, file_error, lost
from bench.journal.table import StoredRows


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
    """The rows of a file.

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
