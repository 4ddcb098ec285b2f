"""Places at an endpoint: shared by its roles, and held by nothing but a request."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.backbones.prompt import Completion, Message, Prompt, Sampling
from bench.backbones.requests import Extract
from bench.backbones.respondent import Limit, Respondent
from bench.core.concurrency import ordered_map
from bench.journal.journal import Journal


@dataclass
class Counting:
    """A backbone that counts the exchanges in flight."""

    name: str = "counting"
    version: str = ""
    endpoint: str = "chat"
    reads: Literal["request", "messages"] = "messages"
    under_way: int = 0
    seen: list[int] = field(default_factory=list)

    async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
        self.under_way += 1
        self.seen.append(self.under_way)
        await asyncio.sleep(0.002)
        self.under_way -= 1
        return Completion(text="an answer")

    async def close(self) -> None:
        pass


def prompt(number: int) -> Prompt[str]:
    words = (Message("user", f"question {number}"),)
    return Prompt(Extract(text=""), words, str, Sampling(), str(number))


def test_the_roles_of_a_backbone_share_its_places() -> None:
    async def asking() -> list[int]:
        journal, backbone = Journal.open(None), Counting()
        limit = Limit(3)
        roles = [Respondent(role, backbone, journal, limit=limit) for role in ("judge", "rater")]
        await asyncio.gather(*(roles[number % 2].ask(prompt(number)) for number in range(20)))
        await journal.close()
        return backbone.seen

    seen = asyncio.run(asking())
    assert len(seen) == 20
    assert max(seen) == 3


def test_an_item_that_is_worked_on_before_or_after_holds_no_place() -> None:
    places = 4
    full = asyncio.Event()

    class Filling(Counting):
        async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
            if self.under_way == places - 1:
                full.set()
            return await super().complete(prompt, key)

    async def asking() -> list[int]:
        journal, backbone = Journal.open(None), Filling()
        judge = Respondent("judge", backbone, journal, limit=Limit(places))

        async def judged(number: int) -> int:
            if number < places:
                await full.wait()  # rendered until the others fill all places
            await judge.ask(prompt(number))
            return number

        numbers = [number async for number in ordered_map(judged, range(30), 2 * places)]
        assert numbers == list(range(30))
        await journal.close()
        return backbone.seen

    seen = asyncio.run(asyncio.wait_for(asking(), 30))
    assert max(seen) == places
