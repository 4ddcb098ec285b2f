"""Answers heard while they are made: what is kept is the same as without."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from asking import ask, ran
from openai_server import Kind, OpenAIServer
from scripted import Scripted

from bench.backbones.openai.backbone import OpenAI
from bench.backbones.openai.kinds import Azure
from bench.backbones.prompt import (
    AskError,
    Backbone,
    Completion,
    Message,
    Prompt,
    Refused,
    Sampling,
    Streams,
    Unreachable,
)
from bench.backbones.requests import Rating, Reply
from bench.backbones.respondent import Respondent
from bench.backbones.rules.backbone import Rules
from bench.core.errors import UserError
from bench.journal.journal import Journal

TEXT = "It began\u2028three weeks ago,\r\ndoctor – “suddenly” \x85 and it burns."
PROMPT: Prompt[Any] = Prompt(
    request=Reply(memory="F1", manner={"style": "plain"}, history=(), question="Since when?"),
    messages=(Message("user", "Since when?"),),
    answer=str,
    sampling=Sampling(),
    replicate="chat/r1/t1",
)


def made(server: OpenAIServer, **options: Any) -> OpenAI:
    return OpenAI("words", base_url=server.url, max_retries=1, timeout=20.0, **options)


def asked(
    backbone: Backbone,
    *prompts: Prompt[Any],
    on_text: Callable[[str], None] | None = None,
    **options: Any,
) -> tuple[list[Any], list[bytes]]:
    """The answers or failures of prompts asked one after the other; what the journal holds."""

    async def work() -> tuple[list[Any], list[bytes]]:
        journal = Journal.open(None)
        respondent = Respondent("patient", backbone, journal, **options)
        answers: list[Any] = []
        try:
            for prompt in prompts:
                try:
                    answers.append(await respondent.ask(prompt, on_text))
                except (AskError, UserError) as failure:
                    answers.append(failure)
            keys = [key for answer in answers for key in getattr(answer, "keys", ())]
            entries = [journal.get(key) for key in keys]
            return answers, [entry.body for entry in entries if entry is not None]
        finally:
            await journal.close()
            await backbone.close()

    return asyncio.run(work())


def streamed(backbone: OpenAI, hear: Callable[[str], None]) -> Completion:
    completion: Completion = ran(backbone, backbone.stream(PROMPT, "k", hear))
    return completion


def test_what_is_given_is_the_same_as_without_and_is_heard_while_it_comes(
    openai_server: OpenAIServer,
):
    openai_server.hook = lambda seen: TEXT
    openai_server.pace = 0.05
    pieces: list[str] = []
    in_flight: list[int] = []

    def hear(piece: str) -> None:
        pieces.append(piece)
        in_flight.append(openai_server.stats()["in_flight"])

    whole = ask(made(openai_server), PROMPT)
    assert streamed(made(openai_server), hear) == whole
    assert in_flight[0] == 1  # before the answer ends
    assert len(pieces) > 5
    assert "".join(pieces) == whole.text == TEXT
    assert (whole.model, whole.output_tokens) == ("words-0001", len(TEXT.split()))
    assert [bool(seen.body.get("stream")) for seen in openai_server.seen] == [False, True]


def test_what_is_kept_is_the_same_as_without_and_is_heard_but_once(openai_server: OpenAIServer):
    openai_server.hook = lambda seen: TEXT
    pieces: list[str] = []
    (plain,), whole = asked(made(openai_server), PROMPT)
    (heard, again), kept = asked(made(openai_server), PROMPT, PROMPT, on_text=pieces.append)
    assert "".join(pieces) == heard.value == TEXT
    assert heard == again == plain  # the same key, too
    assert kept == 2 * whole


def test_only_plain_text_is_streamed(openai_server: OpenAIServer):
    pieces: list[str] = []
    (answer,), _ = asked(made(openai_server), replace(PROMPT, answer=Rating), on_text=pieces.append)
    assert isinstance(answer.value, Rating)
    assert pieces == []
    assert "stream" not in openai_server.seen[0].body


def test_who_cannot_stream_answers_whole():
    assert isinstance(OpenAI("words"), Streams)
    assert isinstance(Azure("words"), Streams)
    assert not isinstance(Rules(), Streams)

    pieces: list[str] = []
    whole: Any = Scripted(reply=lambda task: "Three weeks.")
    (answer,), _ = asked(whole, PROMPT, on_text=pieces.append)
    assert (answer.value, pieces) == ("Three weeks.", [])


@pytest.mark.parametrize("kind", ["no-streams", "whole"])
def test_a_server_that_cannot_stream_answers_whole(openai_server: OpenAIServer, kind: Kind):
    openai_server.fail(kind)
    openai_server.hook = lambda seen: TEXT
    pieces: list[str] = []
    (answer,), _ = asked(made(openai_server), PROMPT, on_text=pieces.append)
    assert (answer.value, pieces) == (TEXT, [])
    assert len(openai_server.seen) == (2 if kind == "no-streams" else 1)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("cut-stream", "the connection broke|the server sent"),
        ("early-stream", "only the beginning"),
        ("error-stream", "a planned fault"),
        ("broken-stream", "broken JSON"),
    ],
)
def test_a_broken_stream_is_unreachable(openai_server: OpenAIServer, kind: Kind, said: str):
    openai_server.fail(kind, times=1)
    openai_server.hook = lambda seen: TEXT
    pieces: list[str] = []
    with pytest.raises(Unreachable, match=said):
        streamed(made(openai_server), pieces.append)
    assert pieces[0] == TEXT.split(maxsplit=1)[0]
    assert len(openai_server.seen) == 1  # what was heard in part is not asked again by itself
    openai_server.fail(kind, times=1)
    (first, second), kept = asked(made(openai_server), PROMPT, PROMPT, on_text=lambda piece: None)
    assert isinstance(first, Unreachable)
    assert first.keys == ()  # nothing of it is kept
    assert second.value == TEXT
    assert len(kept) == 1


@pytest.mark.parametrize("kind", ["reset", "html", "garbage"])
def test_a_stream_that_does_not_begin_is_tried_again(openai_server: OpenAIServer, kind: Kind):
    openai_server.fail(kind, times=1)
    (answer,), _ = asked(made(openai_server), PROMPT, on_text=lambda piece: None)
    assert answer.value
    assert len(openai_server.seen) == 2


@pytest.mark.parametrize("kind", ["refusal", "filter"])
def test_a_refusal_is_one(openai_server: OpenAIServer, kind: Kind):
    openai_server.fail(kind)
    pieces: list[str] = []
    (failure,), kept = asked(made(openai_server), PROMPT, on_text=pieces.append)
    assert isinstance(failure, Refused)
    assert pieces == []
    assert json.loads(kept[0])["outcome"] == "refusal"


def test_a_cut_stream_is_asked_again_in_silence(openai_server: OpenAIServer):
    openai_server.fail("length", times=1)
    openai_server.hook = lambda seen: TEXT
    pieces: list[str] = []
    (answer,), _ = asked(made(openai_server), PROMPT, on_text=pieces.append)
    assert answer.value == TEXT
    assert TEXT.startswith("".join(pieces))
    assert len("".join(pieces)) < len(TEXT)


def test_a_wrong_key_is_the_users_to_mend(openai_server: OpenAIServer, monkeypatch):
    openai_server.key = "sk-right-0123456789"
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-0123456789")
    (failure,), _ = asked(made(openai_server), PROMPT, on_text=lambda piece: None)
    assert isinstance(failure, UserError)
    assert "sk-wrong" not in str(failure)
