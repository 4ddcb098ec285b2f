"""Bounded concurrency that keeps order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from typing import TypeVar

A = TypeVar("A")
B = TypeVar("B")


async def ordered_map(
    work: Callable[[A], Awaitable[B]], items: Iterable[A], at_once: int
) -> AsyncIterator[B]:
    """The results of `work` in the order of `items`, up to `at_once` under way.

    Items are taken as places come free, so an endless or huge iterable is fine. If `work` raises,
    what is under way is cancelled and the error is raised.
    """
    under_way: deque[asyncio.Task[B]] = deque()
    source = iter(items)

    async def run(item: A) -> B:
        return await work(item)

    try:
        for item in source:
            under_way.append(asyncio.create_task(run(item)))
            if len(under_way) >= at_once:
                yield await under_way.popleft()
        while under_way:
            yield await under_way.popleft()
    finally:
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
