"""Bodies without end, packed or not, and nesting without end: one fault of one item."""

import gzip
import json
import tracemalloc
import zlib
from collections.abc import Callable

import pytest
from aiohttp import web
from asking import ask, heard, made, prompt
from openai_server import OpenAIServer

from bench.backbones.prompt import AskError, Unreachable
from bench.core.errors import UserError

BOMB = b" " * 300_000_000
ANSWER = json.dumps({"choices": [{"message": {"content": "Yes."}, "finish_reason": "stop"}]})


def twice(data: bytes) -> bytes:
    return gzip.compress(gzip.compress(data, 1), 1)


@pytest.mark.parametrize(
    ("encoding", "pack", "size"),
    [
        ("gzip", gzip.compress, 300_000_000),
        ("deflate", zlib.compress, 300_000_000),
        ("gzip, gzip", twice, 300_000_000),
        ("identity", bytes, 25_000_000),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_a_body_without_end_is_cut_off(
    openai_server: OpenAIServer,
    encoding: str,
    pack: Callable[[bytes], bytes],
    size: int,
    status: int,
) -> None:
    body = pack(BOMB[:size])
    for kind in ("application/json", "text/event-stream"):
        openai_server.reply = lambda seen, kind=kind: web.Response(
            status=status, body=body, headers={"Content-Type": kind, "Content-Encoding": encoding}
        )
        before = len(openai_server.seen)
        tracemalloc.start()
        with pytest.raises(AskError, match="more than 20 MB") as caught:
            heard(made(openai_server), []) if "event" in kind else ask(made(openai_server))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert not isinstance(caught.value, Unreachable)
        assert len(openai_server.seen) == before + 1  # it is not asked for again
        assert peak < 150_000_000


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_packed_answer_is_read(openai_server: OpenAIServer, encoding: str) -> None:
    pack = gzip.compress if encoding == "gzip" else zlib.compress
    stream = f"data: {ANSWER.replace('message', 'delta')}\n\ndata: [DONE]\n\n"
    pieces: list[str] = []
    for kind, text in (("application/json", ANSWER), ("text/event-stream", stream)):
        openai_server.reply = lambda seen, kind=kind, text=text: web.Response(
            body=pack(text.encode()), headers={"Content-Type": kind, "Content-Encoding": encoding}
        )
        backbone = made(openai_server)
        assert (heard(backbone, pieces) if "event" in kind else ask(backbone)).text == "Yes."
    assert pieces == ["Yes."]


@pytest.mark.parametrize("brackets", ["[", '{"a":', '{"choices":['])
def test_nesting_without_end_is_broken_json(openai_server: OpenAIServer, brackets: str) -> None:
    text = brackets * 100_000
    openai_server.reply = lambda seen: web.Response(text=text, content_type="application/json")
    with pytest.raises(Unreachable, match="broken JSON"):
        ask(made(openai_server, max_retries=0))
    openai_server.reply = lambda seen: web.Response(
        text=f"data: {text}\n\n", content_type="text/event-stream"
    )
    with pytest.raises(Unreachable, match="broken JSON"):
        heard(made(openai_server), [])
    openai_server.reply = lambda seen: web.Response(text=text, status=400)
    with pytest.raises(UserError, match="refused"):
        ask(made(openai_server), prompt(str))


@pytest.mark.parametrize("depth", [100, 500, 900, 980, 2000])
def test_a_content_of_any_depth_is_an_answer_or_a_fault(
    openai_server: OpenAIServer, depth: int
) -> None:
    for content in ("[" * depth + "]" * depth, '{"text":' * depth + "1" + "}" * depth):
        text = ANSWER.replace('"Yes."', content)
        openai_server.reply = lambda seen, text=text: web.Response(
            text=text, content_type="application/json"
        )
        try:
            assert ask(made(openai_server, max_retries=0)).outcome == "answer"
        except Unreachable as fault:
            assert "broken JSON" in str(fault)
        openai_server.reply = lambda seen, content=content: web.Response(text=content, status=400)
        with pytest.raises(UserError, match="refused the request"):
            ask(made(openai_server), prompt(str))


def test_a_large_answer_is_read(openai_server: OpenAIServer) -> None:
    words = "word " * 1_000_000
    openai_server.reply = lambda seen: web.Response(
        text=ANSWER.replace("Yes.", words), content_type="application/json"
    )
    assert ask(made(openai_server)).text == words
