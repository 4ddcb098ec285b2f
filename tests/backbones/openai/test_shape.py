"""Requests find their shape at servers that take less than all, and say so in their own words."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest
from aiohttp import web
from asking import Report, ask, heard, made, prompt, ran
from hypothesis import given
from hypothesis import strategies as st
from openai_server import OpenAIServer, Seen

from bench.backbones.openai.shape import Ladder, Shape
from bench.backbones.prompt import AskError, Completion, Unreachable
from bench.backbones.requests import Rating
from bench.backbones.structured import parse
from bench.core.errors import UserError

Takes = Callable[[dict[str, Any]], bool]
OPAQUE = {"error": {"message": "Bad request."}}


def picky(server: OpenAIServer, takes: Takes, error: Any = OPAQUE, status: int = 400) -> None:
    """Refuse what is not taken."""

    def reply(seen: Seen) -> web.Response | None:
        if takes(seen.body):
            return None
        if isinstance(error, str):
            return web.Response(status=status, text=error, content_type="text/html")
        return web.json_response(error, status=status)

    server.reply = reply


def roles(body: dict[str, Any]) -> list[str]:
    return [one["role"] for one in body["messages"]]


def bounded(body: dict[str, Any]) -> bool:
    return '"minItems"' in json.dumps(body.get("response_format"))


TAKES: dict[str, Takes] = {
    "no bounds": lambda body: not bounded(body),
    "object": lambda body: (body.get("response_format") or {}).get("type") == "json_object",
    "words": lambda body: "response_format" not in body,
    "no system": lambda body: "system" not in roles(body),
    "no temperature": lambda body: "temperature" not in body,
    "no top_p": lambda body: "top_p" not in body,
    "other limit": lambda body: "max_tokens" not in body,
    "small limit": lambda body: body.get("max_tokens", 9999) <= 600,
}


def parts(completion: Completion) -> set[str]:
    """What is told of how the request was put."""
    return set(completion.shape.split(", "))


@pytest.mark.parametrize("name", TAKES)
def test_a_server_that_says_nothing_is_found_out(openai_server: OpenAIServer, name: str) -> None:
    picky(openai_server, TAKES[name])
    backbone = made(openai_server)
    for _ in range(2):
        parse(ask(backbone).text, Report)
        known = len(openai_server.seen)
    assert known <= 12
    completion = ask(backbone)
    parse(completion.text, Report)
    assert len(openai_server.seen) == known + 1  # it is kept
    assert completion.shape != "json bounded"
    assert backbone.version == ""


def test_a_server_that_takes_almost_nothing_is_found_out(openai_server: OpenAIServer) -> None:
    alone = ("words", "no system", "no temperature", "no top_p", "small limit")
    picky(openai_server, lambda body: all(TAKES[name](body) for name in alone))
    backbone = made(openai_server)
    completion = ask(backbone)
    parse(completion.text, Report)
    told = {"json words", "no temperature", "no top_p", "system folded", "max_tokens 512"}
    assert parts(completion) == told


NAMED: tuple[tuple[Takes, int, Any, set[str]], ...] = (
    (
        TAKES["no bounds"],
        400,
        {
            "error": {
                "message": "Invalid schema for response_format 'Report': In context=(), "
                "'minLength' is not permitted.",
                "param": "response_format",
            }
        },
        {"json strict"},
    ),
    (
        TAKES["no bounds"],
        400,
        {"message": "Invalid schema: In context=(), 'minLength' is not permitted."},
        {"json strict"},
    ),
    (TAKES["no bounds"], 400, {"error": "Schema keyword minItems is unknown"}, {"json strict"}),
    (TAKES["words"], 500, {"error": {"message": "Failed to parse grammar"}}, {"json words"}),
    (TAKES["words"], 400, {"code": 20024, "message": "Json mode is off"}, {"json words"}),
    (
        TAKES["words"],
        422,
        {"detail": [{"loc": ["body", "response_format"], "msg": "Extra inputs", "type": "extra"}]},
        {"json words"},
    ),
    (
        TAKES["no system"],
        400,
        "<html><body><h1>Only user and assistant roles!</h1></body></html>",
        {"json bounded", "system folded"},
    ),
    (
        TAKES["no temperature"],
        400,
        [{"error": {"message": "`temperature` is deprecated", "code": 400}}],
        {"json bounded", "no temperature"},
    ),
    (
        lambda body: not ("temperature" in body and "top_p" in body),
        400,
        {"error": {"message": "`temperature` and `top_p` cannot both be specified"}},
        {"json bounded", "no top_p"},
    ),
    (
        TAKES["other limit"],
        400,
        {"error": {"message": "Unsupported parameter", "param": "max_tokens"}},
        {"json bounded", "max_completion_tokens"},
    ),
    (
        lambda body: body.get("max_tokens", 9999) <= 700,
        422,
        {"message": "max_tokens must be at most 700"},
        {"json bounded", "max_tokens 512"},
    ),
    (
        lambda body: body.get("max_tokens", 9999) <= 300,
        400,
        {"error": {"message": "This model's maximum context length is 4096 tokens."}},
        {"json bounded", "max_tokens 256"},
    ),
    (
        TAKES["words"],
        400,
        {"error": "Failed to parse grammar: unexpected tokens before the end"},
        {"json words"},
    ),
    (
        TAKES["words"],
        404,
        {"error": {"message": "No endpoints found that can handle the requested parameters"}},
        {"json words"},
    ),
    (TAKES["no system"], 500, "TemplateError: System role", {"json bounded", "system folded"}),
    (TAKES["no temperature"], 501, "no temperature here", {"json bounded", "no temperature"}),
)


@pytest.mark.parametrize(("takes", "status", "error", "shape"), NAMED)
def test_what_an_error_names_is_changed_first(
    openai_server: OpenAIServer, takes: Takes, status: int, error: Any, shape: set[str]
) -> None:
    picky(openai_server, takes, error, status)
    backbone = made(openai_server, max_retries=0)
    completion = ask(backbone)
    parse(completion.text, Report)
    assert len(openai_server.seen) <= 6
    assert parts(completion) == shape


@pytest.mark.parametrize(
    "error",
    [
        {"error": {"message": "The key is odd."}},
        {"error": "The key is odd."},
        [{"error": {"code": 400, "message": "The key is odd."}}],
        {"message": "The key is odd."},
        {"detail": [{"msg": "The key is odd.", "loc": ["header"]}]},
        {"error": {"message": "Provider error", "metadata": {"raw": "The key is odd."}}},
        {"code": 20024, "message": "The key is odd.", "data": None},
        {"errors": ["The key is odd."]},
        "The key is odd.",
        "<html><head><style>b {x: y}</style></head><p>The <b>key</b> is odd.</html>",
    ],
)
def test_where_nothing_works_the_run_ends_with_the_servers_words(
    openai_server: OpenAIServer, error: Any
) -> None:
    picky(openai_server, lambda body: False, error)
    backbone = made(openai_server)

    async def many() -> list[Any]:
        asked = (backbone.complete(prompt(words=f"Say {n}."), str(n)) for n in range(20))
        return await asyncio.gather(*asked, return_exceptions=True)

    for failure in ran(backbone, many()):
        assert isinstance(failure, UserError)
        assert "key" in str(failure) and "is odd" in str(failure)
        assert "x: y" not in str(failure) and "<" not in str(failure)
    assert len(openai_server.seen) <= 20 + 15  # one looks, and tells the others


def test_once_answered_only_what_is_named_is_tried(openai_server: OpenAIServer) -> None:
    backbone = made(openai_server)
    ask(backbone)
    picky(openai_server, lambda body: False)
    with pytest.raises(AskError, match="refused the request: Bad request") as caught:
        ask(backbone)
    assert caught.value.outcome == "error"
    assert len(openai_server.seen) == 2
    picky(openai_server, TAKES["no top_p"], {"error": "top_p?"})
    parse(ask(backbone).text, Report)
    # A type of answers that never came may need a format of its own.
    picky(openai_server, TAKES["words"])
    rated = ask(backbone, prompt(Rating))
    parse(rated.text, Rating)
    assert parts(rated) == {"json words", "no top_p"}


def test_a_prompt_that_is_too_long_is_told_with_the_servers_counts(
    openai_server: OpenAIServer,
) -> None:
    backbone = made(openai_server)
    too_long = {
        "error": {
            "code": "context_length_exceeded",
            "message": "context length is 2048 tokens, 2531 given (5 in the response_format)",
        }
    }
    picky(openai_server, lambda body: "long" not in str(body["messages"]), too_long)
    for _ in range(2):  # of an endpoint that has not answered yet, too: another prompt may fit
        with pytest.raises(AskError, match=r"too long.*2048.*2531"):
            ask(backbone, prompt(words="long"))
        assert parts(ask(backbone)) == {"json bounded"}


def test_a_smaller_limit_is_for_prompts_as_long(openai_server: OpenAIServer) -> None:
    def fits(body: dict[str, Any]) -> bool:
        return len(str(body["messages"])) + int(body["max_tokens"]) < 2000

    picky(openai_server, fits, {"message": "The window is 2000 tokens."})
    backbone = made(openai_server)
    for size, limits in ((1200, [1024, 512]), (1300, [512]), (10, [1024])):
        before = len(openai_server.seen)
        ask(backbone, prompt(str, words="x" * size))
        asked = [seen.body["max_tokens"] for seen in list(openai_server.seen)[before:]]
        assert asked == limits


def test_an_outage_is_none_of_the_formats_doing(openai_server: OpenAIServer) -> None:
    for status in (502, 503, 504, 529):
        before = len(openai_server.seen)
        picky(openai_server, lambda body: False, OPAQUE, status)
        with pytest.raises(Unreachable, match=f"answers {status}"):
            ask(made(openai_server, max_retries=0))
        assert len(openai_server.seen) == before + 1
    openai_server.seen.clear()
    picky(openai_server, lambda body: False, OPAQUE, 500)
    backbone = made(openai_server, max_retries=0)

    async def many() -> list[Any]:
        asked = (backbone.complete(prompt(words=f"Say {n}."), str(n)) for n in range(20))
        return await asyncio.gather(*asked, return_exceptions=True)

    for failure in ran(backbone, many()):
        assert isinstance(failure, Unreachable) and "answers 500" in str(failure)
    assert len(openai_server.seen) == 20 + 3
    assert {seen.format for seen in openai_server.seen} == {"json_schema", "json_object", ""}


def test_a_server_that_cannot_stream(openai_server: OpenAIServer) -> None:
    picky(openai_server, lambda body: "stream" not in body)
    pieces: list[str] = []
    backbone = made(openai_server)
    assert heard(backbone, pieces).text and pieces == []


def test_roles_take_turns(openai_server: OpenAIServer) -> None:
    openai_server.fail("formats")
    ask(made(openai_server))
    for seen in openai_server.seen:
        assert roles(seen.body) == ["system", "user"]


def test_half_a_character_is_asked_as_a_question_mark(openai_server: OpenAIServer) -> None:
    ask(made(openai_server), prompt(str, words="Say \ud83d."))
    assert openai_server.seen[0].body["messages"][1]["content"] == "Say ?."


def test_two_draws_of_the_same_words_begin_with_two_seeds(openai_server: OpenAIServer) -> None:
    backbone = made(openai_server)
    ask(backbone)
    for temperature in (0.0, 1.0):
        ask(backbone, prompt(temperature=temperature, seed=7))
    ask(backbone, prompt(temperature=1.0, seed=8))
    seeds: list[Any] = [seen.body.get("seed") for seen in openai_server.seen]
    assert seeds[:2] == [None, 7]
    assert seeds[3] == (seeds[2] + 1) % 2**31 and seeds[2] != 7
    assert all(seen.body["top_p"] == 1.0 for seen in openai_server.seen)


def test_further_fields_are_sent_and_are_in_the_version(openai_server: OpenAIServer) -> None:
    backbone = made(openai_server, extra_body={"top_k": 5, "min_p": 0})
    ask(backbone)
    assert openai_server.seen[0].body["top_k"] == 5
    assert openai_server.seen[0].body["min_p"] == 0
    assert backbone.version == made(openai_server, extra_body={"min_p": 0, "top_k": 5}).version
    assert backbone.version != made(openai_server, extra_body={"top_k": 6}).version != ""


FAMILIES: tuple[tuple[str, Any, int, tuple[str, ...]], ...] = (
    (
        "openai reasoning",
        {
            "max_tokens": "Unsupported parameter: 'max_tokens' is not supported with this model. "
            "Use 'max_completion_tokens' instead.",
            "temperature": "Unsupported value: 'temperature' does not support 0 with this model.",
            "top_p": "Unsupported parameter: 'top_p' is not supported with this model.",
        },
        400,
        ("max_completion_tokens", "no temperature", "no top_p"),
    ),
    ("gemini", {"seed": 'Unknown name "seed": Cannot find field.'}, 400, ("no seed",)),
    (
        "deepseek",
        {"json_schema": "This response_format type is unavailable now"},
        400,
        ("json object",),
    ),
    (
        "llama.cpp",
        {"response_format": "Failed to initialize samplers: grammar"},
        500,
        ("json words",),
    ),
    (
        "vllm",
        {"response_format": "xgrammar cannot compile this schema", "top_p": "extra: top_p"},
        400,
        ("json words", "no top_p"),
    ),
    (
        "mute",
        {"response_format": "", "temperature": "", "seed": ""},
        422,
        ("json words", "no temperature"),
    ),
)


@pytest.mark.parametrize(("name", "refuses", "status", "changed"), FAMILIES)
def test_families_of_servers(
    openai_server: OpenAIServer,
    name: str,
    refuses: dict[str, str],
    status: int,
    changed: tuple[str, ...],
) -> None:
    def reply(seen: Seen) -> web.Response | None:
        keys = {*seen.body, seen.format}
        met = next((said for word, said in refuses.items() if word in keys), None)
        return None if met is None else web.json_response({"error": met}, status=status)

    openai_server.reply = reply
    backbone = made(openai_server, max_retries=0)
    completion = ask(backbone, prompt(seed=3))
    parse(completion.text, Report)
    assert set(changed) <= parts(completion), name
    asked = len(openai_server.seen)
    assert asked <= 15
    parse(ask(backbone, prompt(seed=4)).text, Report)
    assert len(openai_server.seen) == asked + 1


ERRORS = st.text(max_size=10) | st.sampled_from(
    ["schema", "system role", "temperature top_p seed", "max_tokens", "4096 tokens", "stream"]
)


@given(st.lists(ERRORS, min_size=1, max_size=60), st.integers(0, 20_000), st.booleans())
def test_the_ladder_ends_and_repeats_nothing(errors: list[str], tokens: int, streams: bool) -> None:
    ladder = Ladder(Shape(stream=streams), tokens)
    met = [ladder.shape]
    for step in range(500):
        if not (ladder.named(errors[step % len(errors)]) or ladder.next("all")):
            break
        met.append(ladder.shape)
    assert len(met) == len(set(met)) < 200


def test_many_at_once_learn_together(openai_server: OpenAIServer) -> None:
    openai_server.latency = 0.05
    picky(openai_server, lambda body: TAKES["words"](body) and TAKES["no system"](body))
    backbone = made(openai_server)

    async def many() -> list[Completion]:
        asked = [backbone.complete(prompt(words=f"Say {n}."), str(n)) for n in range(20)]
        return await asyncio.gather(*asked)

    assert len([parse(one.text, Report) for one in ran(backbone, many())]) == 20
    assert len(openai_server.seen) <= 20 + 15 + 20


def test_a_passing_outage_hides_no_format(openai_server: OpenAIServer) -> None:
    picky(openai_server, lambda body: seen_format(body) == "json_object", OPAQUE, 500)
    openai_server.fail("status", status=503, times=1)
    backbone = made(openai_server, max_retries=0)
    failures = 0
    for _ in range(3):
        try:
            parse(ask(backbone).text, Report)
        except Unreachable:
            failures += 1
    assert failures <= 1


def test_a_word_of_medicine_is_no_filter(openai_server: OpenAIServer) -> None:
    said = "top_p is unknown, in: He drinks alcohol in moderation"
    picky(openai_server, TAKES["no top_p"], {"error": said})
    assert ask(made(openai_server)).outcome == "answer"


def seen_format(body: dict[str, Any]) -> str:
    return str((body.get("response_format") or {}).get("type", ""))


@pytest.mark.parametrize("prose", ["All is well.", '{"opinion": "fine", "ok": true}', ""])
def test_a_format_that_is_ignored_is_asked_for_in_other_ways(
    openai_server: OpenAIServer, prose: str
) -> None:
    told = "JSON schema"
    openai_server.hook = lambda seen: None if told in seen.words else prose
    backbone = made(openai_server)
    shapes = []
    for _ in range(3):
        completion = ask(backbone)
        shapes.append(completion.shape)
    assert completion.text != prose
    assert shapes == ["json bounded", "json object", "json object"]
    parse(completion.text, Report)


def test_an_answer_that_is_only_wrong_is_no_ignored_format(openai_server: OpenAIServer) -> None:
    wrong = '{"verdict": "odd", "reasons": [], "findings": [], "score": 1}'
    openai_server.hook = lambda seen: wrong
    backbone = made(openai_server)
    assert [ask(backbone).shape for _ in range(3)] == ["json bounded"] * 3


def test_a_plan_without_tokens_is_no_full_window(openai_server: OpenAIServer) -> None:
    picky(openai_server, lambda body: False, {"error": "Your plan has no tokens left."})
    with pytest.raises(UserError, match="no tokens left"):
        ask(made(openai_server))
