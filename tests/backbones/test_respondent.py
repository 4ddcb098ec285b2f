"""Places at an endpoint: shared by its roles, and held by nothing but a request."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from bench.backbones.prompt import (
    Answer,
    AskError,
    Completion,
    Cut,
    Doubtful,
    Invalid,
    Message,
    Misplanned,
    OffPlan,
    Prompt,
    Refused,
    Sampling,
)
from bench.backbones.requests import Extract, Extracted
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


def asked(
    *replies: Completion | str, answer: type[Any] = Extracted, check: Any = None
) -> Answer[Any] | AskError:
    """What comes of an ask that is answered so, one reply after the other."""
    given = iter(replies)

    class Replying(Counting):
        async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
            made = next(given)
            return made if isinstance(made, Completion) else Completion(text=made)

    async def asking() -> Answer[Any] | AskError:
        journal = Journal.open(None)
        asking = Prompt(Extract(text=""), (), answer, Sampling(), "r", check)
        try:
            return await Respondent("judge", Replying(), journal).ask(asking)
        except AskError as failure:
            return failure
        finally:
            await journal.close()

    return asyncio.run(asking())


def stated(fact: str) -> str:
    return Extracted(facts=(fact,)).model_dump_json()


def doubt_of(*facts: str, kind: type[ValueError] = Doubtful) -> Any:
    def check(found: Extracted) -> None:
        if found.facts[0] in facts:
            raise kind(f"{found.facts[0]}?")

    return check


def test_what_is_doubtful_is_asked_again_once_then_kept() -> None:
    found = asked(stated("a"), stated("b"), check=doubt_of("a", "b"))
    assert isinstance(found, Answer)
    assert (found.value.facts, found.doubt, len(found.keys)) == (("b",), "b?", 2)
    mended = asked(stated("a"), stated("b"), check=doubt_of("a"))
    assert isinstance(mended, Answer)
    assert (mended.value.facts, mended.doubt, len(mended.keys)) == (("b",), "", 2)


@pytest.mark.parametrize(
    "worse",
    [
        ["no object", "none again"],
        [Completion(text="I will not.", outcome="refusal")],
        [Completion(text='{"facts": ["', outcome="cut"), "none"],
    ],
)
def test_what_was_doubtful_is_not_lost_to_what_comes_after(worse: list[Any]) -> None:
    found = asked(stated("a"), *worse, check=doubt_of("a"))
    assert isinstance(found, Answer)
    assert (found.value.facts, found.doubt) == (("a",), "a?")
    assert len(found.keys) == 1 + len(worse)


def test_every_end_has_a_name() -> None:
    off = [stated("a")] * 3
    assert type(asked(*off, check=doubt_of("a", kind=OffPlan))) is Misplanned
    assert type(asked("x", "y", "z")) is Invalid
    assert type(asked(*[Completion(text='{"facts": [', outcome="cut")] * 3)) is Cut
    for text in ("no", stated("a")):  # a filter may come behind the last word
        assert type(asked(Completion(text=text, outcome="refusal"))) is Refused
    thought = Completion(text="", thinking=stated("a"))
    failure = asked(thought, thought, thought)
    assert type(failure) is Invalid and "thinking" in failure.reason
    called = Completion(text="", outcome="cut", finish="tool_calls")
    failure = asked(called, called, called)
    assert type(failure) is Cut and "tool_calls" in failure.reason


class Speaking(Counting):
    """Streams each reply in two pieces, or gives it whole."""

    def __init__(self, *replies: str, whole: int = 0) -> None:
        super().__init__()
        self.replies = list(replies)
        self.whole = whole

    async def stream(self, prompt: Prompt[Any], key: str, on_text: Any) -> Completion:
        text = self.replies.pop(0)
        if self.whole:
            self.whole -= 1
        else:
            on_text(text[:7])
            on_text(text[7:])
        return Completion(text=text)


@pytest.mark.parametrize("whole", [0, 1])
def test_thinking_that_nothing_announces_is_never_heard(whole: int) -> None:
    replies = ("secret plan</think>It hurts.", "secret plan two</think>Still.")

    async def asking() -> list[str]:
        journal, heard = Journal.open(None), list[str]()
        patient = Respondent("patient", Speaking(*replies, whole=whole), journal)
        answers = [await patient.ask(prompt(n), heard.append) for n in range(2)]
        await journal.close()
        assert [answer.value for answer in answers] == ["It hurts.", "Still."]
        return heard

    assert asyncio.run(asking()) == ["It hurts.", "Still."][whole:]


def test_a_plain_text_is_heard_while_it_comes_from_the_second_on() -> None:
    async def asking() -> list[str]:
        journal, heard = Journal.open(None), list[str]()
        patient = Respondent("patient", Speaking("It hurts, doctor.", "Since Monday."), journal)
        for number in range(2):
            await patient.ask(prompt(number), heard.append)
        await journal.close()
        return heard

    assert asyncio.run(asking()) == ["It hurts, doctor.", "Since M", "onday."]
