"""What the tests of the journal share."""

import asyncio
from collections.abc import Coroutine
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
