"""What the journal promises: what is a key, one computation each, nothing asked twice."""

import asyncio
import gc
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from journals import asked, ran, said
from openai_server import OpenAIServer
from pydantic import BaseModel

from bench.backbones.openai.backbone import OpenAI
from bench.backbones.prompt import Completion, Invalid, Message, Prompt, Sampling
from bench.backbones.requests import Rate
from bench.backbones.respondent import Respondent, request_of
from bench.core.errors import UserError
from bench.journal.journal import Entry, Journal, canonical, key_of


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.sqlite"


# What a key is made of


class Yes(BaseModel):
    value: bool


class YesOrNot(BaseModel):
    value: bool | None


@dataclass
class Named:
    """All of a backbone that a key may depend on."""

    name: str
    version: str
    endpoint: str
    reads: Literal["request", "messages"]

    async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
        raise AssertionError("nobody is asked")

    async def close(self) -> None:
        pass


WORDS = st.text(max_size=12)
ROLES = st.sampled_from(["system", "user", "assistant"])
MESSAGES = st.lists(st.builds(Message, ROLES, WORDS), max_size=3).map(tuple)
PARTS: dict[str, st.SearchStrategy[Any]] = {
    "name": WORDS,
    "version": WORDS,
    "endpoint": WORDS,
    "messages": MESSAGES,
    "answer": st.sampled_from([str, Yes, YesOrNot]),
    "temperature": st.floats(0, 2),
    "max_tokens": st.integers(1, 9999),
    "replicate": WORDS,
    "request": st.builds(
        Rate,
        dialogue=st.just(()),
        rubric=WORDS,
        manner=st.dictionaries(st.just("style"), WORDS),
        low=st.just(1),
        high=st.integers(2, 5),
    ),
    "reads": st.sampled_from(["request", "messages"]),
}


def key(parts: dict[str, Any]) -> str:
    backbone = Named(parts["name"], parts["version"], parts["endpoint"], parts["reads"])
    prompt = Prompt(
        request=parts["request"],
        messages=parts["messages"],
        answer=parts["answer"],
        sampling=Sampling(parts["temperature"], parts["max_tokens"]),
        replicate=parts["replicate"],
    )
    return key_of(request_of(backbone, prompt))


@pytest.mark.parametrize("part", PARTS)
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_key_changes_with_every_part_of_a_request(part: str, data: st.DataObject) -> None:
    parts = {name: data.draw(drawn, name) for name, drawn in PARTS.items()}
    other = data.draw(PARTS[part], f"another {part}")
    assume(other != parts[part])
    read = part != "request" or parts["reads"] == "request"
    assert (key(parts | {part: other}) != key(parts)) == read


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_what_stands_in_one_part_is_not_taken_for_another(data: st.DataObject) -> None:
    first, second = ({name: data.draw(drawn) for name, drawn in PARTS.items()} for _ in range(2))
    first["reads"] = second["reads"] = "request"
    assert (key(first) == key(second)) == (first == second)


def test_key_is_the_same_in_another_process_and_order() -> None:
    # Pinned: were it to move, every journal there is would be worthless.
    request = {"b": [1, None, True], "a": {"é": "ü\n", "z": 0.5}}
    assert canonical(request) == '{"a":{"z":0.5,"é":"ü\\n"},"b":[1,null,true]}'.encode()
    turned = {"a": {"z": 0.5, "é": "ü\n"}, "b": [1, None, True]}
    assert key_of(request) == key_of(turned)
    assert key_of(request) == "50210edfe01fb0226fbbd08b7bac55b53300095c506c24b080253cb2cc4a0445"


def test_key_ignores_how_a_model_is_reached() -> None:
    prompt = Prompt(
        Rate(dialogue=(), rubric="r", low=1, high=5), (Message("user", "x"),), Yes, Sampling(), "c"
    )
    ways: list[dict[str, Any]] = [
        {},
        {"base_url": "http://127.0.0.1:1/v1"},
        {"timeout": 3.0},
        {"max_retries": 0},
    ]
    keys = {key_of(request_of(OpenAI("gpt-4o", **way), prompt)) for way in ways}
    assert len(keys) == 1
    assert key_of(request_of(OpenAI("gpt-4o-mini"), prompt)) not in keys


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1, 2}, b"bytes"])
def test_what_is_not_json_has_no_key(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        key_of({"value": value})


# One computation for each key


class Counting:
    """A computation that says how often it was begun, and lasts until it is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.go = asyncio.Event()

    async def __call__(self, _: str) -> bytes:
        self.begun += 1
        await self.go.wait()
        return f"answer {self.begun}".encode()


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_two_askers_at_once_are_one_computation(path: Path) -> None:
    async def both() -> list[Entry]:
        journal, compute = Journal.open(path), Counting()
        asking = [asyncio.create_task(journal.once(asked("x"), compute)) for _ in range(5)]
        await settle()
        compute.go.set()
        entries = await asyncio.gather(*asking)
        assert compute.begun == 1
        await journal.close()
        return entries

    assert {entry.body for entry in ran(both())} == {b"answer 1"}


@pytest.mark.parametrize("survivors", [0, 1])
def test_a_cancelled_asker_does_not_take_the_answer_along(path: Path, survivors: int) -> None:
    async def one_leaves() -> None:
        journal, compute = Journal.open(path), Counting()
        first = asyncio.create_task(journal.once(asked("x"), compute))
        await settle()
        others = [asyncio.create_task(journal.once(asked("x"), compute)) for _ in range(survivors)]
        await settle()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        compute.go.set()
        for other in others:
            assert (await other).body == b"answer 1"
        # Whoever asks later, asks the journal or joins what is still under way.
        assert (await journal.once(asked("x"), compute)).body == b"answer 1"
        assert compute.begun == 1
        await journal.close()

    ran(one_leaves())


def test_the_stored_row_is_given_not_what_was_computed_beside_it(path: Path) -> None:
    # Two processes may answer the same question; the row that came first is everybody's.
    async def late() -> None:
        journal, other = Journal.open(path), Journal.open(path)

        async def beaten(_: str) -> bytes:
            await other.once(asked("x"), said)
            return b"too late"

        assert (await journal.once(asked("x"), beaten)).body == b"an answer"
        await journal.close()
        await other.close()

    ran(late())


def test_failures_to_compute_are_not_stored_and_reach_every_asker(path: Path) -> None:
    async def failing() -> None:
        journal, gate = Journal.open(path), asyncio.Event()

        async def broken(_: str) -> bytes:
            await gate.wait()
            raise OSError("no such luck")

        asking = [asyncio.create_task(journal.once(asked("x"), broken)) for _ in range(3)]
        await settle()
        gate.set()
        ends = await asyncio.gather(*asking, return_exceptions=True)
        assert [str(end) for end in ends] == ["no such luck"] * 3
        assert len(journal) == 0
        assert (await journal.once(asked("x"), said)).body == b"an answer"
        await journal.close()

    ran(failing())


def test_a_failure_that_nobody_waits_for_is_no_noise(path: Path) -> None:
    # A run that ends at its first UserError leaves others in flight that will fail alike.
    noises: list[str] = []

    async def leaving() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, noise: noises.append(noise["message"]))
        journal, gate = Journal.open(path), asyncio.Event()

        async def broken(_: str) -> bytes:
            await gate.wait()
            raise UserError("no such model")

        asking = [asyncio.create_task(journal.once(asked("x"), broken)) for _ in range(2)]
        await settle()
        for one in asking:
            one.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        gate.set()
        await settle()
        await journal.close()

    ran(leaving())
    gc.collect()
    assert noises == []


Compute = Callable[[Sequence[int]], Awaitable[Sequence[bytes]]]


def batch(calls: list[tuple[int, ...]]) -> Compute:
    async def compute(indexes: Sequence[int]) -> Sequence[bytes]:
        calls.append(tuple(indexes))
        return [str(index).encode() for index in indexes]

    return compute


def test_many_computes_what_is_missing_once(path: Path) -> None:
    async def growing() -> None:
        journal = Journal.open(path)
        calls: list[tuple[int, ...]] = []
        first = await journal.many([asked("b"), asked("d")], batch(calls))
        assert [entry.body for entry in first] == [b"0", b"1"]
        requests = [asked(word) for word in "abcab"]
        found = await journal.many(requests, batch(calls))
        assert calls == [(0, 1), (0, 2)]
        assert [entry.body for entry in found] == [b"0", b"0", b"2", b"0", b"0"]
        assert [entry.key for entry in found] == [key_of(request) for request in requests]
        await journal.many(requests, batch(calls))
        assert await journal.many([], batch(calls)) == []
        assert len(calls) == 2
        await journal.close()

    ran(growing())


def test_many_that_joins_a_failing_flight_tells_its_failure(path: Path) -> None:
    # The other's flight has failed and gone by the time that this one's own work is done.
    async def joined() -> None:
        journal, gate = Journal.open(path), asyncio.Event()

        async def broken(_: str) -> bytes:
            await gate.wait()
            raise OSError("no such luck")

        async def slow(indexes: Sequence[int]) -> Sequence[bytes]:
            gate.set()
            await asyncio.sleep(0.05)
            return [b"mine" for _ in indexes]

        other = asyncio.create_task(journal.once(asked("theirs"), broken))
        await settle()
        with pytest.raises(OSError, match="no such luck"):
            await journal.many([asked("theirs"), asked("mine")], slow)
        with pytest.raises(OSError, match="no such luck"):
            await other
        mine = journal.get(key_of(asked("mine")))
        assert mine is not None and mine.body == b"mine"
        await journal.close()

    ran(joined())


def test_close_ends_what_is_in_flight_and_keeps_what_was_stored(path: Path) -> None:
    async def closing() -> None:
        journal, compute = Journal.open(path), Counting()
        await journal.once(asked("kept"), said)
        asking = asyncio.create_task(journal.once(asked("x"), compute))
        await settle()
        await journal.close()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert compute.begun == 1

    ran(closing())
    reopened = Journal.open(path)
    assert len(reopened) == 1
    ran(reopened.close())


# Two draws


def prompt(replicate: str, answer: type[Any] = str) -> Prompt[Any]:
    return Prompt(
        request=Rate(dialogue=(), rubric="y", low=1, high=5),
        messages=(Message("user", "How is the patient?"),),
        answer=answer,
        sampling=Sampling(),
        replicate=replicate,
    )


def answers(
    server: OpenAIServer, path: Path, *prompts: Prompt[Any], retry_failed: bool = False
) -> list[Any]:
    """What a model answers to prompts asked one after the other."""

    async def asking() -> list[Any]:
        journal = Journal.open(path)
        backbone = OpenAI("words", base_url=server.url)
        respondent = Respondent("judge", backbone, journal, retry_failed=retry_failed)
        try:
            return [await respondent.ask(one) for one in prompts]
        finally:
            await backbone.close()
            await journal.close()

    found: list[Any] = ran(asking())
    return found


def test_two_cases_that_read_alike_are_two_draws(openai_server: OpenAIServer, path: Path) -> None:
    openai_server.vary = True
    cases = [prompt(case) for case in ("case-1", "case-2", "case-1")]
    first, second, again = answers(openai_server, path, *cases)
    assert first != second
    assert first == again
    (sent,) = {str(seen.body) for seen in openai_server.seen}
    assert "case-" not in sent
    assert answers(openai_server, path, *cases) == [first, second, again]
    assert openai_server.stats()["total"] == 2


def test_every_repair_is_an_exchange_of_its_own(openai_server: OpenAIServer, path: Path) -> None:
    # The same invalid answer twice gives the same words twice: it must be asked all the same.
    openai_server.fail("wrong-schema", times=2)
    (answer,) = answers(openai_server, path, prompt("case-1", Yes))
    assert isinstance(answer.value, Yes)
    assert len(set(answer.keys)) == 3
    assert openai_server.stats()["total"] == 3


def test_invalid_answers_are_stored_and_stand(openai_server: OpenAIServer, path: Path) -> None:
    openai_server.fail("wrong-schema")
    asking = prompt("case-1", Yes)
    for retry, total in ((False, 3), (False, 3), (True, 6)):
        with pytest.raises(Invalid, match="value") as failure:
            answers(openai_server, path, asking, retry_failed=retry)
        assert len(set(failure.value.keys)) == 3
        assert openai_server.stats()["total"] == total
    openai_server.faults.clear()
    (answer,) = answers(openai_server, path, asking, retry_failed=True)
    assert isinstance(answer.value, Yes)
    assert openai_server.stats()["total"] == 7
