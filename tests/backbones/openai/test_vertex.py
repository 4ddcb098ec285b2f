"""Vertex, with a real service account whose token server is on this machine."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from asking import ask, prompt
from openai_server import OpenAIServer

from bench.backbones.openai.vertex import Vertex
from bench.backbones.prompt import Unreachable
from bench.core.errors import UserError

pytest.importorskip("google.auth")


class Tokens:
    """A server of access tokens, each its own."""

    def __init__(self) -> None:
        self.given: list[str] = []
        self.lasts = 3600
        self.refuses = False
        tokens = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["content-length"]))
                told: dict[str, Any] = {"error": "invalid_grant", "error_description": "No such."}
                if not tokens.refuses:
                    tokens.given.append(f"ya29.token-{len(tokens.given)}-0123456789")
                    told = {"access_token": tokens.given[-1], "expires_in": tokens.lasts}
                data = json.dumps(told).encode()
                self.send_response(400 if tokens.refuses else 200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def tokens() -> Iterator[Tokens]:
    server = Tokens()
    yield server
    server.stop()


@pytest.fixture
def account(tokens: Tokens, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A service account's file, found as Google's libraries find it."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = tmp_path / "account.json"
    about = {
        "type": "service_account",
        "project_id": "p",
        "private_key_id": "1",
        "private_key": key.decode(),
        "client_email": "bench@p.iam.gserviceaccount.com",
        "token_uri": f"http://127.0.0.1:{tokens.server.server_port}/token",
    }
    file.write_text(json.dumps(about))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
    for name in ("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"):
        monkeypatch.delenv(name, raising=False)
    return file


@pytest.fixture
def local(openai_server: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> OpenAIServer:
    monkeypatch.setattr(Vertex, "_address", lambda self, project, location: openai_server.url)
    return openai_server


def asked(times: int, **options: Any) -> None:
    backbone = Vertex("google/gemini-2.5-flash", project="p", max_retries=0, **options)

    async def work() -> None:
        try:
            for _ in range(times):
                await asyncio.gather(*(backbone.complete(prompt(), "k") for _ in range(5)))
        finally:
            await backbone.close()

    asyncio.run(work())


@pytest.mark.usefixtures("account")
def test_a_token_is_renewed_when_it_ends(local: OpenAIServer, tokens: Tokens) -> None:
    asked(2)
    assert len(tokens.given) == 1
    assert {one.headers["authorization"] for one in local.seen} == {f"Bearer {tokens.given[0]}"}
    assert local.seen[0].body["model"] == "google/gemini-2.5-flash"
    tokens.lasts = 1  # ends before it is used
    asked(2)
    assert len(tokens.given) > 2
    assert local.seen[-1].headers["authorization"] == f"Bearer {tokens.given[-1]}"


@pytest.mark.usefixtures("account")
def test_what_hinders_a_token_is_one_sentence(local: OpenAIServer, tokens: Tokens) -> None:
    tokens.refuses = True
    with pytest.raises(UserError, match=r"credentials cannot be used .*invalid_grant"):
        asked(1)
    tokens.refuses = False
    local.fail("status", status=401, message=f"Not you: {'ya29.token-0-0123456789'}")
    with pytest.raises(UserError, match=r"Not you: \*\*\*.*project and location"):
        asked(1)
    tokens.stop()
    with pytest.raises(Unreachable, match="server of access tokens"):
        asked(1)


def test_credentials_are_wanted(local: OpenAIServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/nowhere/account.json")
    with pytest.raises(UserError, match="GOOGLE_APPLICATION_CREDENTIALS"):
        asked(1)
    monkeypatch.delenv("GOOGLE_CLOUD_PROJECT", raising=False)
    with pytest.raises(UserError, match="GOOGLE_CLOUD_PROJECT"):
        ask(Vertex("m"))


@pytest.mark.usefixtures("account")
def test_an_address_among_the_options_gets_no_token(
    openai_server: OpenAIServer, tokens: Tokens
) -> None:
    asked(1, base_url=openai_server.url)
    assert not tokens.given
    assert "authorization" not in openai_server.seen[0].headers


def test_where_vertex_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GOOGLE_CLOUD_PROJECT", "GOOGLE_CLOUD_LOCATION"):
        monkeypatch.delenv(name, raising=False)
    assert Vertex("m").address == ""
    at = "aiplatform.googleapis.com/v1/projects/p/locations"
    assert Vertex("m", project="p").address == f"https://{at}/global/endpoints/openapi"
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "p")
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "europe-west4")
    assert Vertex("m").address == f"https://europe-west4-{at}/europe-west4/endpoints/openapi"
    monkeypatch.setenv("GOOGLE_CLOUD_LOCATION", "evil.example/")
    with pytest.raises(UserError, match="location"):
        Vertex("m")
    assert {"project", "location", "base_url"} <= set(Vertex.transport)
