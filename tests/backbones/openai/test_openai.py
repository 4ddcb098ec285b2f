"""Every fault of a server, met with the real client over its aiohttp transport."""

import asyncio
import re
import socket
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from asking import Report, ask, made, prompt, ran
from openai_server import Kind, OpenAIServer, logprob_of, tokens_of

from bench.backbones.openai.backbone import OpenAI
from bench.backbones.openai.kinds import Azure
from bench.backbones.openai.vertex import Vertex
from bench.backbones.prompt import (
    AskError,
    Completion,
    Scores,
    Unreachable,
)
from bench.backbones.structured import parse
from bench.core.errors import UserError
from bench.records.record import RecordSections

SECRET = "sk-very-secret-0123456789"


def test_a_strict_schema_is_asked_for_and_answered(openai_server: OpenAIServer) -> None:
    completion = ask(made(openai_server), prompt(temperature=0.25, max_tokens=77))
    assert parse(completion.text, Report).score in range(1, 6)
    assert (completion.outcome, completion.model) == ("answer", "words-0001")
    assert completion.input_tokens and completion.output_tokens
    body = openai_server.seen[0].body
    assert (body["temperature"], body["max_tokens"]) == (0.25, 77)
    assert body["response_format"]["json_schema"]["name"] == "Report"
    assert body["response_format"]["json_schema"]["strict"] is True
    assert [one["role"] for one in body["messages"]] == ["system", "user"]


@pytest.mark.parametrize(
    ("refused", "formats"),
    [
        (("json_schema",), ["json_schema", "json_schema", "json_object"]),
        (("json_schema", "json_object"), ["json_schema", "json_schema", "json_object", ""]),
    ],
)
def test_a_refused_format_steps_down_for_good(
    openai_server: OpenAIServer, refused: tuple[str, ...], formats: list[str]
) -> None:
    openai_server.fail("formats", formats=refused)
    backbone = made(openai_server)

    async def twice() -> list[Completion]:
        return [await backbone.complete(prompt(RecordSections), key) for key in ("a", "b")]

    for completion in ran(backbone, twice()):
        parse(completion.text, RecordSections)
        assert completion.shape == {"json_object": "json object", "": "json words"}[formats[-1]]
    assert [one.format for one in openai_server.seen] == [*formats, formats[-1]]


def test_many_at_once_learn_of_a_refused_format_together(openai_server: OpenAIServer) -> None:
    openai_server.latency = 0.05
    openai_server.fail("formats")
    backbone = made(openai_server)

    async def many() -> list[Completion]:
        asked = [backbone.complete(prompt(words=f"Say {n}."), str(n)) for n in range(20)]
        return await asyncio.gather(*asked)

    assert len([parse(one.text, Report) for one in ran(backbone, many())]) == 20
    assert openai_server.stats()["peak"] == 20
    assert len(openai_server.seen) <= 60


@pytest.mark.parametrize(
    ("kind", "detail", "outcome", "text"),
    [
        ("refusal", {}, "refusal", "I cannot help with that."),
        ("filter", {}, "refusal", ""),
        ("status", {"status": 400, "code": "content_filter", "message": "no"}, "refusal", "no"),
        ("length", {}, "cut", ""),
        # What is wrong inside an answer is left to the parser.
        ("cut-json", {}, "answer", ""),
        ("wrong-schema", {}, "answer", "unexpected"),
    ],
)
def test_outcomes(
    openai_server: OpenAIServer, kind: Kind, detail: dict[str, Any], outcome: str, text: str
) -> None:
    openai_server.fail(kind, **detail)
    completion = ask(made(openai_server))
    assert completion.outcome == outcome
    assert text in completion.text
    if kind == "wrong-schema":
        with pytest.raises(ValueError, match="verdict"):
            parse(completion.text, Report)


@pytest.mark.parametrize(
    ("kind", "detail", "said"),
    [
        ("status", {"status": 429, "retry_after": "0.05"}, "429: a planned fault"),
        ("status", {"status": 429, "retry_after": "soon"}, "429"),
        ("status", {"status": 500, "retry_after": "0.05"}, "500: a planned fault"),
        ("status", {"status": 503}, "503"),
        ("reset", {}, "connection broke"),
        ("truncated", {}, "connection broke"),
        ("garbage", {}, "malformed HTTP"),
        ("broken-json", {}, "broken JSON"),
        ("html", {}, "web page"),
        ("no-choices", {}, "without a choice"),
        ("error-200", {}, "200: a planned fault"),
    ],
)
def test_a_fault_is_tried_again_and_unreachable_where_it_lasts(
    openai_server: OpenAIServer, kind: Kind, detail: dict[str, Any], said: str
) -> None:
    openai_server.fail(kind, at=[0], **detail)
    parse(ask(made(openai_server)).text, Report)
    assert openai_server.stats()["total"] == 2
    assert len(openai_server.stats()["bodies"]) == 1
    openai_server.fail(kind, **detail)
    with pytest.raises(Unreachable, match=said):
        ask(made(openai_server), prompt(str))
    assert openai_server.stats()["total"] == 4


def test_silence_is_unreachable_after_the_time_limit(openai_server: OpenAIServer) -> None:
    openai_server.fail("hang", seconds=100)
    with pytest.raises(Unreachable, match="time limit"):
        ask(made(openai_server, timeout=0.3))
    assert openai_server.stats()["total"] == 2


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def test_nobody_there_ends_the_run_with_the_address() -> None:
    at = f"http://127.0.0.1:{free_port()}/v1"
    backbone = OpenAI("words", base_url=at, max_retries=0)

    async def many() -> list[Any]:
        asked = (backbone.complete(prompt(words=f"Say {n}."), str(n)) for n in range(20))
        return await asyncio.gather(*asked, return_exceptions=True)

    for error in ran(backbone, many()):  # every first request alike
        assert isinstance(error, UserError)
        for told in (at, "refused", "OPENAI_BASE_URL"):
            assert told in str(error)
    with pytest.raises(UserError, match=r"base_url \(its host is not known") as caught:
        ask(OpenAI("words", base_url="http://nowhere.invalid/v1", max_retries=0))
    assert "nowhere" not in str(caught.value)


@pytest.mark.parametrize(
    ("detail", "raised", "said"),
    [
        *(
            ({"status": status}, UserError, f"openai/words at .* answers {status} .*a planned")
            for status in (401, 402, 403, 404, 405)
        ),
        ({"status": 429, "code": "insufficient_quota"}, UserError, "quota.*a planned fault"),
    ],
)
def test_what_would_fail_again_is_not_tried_again(
    openai_server: OpenAIServer, detail: dict[str, Any], raised: type[Exception], said: str
) -> None:
    openai_server.fail("status", **detail)
    with pytest.raises(raised, match=said) as caught:
        ask(made(openai_server))
    assert getattr(caught.value, "outcome", "error") == "error"
    # Some say so of a parameter that they do not know, so the request is put otherwise.
    asked = openai_server.stats()["total"]
    assert asked <= 12 if detail["status"] in (404, 405) else asked == 1


@pytest.mark.parametrize("status", [403, 404])
def test_what_is_under_way_is_waited_for_before_an_endpoint_is_given_up(
    openai_server: OpenAIServer, status: int
) -> None:
    openai_server.fail("status", status=status, when=lambda seen: "odd" in seen.words)
    openai_server.pauses = lambda seen: 0.0 if "odd" in seen.words else 1.0
    backbone = made(openai_server)

    async def both() -> list[Any]:
        asked = (backbone.complete(prompt(words=words), words) for words in ("odd", "even"))
        return await asyncio.gather(*asked, return_exceptions=True)

    refused, answered = ran(backbone, both())
    assert isinstance(refused, AskError)
    assert isinstance(answered, Completion)


@pytest.mark.parametrize("status", [403, 404, 410, 422])
def test_one_prompt_that_is_refused_is_one_items_failure(
    openai_server: OpenAIServer, status: int
) -> None:
    openai_server.fail("status", status=status, when=lambda seen: "odd" in seen.words)
    backbone = made(openai_server)
    ask(backbone)
    with pytest.raises(AskError, match="a planned fault"):
        ask(backbone, prompt(words="odd"))
    ask(backbone)


@pytest.mark.parametrize("status", [None, 500])
def test_a_server_that_goes_away_later_is_unreachable(
    openai_server: OpenAIServer, status: int | None
) -> None:
    if status is not None:
        openai_server.fail("status", status=status)
    backbone = made(openai_server, max_retries=0)

    async def before_and_after() -> None:
        if status is None:
            await backbone.complete(prompt(), "a")
        else:
            with pytest.raises(Unreachable, match="answers 500"):
                await backbone.complete(prompt(), "a")
        await asyncio.to_thread(openai_server.stop)
        with pytest.raises(Unreachable, match="connection refused"):
            await backbone.complete(prompt(), "b")

    ran(backbone, before_and_after())


def test_a_missing_key_is_one_sentence(openai_server: OpenAIServer) -> None:
    backbone = OpenAI("gpt-4o")  # nothing is needed before the first exchange
    with pytest.raises(UserError, match="OPENAI_API_KEY"):
        ask(backbone)


def test_the_key_goes_out_and_into_no_error(
    openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.url)
    openai_server.key = SECRET
    assert ask(OpenAI("words"), prompt(str)).text
    assert "response_format" not in openai_server.seen[0].body
    openai_server.key = "another"  # the server's 401 repeats the key it was given
    with pytest.raises(UserError, match=r"\*\*\*") as caught:
        ask(OpenAI("words"))
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None and caught.value.__context__ is None
    openai_server.key = None
    monkeypatch.setenv("OPENAI_API_KEY", "k")  # is left in every word
    openai_server.fail("status", status=400, message="bad kind of monkey")
    with pytest.raises(UserError, match="bad kind of monkey"):
        ask(OpenAI("words"))


@pytest.mark.parametrize(
    "address",
    [f"http://me:{SECRET}@127.0.0.1/v1", "127.0.0.1:8000/v1", "http://", "http://[::1/v1"],
)
def test_a_wrong_address_is_refused_without_showing_a_password(address: str) -> None:
    with pytest.raises(UserError, match="base URL") as caught:
        ask(OpenAI("words", base_url=address))
    assert SECRET not in str(caught.value)


def test_a_key_that_no_header_can_bear_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-«key»")
    with pytest.raises(UserError, match="OPENAI_API_KEY holds characters"):
        ask(OpenAI("words"))


def test_senseless_options_are_refused() -> None:
    makers: tuple[Callable[[], OpenAI], ...] = (
        lambda: OpenAI(""),
        lambda: OpenAI("m", timeout=0),
        lambda: OpenAI("m", extra_body={"messages": []}),
        lambda: OpenAI("m", extra_body={"since": date(2026, 1, 1)}),
        lambda: OpenAI("m", api_key_env=SECRET),
        lambda: Vertex("m", project="../x"),
    )
    for make in makers:
        with pytest.raises(UserError):
            make()


def test_one_object_serves_two_loops(openai_server: OpenAIServer) -> None:
    backbone = made(openai_server)
    assert ask(backbone).text == ask(backbone).text
    assert len(openai_server.stats()["bodies"]) == 1


def test_azure_takes_its_own_settings(
    openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(
        UserError, match="AZURE_OPENAI_API_KEY, AZURE_OPENAI_ENDPOINT, OPENAI_API_VERSION"
    ):
        ask(Azure("dep"))
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", SECRET)
    monkeypatch.setenv("AZURE_OPENAI_ENDPOINT", openai_server.azure_endpoint)
    monkeypatch.setenv("OPENAI_API_VERSION", "2024-10-21")
    openai_server.key = SECRET
    backbone = Azure("dep", max_retries=1)
    assert backbone.name == "azure/dep"
    parse(ask(backbone).text, Report)
    seen = openai_server.seen[0]
    assert seen.path == "/openai/deployments/dep/chat/completions?api-version=2024-10-21"
    assert seen.headers["api-key"] == SECRET
    openai_server.fail("status", status=404, message="The deployment does not exist.")
    with pytest.raises(UserError, match="check the deployment's name") as caught:
        ask(Azure("dep"))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("context", ["The patient coughs", ""])
def test_log_probabilities_of_given_text(openai_server: OpenAIServer, context: str) -> None:
    text = " and has a mild fever."
    backbone = made(openai_server)
    assert isinstance(backbone, Scores)
    values = ran(backbone, backbone.logprobs(context, text))
    wanted, before = [], context
    for token in tokens_of(text):
        wanted.append(logprob_of(before, token))
        before += token
    assert values == tuple(wanted[0 if context else 1 :])
    assert ran(backbone, backbone.logprobs(context, "")) == ()


@pytest.mark.parametrize(
    ("status", "message", "raised"),
    [
        (404, "This is a chat model", UserError),
        (400, "Setting 'echo' and 'logprobs' together is not supported", UserError),
        (400, "This model's maximum context length is 8 tokens", AskError),
    ],
)
def test_log_probabilities_refused(
    openai_server: OpenAIServer, status: int, message: str, raised: type[Exception]
) -> None:
    openai_server.fail("status", status=status, message=message)
    backbone = made(openai_server)
    with pytest.raises(raised, match=message if raised is AskError else "vLLM does"):
        ran(backbone, backbone.logprobs("a", " b"))


def test_half_characters_of_an_echo_are_counted(openai_server: OpenAIServer) -> None:
    openai_server.tokens = lambda text: [
        part
        for token in tokens_of(text)
        for part in re.split("(?<=\ufffd)", token.replace("µ", 2 * "\ufffd"))
    ]
    backbone = made(openai_server)
    values = ran(backbone, backbone.logprobs("Take 5 µg", " or 7 µg daily"))
    assert len(values) == len([" or", " 7", " \ufffd", "\ufffd", "g", " daily"])
    # An echo that does not spell the text costs this text alone.
    openai_server.tokens = lambda text: ["?" if "µ" in one else one for one in tokens_of(text)]
    with pytest.raises(AskError, match="spell"):
        ran(backbone, backbone.logprobs("Take", " 7 µg daily"))
    assert len(ran(backbone, backbone.logprobs("Take", " 7 mg daily"))) == 3
