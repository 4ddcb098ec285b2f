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
    errors: list[BaseException] = []
    changed = asyncio.Event()
    under_way = 0
    source = iter(items)
    exhausted = False

    async def run(item: A) -> B:
        nonlocal under_way
        try:
            return await work(item)
        except BaseException as error:
            errors.append(error)
            raise
        finally:
            under_way -= 1
            changed.set()

    try:
        while not exhausted or started:
            if not exhausted and under_way < at_once and len(started) < AHEAD * at_once:
                try:
                    item = next(source)
                except StopIteration:
                    exhausted = True
                else:
                    under_way += 1
                    started.append(asyncio.create_task(run(item)))
                    # The item goes on its way before the next is read.
                    await asyncio.sleep(0)
            elif not started[0].done():
                changed.clear()
                await changed.wait()
            if errors:
                raise errors[0]
            while started and started[0].done():
                yield started.popleft().result()
    finally:
        for task in started:
            task.cancel()
        await asyncio.gather(*started, return_exceptions=True)
