"""Files that appear whole or not at all.

Promise: whoever opens the path sees the old file or the whole new one, also after a kill; a failed
write leaves no trace at the path. Not promised: survival of a power cut (nothing is fsynced), nor
order between two writers of one path.
"""

import errno
import os
import secrets
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from bench.core.errors import UserError

PARTIAL = ".partial"
"""Ending of what a kill in the middle of a write leaves behind."""


@contextmanager
def writing(path: Path, *, binary: bool = False) -> Iterator[IO[Any]]:
    """A file to write to, put at `path` when the block ends without an error.

    Raises:
        UserError: if the folder or file cannot be written.
    """
    temporary: Path | None = None
    try:
        if path.exists() and not path.is_file():
            # A device or pipe (or, with an error, a folder): it must not be replaced by a file.
            with _open(os.open(path, os.O_WRONLY), binary) as file:
                yield file
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}{PARTIAL}")
        # Not by `tempfile`, whose files are for nobody else: the system applies the umask.
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
        temporary = beside
        with _open(handle, binary) as file:
            yield file
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise _unwritable(path, error) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _open(handle: int, binary: bool) -> IO[Any]:
    # newline="" keeps "\n" on every system, so that files are the same to the byte.
    if binary:
        return os.fdopen(handle, "wb")
    return os.fdopen(handle, "w", encoding="utf-8", newline="")


def check_writable(path: Path) -> None:
    """Find out before long work what `writing` would find out after it.

    Raises:
        UserError: if the folder cannot be written, or the path is a folder.
    """
    try:
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, "it is a folder")
        if not path.exists() or path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=path.parent):
                pass
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> UserError:
    return UserError(
        f"{path} cannot be written ({error.strerror or error}): "
        "free some space or name another place"
    )


def write_text(path: Path, text: str) -> None:
    """Put a text at a path, whole or not at all.

    Raises:
        UserError: if it cannot be written.
    """
    with writing(path) as file:
        file.write(text)
