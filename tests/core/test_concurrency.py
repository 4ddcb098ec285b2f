"""What many-at-once promises: order, bounds, errors at once, and no cost that grows."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing

import pytest

from bench.core.concurrency import AHEAD, ordered_map


async def listed(results: AsyncIterator[int]) -> list[int]:
    return [result async for result in results]


@pytest.mark.parametrize("at_once", [1, 2, 7, 100])
@pytest.mark.parametrize("count", [0, 1, 50])
def test_results_keep_the_order_and_the_bound(count: int, at_once: int) -> None:
    draw = random.Random(count)
    under_way = most = 0

    async def work(number: int) -> int:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await asyncio.sleep(draw.choice([0, 0, 0.001, 0.004]))
        under_way -= 1
        return number

    assert asyncio.run(listed(ordered_map(work, range(count), at_once))) == list(range(count))
    assert most <= at_once
    assert most == min(count, at_once) or at_once > 7


def test_items_are_taken_as_places_come_free() -> None:
    taken = 0
    at_once = 3

    def endless() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    async def work(number: int) -> int:
        if number == 1:
            await asyncio.sleep(0.05)
        return number

    async def some() -> None:
        results = ordered_map(work, endless(), at_once)
        async with aclosing(results):  # type: ignore[type-var]
            assert [await anext(results) for _ in range(5)] == [1, 2, 3, 4, 5]

    asyncio.run(some())
    # Behind a slow item the others go on, up to a bound.
    assert at_once * AHEAD <= taken <= at_once * AHEAD + 6


def test_what_is_under_way_is_cancelled_by_an_error() -> None:
    cancelled: list[int] = []

    async def work(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(number)
            raise
        return number

    with pytest.raises(ValueError, match="three"):
        asyncio.run(listed(ordered_map(work, range(100), 4)))
    assert cancelled == [0, 1, 2]


def test_an_item_costs_the_same_however_many_are_under_way() -> None:
    async def work(number: int) -> int:
        await asyncio.sleep(0)
        return number

    def seconds(at_once: int) -> float:
        start = time.process_time()
        asyncio.run(listed(ordered_map(work, range(4_000), at_once)))
        return time.process_time() - start

    few = min(seconds(8) for _ in range(3))
    assert min(seconds(2_000) for _ in range(3)) < 5 * few
