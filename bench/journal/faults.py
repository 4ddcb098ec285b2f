"""What is wrong with a journal's file: one sentence each, with advice that works."""

import sqlite3
import zlib
from pathlib import Path

from bench.core.errors import UserError

_AFRESH = (
    "ask everything again: with another --journal, or, of a run, by "
    "`pzbench run RUN/experiment.yaml --out OTHER`"
)
_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
_FORBIDDEN = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY)


def lost(path: Path, how: str) -> UserError:
    """The file is not there, or nothing is in it: `how` says which."""
    return UserError(f"the journal {path} is {how}: put a copy back, or {_AFRESH}")


def damaged(path: Path, reason: object) -> UserError:
    """What the file holds is not what was written."""
    # SQLite would add the rest of the damaged file to the copy.
    return UserError(
        f"the journal {path} is damaged ({reason}): put a sound copy in its place and remove "
        f"{path.name}-wal if there is one, or {_AFRESH}"
    )


def other_schema(path: Path, schema: int, ours: int) -> UserError:
    """The file was written by another version of the program."""
    whose = "a newer" if schema > ours else "an older"
    return UserError(
        f"the journal {path} is of {whose} pzbench (schema {schema}, this one knows {ours}): "
        f"use the version that made it, or {_AFRESH}"
    )


def file_error(path: Path, error: Exception, verb: str) -> UserError:
    """An error of SQLite, of the system or of unpacking; `verb` says what cannot be done."""
    kind = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest says what kind of it
    if isinstance(error, zlib.error) or kind in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return damaged(path, error)
    if kind in _BUSY:
        advice = "another process holds it; wait for that, then run the same command again"
    elif verb == "written" and kind not in _FORBIDDEN:
        advice = (
            "free some space or mend the disk, then run the same command again; "
            "nothing stored is lost"
        )
    else:
        advice = "mend the permissions of the file and its folder, or name another --journal"
    return UserError(f"the journal {path} cannot be {verb} ({error}): {advice}")
