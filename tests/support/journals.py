"""What the tests of the journal share."""

import asyncio
import contextlib
import sqlite3
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

SECONDS = 200
"""What takes longer hangs."""


def ran(work: Coroutine[Any, Any, Any]) -> Any:
    async def limited() -> Any:
        async with asyncio.timeout(SECONDS):
            return await work

    return asyncio.run(limited())


def asked(words: str) -> dict[str, Any]:
    return {"words": words}


async def said(_: str) -> bytes:
    return b"an answer"


def journal_rows(run: Path) -> int:
    """Rows of a journal that another process may be writing, or has not made yet."""
    path = run / "journal.sqlite"
    if not path.exists():
        return 0
    with contextlib.closing(sqlite3.connect(path, timeout=10)) as journal:
        try:
            return int(journal.execute("select count(*) from entries").fetchone()[0])
        except sqlite3.OperationalError:
            return 0
