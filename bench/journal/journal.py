"""One mechanism for caching, resuming and proving (docs/protocol.md, "The journal").

Promise: what a model was asked or computed is stored before it is used; a key is worked on once at
a time; the caller always gets the row as stored. So after a kill at any instant at most the
requests in flight are asked again, and the same journal gives the same results to the byte.
Failures to compute are not stored.
"""

import asyncio
import hashlib
import json
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.journal.faults import damaged
from bench.journal.store import Store
from bench.journal.table import check_there


@dataclass(frozen=True)
class Entry:
    """A row as stored."""

    key: str
    """Hex sha256 of the request."""
    body: bytes
    earlier: bool
    """Whether it was stored before this journal was opened."""
    computed: bool = False
    """Whether this very call computed it."""
    address: str = ""
    """Hash of the address that answered; empty for what was computed here."""


_CANONICAL = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
)


def canonical(request: Mapping[str, Any]) -> bytes:
    """The one JSON text of a request: sorted keys, no spaces, UTF-8.

    Raises:
        TypeError, ValueError: if the request is not JSON.
    """
    return _CANONICAL.encode(request).encode()


def key_of(request: Mapping[str, Any]) -> str:
    """The journal key of a request: hex sha256 of its canonical JSON."""
    return hashlib.sha256(canonical(request)).hexdigest()


class Journal:
    """The store of everything a model was asked or computed."""

    def __init__(self, store: Store, folder: "tempfile.TemporaryDirectory[str] | None") -> None:
        """Use `open`."""
        self._store = store
        self._folder = folder
        self._opened = time.time()
        self._flights: dict[bytes, asyncio.Task[None]] = {}

    @classmethod
    def open(cls, path: Path | None, *, existing: bool = False) -> "Journal":
        """Open or create a journal; none for one that lasts as long as the object.

        With `existing` it must be there, as something counts on its answers.

        Raises:
            UserError: if the file cannot be opened, is damaged, or is no journal of this version.
        """
        folder = None
        if path is None:
            folder = tempfile.TemporaryDirectory(prefix="pzbench-")
            path = Path(folder.name) / "journal.sqlite"
        elif existing:
            check_there(path)
        return cls(Store(path), folder)

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._store.rows)

    def get(self, key: str) -> Entry | None:
        """The row of a key, or none."""
        row = self._store.rows.get(bytes.fromhex(key))
        return None if row is None else Entry(key, row[0], row[1] < self._opened, address=row[2])

    async def once(
        self,
        request: Mapping[str, Any],
        compute: Callable[[str], Awaitable[bytes]],
        address: str = "",
    ) -> Entry:
        """The row of a request, computed by `compute(key)` if there is none.

        `address` is kept with a row that is computed; it is no part of the key.

        Raises:
            UserError: if the journal cannot be read or written.
            Exception: whatever `compute` raises; nothing is stored then.
        """
        text = canonical(request)
        key = hashlib.sha256(text).digest()

        async def body(_: Sequence[int]) -> Sequence[bytes]:
            return [await compute(key.hex())]

        (entry,) = await self._rows([key], [text], body, address)
        return entry

    async def many(
        self,
        requests: Sequence[Mapping[str, Any]],
        compute: Callable[[Sequence[int]], Awaitable[Sequence[bytes]]],
    ) -> list[Entry]:
        """The rows of some requests; `compute` is called once, for the indexes that lack one.

        Raises:
            UserError: if the journal cannot be written.
            Exception: whatever `compute` raises; nothing is stored then.
        """
        texts = [canonical(request) for request in requests]
        return await self._rows([hashlib.sha256(text).digest() for text in texts], texts, compute)

    async def _rows(
        self,
        keys: Sequence[bytes],
        texts: Sequence[bytes],
        compute: Callable[[Sequence[int]], Awaitable[Sequence[bytes]]],
        address: str = "",
    ) -> list[Entry]:
        """What `many` promises, of canonical requests."""
        stored = self._store.rows
        # Taken now: a flight that fails is gone by the time that our own work is done.
        flights = [self._flights[key] for key in keys if key in self._flights]
        missing: dict[bytes, int] = {}
        for index, key in enumerate(keys):
            if key not in missing and key not in self._flights and stored.get(key) is None:
                missing[key] = index
        if missing:
            indexes = list(missing.values())
            asked = [(keys[i], texts[i]) for i in indexes]
            await self._fly(asked, lambda: compute(indexes), address)
        for flight in flights:
            await asyncio.shield(flight)
        entries = []
        for key in keys:
            row = self._store.rows.get(key)
            if row is None:
                raise damaged(self._store.path, f"row {key.hex()} has vanished")
            earlier = row[1] < self._opened and key not in missing
            entries.append(Entry(key.hex(), row[0], earlier, key in missing, row[2]))
        return entries

    async def _fly(
        self,
        asked: Sequence[tuple[bytes, bytes]],
        compute: Callable[[], Awaitable[Sequence[bytes]]],
        address: str,
    ) -> None:
        """Compute and store, the keys marked as in flight meanwhile.

        The work is a task of its own: a caller that is cancelled does not take the answer from
        the others that wait for it.
        """

        async def work() -> None:
            bodies = await compute()
            if not all(isinstance(body, bytes) for body in bodies):
                raise TypeError("what is computed for the journal must be bytes")
            rows = zip(asked, bodies, strict=True)
            await self._store.put([(key, text, body, address) for (key, text), body in rows])

        def landed(task: asyncio.Task[None]) -> None:
            for key, _ in asked:
                self._flights.pop(key, None)
            if not task.cancelled():
                task.exception()  # looked at, or asyncio complains where every caller has gone

        task = asyncio.create_task(work())
        for key, _ in asked:
            self._flights[key] = task
        task.add_done_callback(landed)
        await asyncio.shield(task)

    async def forget(self, keys: Sequence[str]) -> None:
        """Remove rows, so that they are asked again."""
        await self._store.forget([bytes.fromhex(key) for key in keys])

    async def close(self) -> None:
        """End what is in flight, write what was computed, close the file."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        self._store.close()
        if self._folder is not None:
            self._folder.cleanup()
