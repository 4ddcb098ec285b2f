"""Bounded concurrency that keeps order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


AHEAD = 8
"""Results kept ready behind a slow one, as a multiple of what is worked on at once."""


async def ordered_map(
    work: Callable[[A], Awaitable[B]], items: Iterable[A], at_once: int
) -> AsyncIterator[B]:
    """The results of `work` in the order of `items`, up to `at_once` under way.

    Items are taken as places come free, so an endless or huge iterable is fine; behind a slow one
    the others go on, until `AHEAD` times `at_once` wait for it. If `work` raises, what is under
    way is cancelled and the error is raised at once.
    """
    started: deque[asyncio.Task[B]] = deque()
    places = asyncio.Semaphore(at_once)
    source = iter(items)

    async def run(item: A) -> B:
        try:
            return await work(item)
        finally:
            places.release()

    try:
        for item in source:
            await places.acquire()
            _raise_any(started)
            started.append(asyncio.create_task(run(item)))
            while started and (started[0].done() or len(started) >= AHEAD * at_once):
                yield await _first(started)
        while started:
            yield await _first(started)
    finally:
        for task in started:
            task.cancel()
        await asyncio.gather(*started, return_exceptions=True)


async def _first(started: deque[asyncio.Task[B]]) -> B:
    """The result of the first task."""
    while not started[0].done():
        pending = [task for task in started if not task.done()]
        await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        _raise_any(started)
    return started.popleft().result()


def _raise_any(started: Iterable[asyncio.Task[B]]) -> None:
    """Raise what any finished task raised, so that no error waits behind a slow item."""
    for task in started:
        if task.done():
            task.result()
