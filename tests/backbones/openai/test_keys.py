"""A key goes to the host it belongs to and to no other; messages name neither key nor host."""

import asyncio
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from asking import ask, heard, made, prompt
from openai_server import OpenAIServer

from bench.backbones.openai.backbone import OpenAI
from bench.backbones.openai.kinds import Azure, Groq, Mistral, Ollama, Vllm
from bench.backbones.openai.providers import PROVIDERS, Provider, key_for, normalised, place_of
from bench.backbones.openai.said import struck
from bench.backbones.prompt import Unreachable
from bench.core.errors import UserError

KEY, OTHER = "sk-very-secret-0123456789", "gsk-other-secret-987654321"
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def other_server() -> Iterator[OpenAIServer]:
    server = OpenAIServer().start()
    yield server
    server.stop()


def sent(server: OpenAIServer) -> str:
    return "\n".join(f"{seen.headers} {seen.path} {seen.body}" for seen in server.seen)


@pytest.fixture(autouse=True)
def keys(openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for provider in PROVIDERS.values():
        for variable in (provider.key, provider.address_env):
            if variable:
                monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def test_two_providers_meet_each_with_its_own_key(
    openai_server: OpenAIServer, other_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROQ_API_KEY", OTHER)
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.url)

    class Here(Groq):
        provider = Provider("groq", other_server.url, "GROQ_API_KEY")

    async def both() -> None:
        backbones = OpenAI("one"), Here("two")
        await asyncio.gather(*(one.complete(prompt(), "k") for one in backbones))
        for one in backbones:
            await one.close()

    asyncio.run(both())
    assert KEY in sent(openai_server) and OTHER not in sent(openai_server)
    assert OTHER in sent(other_server) and KEY not in sent(other_server)


def test_an_address_among_the_options_gets_no_key_by_itself(
    openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("OPENAI_ORG_ID", "org-mine"),
        ("OPENAI_PROJECT_ID", "proj-mine"),
        ("OPENAI_ADMIN_KEY", "sk-admin-0123456789"),
        ("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer sk-custom-0123\nX-Mine: mine"),
    ):
        monkeypatch.setenv(name, value)
    ask(made(openai_server))
    (seen,) = openai_server.seen
    assert seen.headers.keys() == {
        *("accept", "accept-encoding", "content-length", "content-type", "host", "user-agent"),
        *({"connection"} & seen.headers.keys()),
    }
    assert seen.headers["accept-encoding"] == "gzip"
    assert "mine" not in sent(openai_server) and "sk-" not in sent(openai_server)
    openai_server.key = "sk-needed-0123456789"
    with pytest.raises(UserError, match="api_key_env"):
        ask(made(openai_server))
    monkeypatch.setenv("MINE", "sk-needed-0123456789")
    ask(made(openai_server, api_key_env="MINE"))
    ask(made(openai_server, api_key_env="MINE"), prompt(str))


@pytest.mark.parametrize(
    ("kind", "option", "named", "key"),
    [
        ("openai", None, None, KEY),
        ("openai", "https://eu.api.openai.com/v1", None, KEY),
        ("openai", "https://API.openai.com:443/v1/", None, KEY),
        ("openai", "http://api.openai.com/v2", None, ""),
        ("openai", "https://api.openai.com.evil.example/v1", None, ""),
        ("openai", "https://evilapi.openai.com/v1", None, ""),
        ("openai", "https://evil.example/v1", None, ""),
        ("openai", "http://127.0.0.1:1/v1", None, ""),
        ("groq", "https://api.openai.com/v1", None, ""),
        ("azure", "https://other.openai.azure.com", None, ""),
        ("openai", "https://evil.example/v1", "OPENAI_API_KEY", KEY),
        *(
            ("openai", f"http://{host}/v1", "OPENAI_API_KEY", KEY)
            for host in ("localhost:1", "127.1.2.3", "10.0.0.7", "192.168.1.2", "gpu-box", "[::1]")
        ),
        *(
            ("openai", f"http://{host}/v1", "OPENAI_API_KEY", None)
            for host in ("evil.example", "8.8.8.8", "134744072", "0x08080808", "[2001:4860::1]")
        ),
        ("openai", None, "NOT_SET", None),
        ("groq", None, None, None),
        ("vllm", None, None, ""),
        ("ollama", None, None, ""),
    ],
)
def test_whose_key_goes_where(
    kind: str, option: str | None, named: str | None, key: str | None
) -> None:
    provider = PROVIDERS[kind]
    place = place_of(provider, option)
    if key is None:
        with pytest.raises(UserError, match=r"http|not set|API key") as caught:
            key_for("x/m", provider, place, named)
        assert KEY not in str(caught.value)
    else:
        assert key_for("x/m", provider, place, named) == key


def test_an_address_of_the_environment_is_for_its_kind_alone(
    openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", f"{openai_server.url}/")
    assert OpenAI("m").address == openai_server.url
    assert Mistral("m").address == "https://api.mistral.ai/v1"
    assert Ollama("m").address == "http://localhost:11434/v1"
    assert Vllm("m", base_url="HTTPS://GPU.Example.org:443/v1/").address == (
        "https://gpu.example.org/v1"
    )
    assert normalised("http://[FE80::1]:8000/v1") == "http://[fe80::1]:8000/v1"


@pytest.mark.parametrize("streams", [False, True])
def test_nothing_follows_a_redirect_to_another_host(
    openai_server: OpenAIServer,
    other_server: OpenAIServer,
    monkeypatch: pytest.MonkeyPatch,
    streams: bool,
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.url)
    at = f"{other_server.url}/chat/completions"
    elsewhere = [at, at.replace("http:", ""), "http://[odd/", "https://127.0.0.1/v1"]
    for status, to in zip((307, 308, 301, 302), elsewhere, strict=True):
        headers = {"Location": to}
        openai_server.reply = lambda seen, status=status, headers=headers: web.Response(
            status=status, headers=headers
        )
        before = len(openai_server.seen)
        with pytest.raises(UserError, match="sends requests on to another address") as caught:
            heard(OpenAI("m"), []) if streams else ask(OpenAI("m"))
        assert str(other_server.port) not in str(caught.value)
        assert len(openai_server.seen) == before + 1
    assert not other_server.seen


@pytest.mark.parametrize("streams", [False, True])
def test_a_redirect_within_the_host_is_followed(
    openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch, streams: bool
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", openai_server.url)
    openai_server.reply = lambda seen: (
        None
        if "moved" in seen.path
        else web.Response(status=307, headers={"Location": "/v1/chat/completions?moved=1"})
    )
    assert (heard(OpenAI("m"), []) if streams else ask(OpenAI("m"))).text
    first, second = openai_server.seen
    assert first.body == second.body
    assert first.headers["authorization"] == second.headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("status", [400, 401, 404, 500])
@pytest.mark.parametrize("source", ["base_url", "OPENAI_BASE_URL"])
def test_no_message_names_an_inner_host_or_a_key(
    openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch, status: int, source: str
) -> None:
    address = openai_server.url
    openai_server.reply = lambda seen: web.json_response(
        {"error": {"message": f"No {KEY} at {address}/x, 127.0.0.1!"}}, status=status
    )
    options: dict[str, Any] = {"max_retries": 0}
    if source == "base_url":
        options |= {"base_url": address, "api_key_env": "OPENAI_API_KEY"}
    else:
        monkeypatch.setenv(source, address)
    monkeypatch.setattr(  # as if it were another machine nearby
        "bench.backbones.openai.providers._at_home", lambda address, loopback=False: not loopback
    )
    with pytest.raises((UserError, Unreachable)) as caught:
        ask(OpenAI("m", **options), prompt(str))
    told = str(caught.value)
    assert KEY not in told and "127.0.0.1" not in told and "***" in told
    assert status == 400 or f"the address in {source}" in told
    assert caught.value.__cause__ is None and caught.value.__context__ is None


def test_a_short_host_is_struck_out_as_a_word_alone() -> None:
    told = "llm is all: LLM, http://llm:80/, llms, my.llm, key-0123456789x"
    assert struck(told, "key-0123456789", "llm") == (
        "*** is all: ***, http://***/, llms, my.llm, ***x"
    )


def test_azure_names_its_key_for_an_address_among_the_options(
    openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", OTHER)
    options = {"base_url": openai_server.azure_endpoint, "api_version": "2024-10-21"}
    with pytest.raises(UserError, match="api_key_env"):
        ask(Azure("dep", **options))
    assert not openai_server.seen
    ask(Azure("dep", api_key_env="AZURE_OPENAI_API_KEY", **options))
    assert openai_server.seen[0].headers["api-key"] == OTHER
    assert KEY not in sent(openai_server)
    assert Azure("dep", **options).address == openai_server.azure_endpoint
    assert Azure.alias is True


def test_every_provider_is_a_kind() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    points = project["entry-points"]["pzbench.backbones"]
    for kind, provider in PROVIDERS.items():
        made_by = EntryPoint(kind, points[kind], "pzbench.backbones").load()
        assert made_by.provider is provider
        assert made_by("some-model").name == f"{kind}/some-model"
        if provider.address:
            assert normalised(provider.address) == provider.address == made_by("m").address


def test_no_key_goes_through_a_proxy_over_plain_http(
    openai_server: OpenAIServer, other_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{other_server.port}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{other_server.port}")
    monkeypatch.setenv("HERE_KEY", OTHER)
    ask(OpenAI("m", base_url=openai_server.url, api_key_env="HERE_KEY", max_retries=0))
    assert OTHER in sent(openai_server)
    assert not other_server.seen


HOSTS = ("evil.com\\.api.openai.com", "evil.com%2f.api.openai.com", "a;b", "a b")


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_that_is_none_is_refused(host: str) -> None:
    with pytest.raises(UserError, match="base URL"):
        OpenAI("m", base_url=f"https://{host}/v1")


def test_no_key_goes_over_plain_http_to_a_stranger_whoever_names_him(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    openai = PROVIDERS["openai"]
    monkeypatch.setenv("OPENAI_BASE_URL", "http://192.0.2.7.example.com/v1")
    with pytest.raises(UserError, match="plain http"):
        key_for("openai/m", openai, place_of(openai, None), None)
    monkeypatch.setenv("OPENAI_API_KEY", "none")
    assert key_for("openai/m", openai, place_of(openai, None), None) == "none"


def test_what_a_server_calls_itself_holds_no_key_and_no_host(
    openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HERE_KEY", OTHER)
    openai_server.names = lambda seen: f"{OTHER} at 10.9.8.7:80"
    told = ask(OpenAI("m", base_url=openai_server.url, api_key_env="HERE_KEY")).model
    assert told is not None and OTHER not in told and "10.9.8.7" not in told
