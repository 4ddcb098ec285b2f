"""A real, small OpenAI-compatible server that sees words only; loopback only.

Structured requests are answered from their schema and a hash of the messages: the same request
gets the same answer (unless `vary`). Faults follow a plan. In a test, take the `openai_server`
fixture; for a process of its own: `python tests/support/openai_server.py`, which prints its port
and stays for `--life` seconds; `GET /stats` tells the counts.
"""

import argparse
import asyncio
import hashlib
import json
import re
import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import schema_answers
from aiohttp import web

Kind = Literal[
    "status",  # a plain failure: status, code, message, retry_after
    "hang",  # silence for `seconds`, then nothing
    "reset",  # the connection closed without an answer
    "truncated",  # the connection closed amid the body
    "garbage",  # what is no HTTP at all
    "broken-json",  # 200 with half a JSON body
    "html",  # 200 with a web page
    "no-choices",  # 200 with an empty list of choices
    "error-200",  # 200 with an error object
    "wrong-schema",  # valid JSON that does not fit
    "cut-json",  # an answer without its last brackets; repair can mend it
    "length",  # cut at the token limit
    "refusal",  # the refusal field
    "filter",  # finish_reason content_filter
    "formats",  # 400 for the response_format types named in `formats`
    "no-streams",  # 400 for requests to stream
    "whole",  # the answer in one although a stream was asked for
    "cut-stream",  # the connection closed after half of the pieces
    "early-stream",  # a stream that ends before the answer does
    "error-stream",  # an error object after half of the pieces
    "broken-stream",  # broken JSON after half of the pieces
]
STREAMED = ("no-streams", "whole", "cut-stream", "early-stream", "error-stream", "broken-stream")
MOST_SEEN = 10_000


@dataclass(frozen=True)
class Seen:
    """One request as received."""

    index: int
    path: str
    body: dict[str, Any]
    headers: dict[str, str]
    repeat: int
    """How many identical bodies came before."""

    @property
    def format(self) -> str:
        """Type of response_format; empty without."""
        return str((self.body.get("response_format") or {}).get("type", ""))

    @property
    def words(self) -> str:
        """All that was said."""
        return "\n".join(str(one.get("content")) for one in self.body.get("messages", ()))


@dataclass
class Fault:
    """One line of the plan: what goes wrong, and when."""

    kind: Kind
    at: tuple[int, ...] | None = None
    """Request indices, from 0; none for any."""
    times: int | None = None
    """How often at most."""
    status: int = 500
    code: str | None = None
    message: str = "a planned fault"
    retry_after: str | None = None
    seconds: float = 30.0
    formats: tuple[str, ...] = ("json_schema", "json_object")
    when: Callable[[Seen], bool] | None = field(default=None, repr=False)

    def meets(self, seen: Seen) -> bool:
        """Whether it is this request's turn; uses one of the times up."""
        due = (
            (self.at is None or seen.index in self.at)
            and (self.when is None or self.when(seen))
            and (self.kind != "formats" or seen.format in self.formats)
            and (self.kind not in STREAMED or bool(seen.body.get("stream")))
            and self.times != 0
        )
        if due and self.times is not None:
            self.times -= 1
        return due


class OpenAIServer:
    """The server; start() binds a free port of 127.0.0.1 in a thread of its own."""

    def __init__(self, latency: float = 0.0) -> None:
        self.port = 0
        self.latency = latency
        self.pauses: Callable[[Seen], float] | None = None
        """Seconds before an answer, in the place of the latency."""
        self.pace = 0.0
        """Seconds before each piece of a stream."""
        self.vary = False
        """Whether identical requests get different answers."""
        self.key: str | None = None
        """Key that requests must bear; none to take all."""
        self.hook: Callable[[Seen], str | None] | None = None
        """Gives the text of an answer; none falls back to the schema."""
        self.reply: Callable[[Seen], web.Response | None] | None = None
        """Gives a whole response, whatever it is; none leaves it to the plan."""
        self.names: Callable[[Seen], str] | None = None
        """Gives the name of the model that answers; none for a dated copy of the one asked."""
        self.tokens = tokens_of
        """How an echoed prompt is printed."""
        self.faults: list[Fault] = []
        self.seen: deque[Seen] = deque(maxlen=MOST_SEEN)
        self._total = self._peak = self._in_flight = 0
        self._bodies: Counter[str] = Counter()
        self._ready = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    @property
    def url(self) -> str:
        """Base URL as clients want it."""
        return f"http://127.0.0.1:{self.port}/v1"

    @property
    def azure_endpoint(self) -> str:
        """Endpoint as the Azure client wants it."""
        return f"http://127.0.0.1:{self.port}"

    def fail(
        self,
        kind: Kind,
        *,
        at: Iterable[int] | None = None,
        times: int | None = None,
        when: Callable[[Seen], bool] | None = None,
        **detail: Any,
    ) -> None:
        """Plan a fault; the first that meets a request holds."""
        places = None if at is None else tuple(at)
        self.faults.append(Fault(kind, at=places, times=times, when=when, **detail))

    def stats(self) -> dict[str, Any]:
        """Counts: total, peak and present in flight, requests by hash of their body."""
        return {
            "total": self._total,
            "peak": self._peak,
            "in_flight": self._in_flight,
            "bodies": dict(self._bodies),
        }

    def start(self) -> "OpenAIServer":
        self._thread = threading.Thread(target=lambda: asyncio.run(self.serve()), daemon=True)
        self._thread.start()
        if not self._ready.wait(10):
            raise RuntimeError("the server did not start")
        return self

    def stop(self) -> None:
        if self._loop and self._stop and self._thread and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(10)

    async def serve(self, life: float | None = None, announce: bool = False) -> None:
        """Serve until stopped or for so many seconds."""
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = web.Application(client_max_size=16 * 2**20)
        app.router.add_post("/v1/chat/completions", self._post)
        app.router.add_post("/v1/completions", self._post)
        app.router.add_post("/openai/deployments/{deployment}/chat/completions", self._post)
        app.router.add_post("/openai/deployments/{deployment}/completions", self._post)
        app.router.add_get("/stats", self._stats)
        runner = web.AppRunner(app, shutdown_timeout=0.2, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.port = runner.addresses[0][1]
        self._ready.set()
        if announce:
            print(self.port, flush=True)
        try:
            async with asyncio.timeout(life):
                await self._stop.wait()
        except TimeoutError:
            pass
        finally:
            await runner.cleanup()

    async def _stats(self, request: web.Request) -> web.Response:
        return web.json_response(self.stats())

    async def _post(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:16]
        seen = Seen(
            index=self._total,
            path=request.path_qs,
            body=body,
            headers={name.lower(): value for name, value in request.headers.items()},
            repeat=self._bodies[digest],
        )
        self.seen.append(seen)
        self._bodies[digest] += 1
        self._total += 1
        self._in_flight += 1
        self._peak = max(self._peak, self._in_flight)
        try:
            await self._pause(self.pauses(seen) if self.pauses else self.latency)
            return await self._answer(request, seen)
        finally:
            self._in_flight -= 1

    async def _pause(self, seconds: float) -> None:
        if seconds <= 0 or self._stop is None:
            return
        try:
            async with asyncio.timeout(min(seconds, 60.0)):
                await self._stop.wait()
        except TimeoutError:
            pass

    async def _answer(self, request: web.Request, seen: Seen) -> web.StreamResponse:
        bearer = seen.headers.get("authorization", "").removeprefix("Bearer ")
        if self.key is not None and self.key not in (bearer, seen.headers.get("api-key")):
            return _error(401, "invalid_api_key", f"Incorrect API key provided: {bearer}")
        if seen.path.startswith("/openai/") and "api-version=" not in seen.path:
            return _error(404, "404", "Resource not found")
        if self.reply is not None and (given := self.reply(seen)) is not None:
            return given
        fault = next((one for one in self.faults if one.meets(seen)), None)
        if fault is not None and (broken := await self._break(request, fault)) is not None:
            return broken
        if "messages" not in seen.body:
            return web.json_response(_completion(seen, self.tokens))
        answer = self._chat(seen, fault)
        if seen.body.get("stream") and not (fault and fault.kind == "whole"):
            return await self._stream(request, seen, answer, fault.kind if fault else "")
        return web.json_response(answer)

    async def _stream(
        self, request: web.Request, seen: Seen, answer: dict[str, Any], fault: str
    ) -> web.StreamResponse:
        """The answer in pieces, as server-sent events."""
        (choice,) = answer["choices"]
        said = {key: choice["message"][key] for key in ("content", "refusal")}
        pieces: list[dict[str, Any]] = [
            {key: piece}
            for key, text in said.items()
            for piece in re.findall(r"\s*\S+", text or "")
        ]
        base = {key: answer[key] for key in ("id", "created", "model")}
        base["object"] = "chat.completion.chunk"

        def event(delta: dict[str, Any], finish: str | None = None) -> bytes:
            choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
            return _event({**base, "choices": choices})

        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": comments are no data\n\n" + event({"role": "assistant"}))
        broken = fault.endswith("-stream")
        for delta in pieces[: len(pieces) // 2] if broken else pieces:
            await self._pause(self.pace)
            await response.write(event(delta))
        if fault == "cut-stream" and request.transport is not None:
            request.transport.abort()
            return response
        if fault == "error-stream":
            await response.write(_event({"error": {"message": "a planned fault", "code": 502}}))
        elif fault == "broken-stream":
            await response.write(b'data: {"choices": [{"del\n\n')
        elif not broken:
            await response.write(event({}, choice["finish_reason"]))
            if (seen.body.get("stream_options") or {}).get("include_usage"):
                await response.write(_event({**base, "choices": [], "usage": answer["usage"]}))
            await response.write(b"data: [DONE]\n\n")
        await response.write_eof()
        return response

    async def _break(self, request: web.Request, fault: Fault) -> web.StreamResponse | None:
        """What a fault does to the exchange; none if it is one of the content."""
        match fault.kind:
            case "no-streams":
                return _error(400, None, "'stream' is not supported by this model")
            case "status" | "formats":
                status = 400 if fault.kind == "formats" else fault.status
                message = fault.message
                if fault.kind == "formats":
                    message = "response_format of this type is not supported by this model"
                return _error(status, fault.code, message, fault.retry_after)
            case "hang":
                await self._pause(fault.seconds)
                return web.Response(status=504)
            case "reset" | "garbage" | "truncated":
                return self._drop(request, fault.kind)
            case "broken-json":
                return web.Response(text='{"id": "x", "choi', content_type="application/json")
            case "html":
                page = "<html><body>Bad gateway</body></html>"
                return web.Response(text=page, content_type="text/html")
            case "no-choices":
                return web.json_response({"id": "x", "object": "chat.completion", "choices": []})
            case "error-200":
                return web.json_response({"error": {"message": fault.message, "code": 502}})
        return None

    def _drop(self, request: web.Request, kind: str) -> web.StreamResponse:
        transport = request.transport
        if transport is not None:
            if kind == "garbage":
                transport.write(b"what is this\r\n\r\n")
                transport.close()
            elif kind == "truncated":
                head = (
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n"
                )
                transport.write(head.encode() + b'\r\n{"id": ')
                transport.close()
            else:
                transport.abort()
        return web.Response(status=500)

    def _chat(self, seen: Seen, fault: Fault | None) -> dict[str, Any]:
        kind = fault.kind if fault else ""
        text = self._text(seen)
        message: dict[str, Any] = {"role": "assistant", "content": text, "refusal": None}
        finish = "stop"
        if kind == "wrong-schema":
            message["content"] = json.dumps({"unexpected": ["valid", "JSON"]})
        elif kind == "cut-json":
            message["content"] = text.rstrip('}]" ')
        elif kind == "length":
            message["content"], finish = text[: len(text) // 2], "length"
        elif kind == "refusal":
            message["content"], message["refusal"] = None, "I cannot help with that."
        elif kind == "filter":
            message["content"], finish = None, "content_filter"
        used = len(seen.words.split())
        said = len(str(message["content"] or "").split())
        return {
            "id": f"chatcmpl-{seen.index}",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": self.names(seen) if self.names else f"{seen.body.get('model')}-0001",
            "choices": [
                {"index": 0, "message": message, "finish_reason": finish, "logprobs": None}
            ],
            "usage": {
                "prompt_tokens": used,
                "completion_tokens": said,
                "total_tokens": used + said,
            },
        }

    def _text(self, seen: Seen) -> str:
        if self.hook is not None and (given := self.hook(seen)) is not None:
            return given
        messages = seen.body["messages"]
        seed = json.dumps([messages, seen.repeat if self.vary else 0], sort_keys=True)
        schema = (seen.body.get("response_format") or {}).get("json_schema", {}).get("schema")
        if schema is None:
            found = (schema_answers.schema_in(str(one["content"])) for one in reversed(messages))
            schema = next((one for one in found if one is not None), None)
        if schema is None:
            return schema_answers.sentence(seed)
        made = schema_answers.answer(schema, seed)
        if "statements" in schema.get("properties", {}):
            return neutral(made, seen.words)
        return planned(made, seen.words)


def _event(data: dict[str, Any]) -> bytes:
    """One server-sent event, other line ends than "\\n" left as they are."""
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


PLAN = re.compile(
    r"^Disease: (.+) \(give it exactly so\)\nGender: (\w+)\nAge: (\d+)$", re.MULTILINE
)


def planned(made: str, words: str) -> str:
    """A record as a model writes it that keeps to the disease, gender and age it was told."""
    told, record = PLAN.search(words), json.loads(made)
    if told is None or "gender" not in record.get("basic_information", ()):
        return made
    record["disease_information"]["disease"] = told[1]
    record["basic_information"] |= {"gender": told[2], "age": int(told[3])}
    return json.dumps(record, ensure_ascii=False)


def neutral(made: str, words: str) -> str:
    """Labels as a model gives them that finds each statement neutral to every fact."""
    told = words.rpartition("of the patient:")[2]
    numbers = sorted({1, *(int(one) for one in re.findall(r"^(\d+): ", told, re.MULTILINE))})
    entries = [{"statement": number, "labels": []} for number in numbers]
    return json.dumps(json.loads(made) | {"statements": entries})


def _error(
    status: int, code: str | None, message: str, retry_after: str | None = None
) -> web.Response:
    body = {"error": {"message": message, "type": "planned", "param": None, "code": code}}
    headers = {"Retry-After": retry_after} if retry_after is not None else {}
    return web.json_response(body, status=status, headers=headers)


def tokens_of(text: str) -> list[str]:
    """The server's tokens: words with the space before them."""
    return re.findall(r"\s*\S+|\s+", text)


def logprob_of(before: str, token: str) -> float:
    """The server's log-probability of a token after a text."""
    digest = hashlib.sha256(f"{before}\x00{token}".encode()).digest()
    return -10.0 * int.from_bytes(digest[:4], "big") / 2**32


def _completion(seen: Seen, tokens: Callable[[str], list[str]]) -> dict[str, Any]:
    prompt = str(seen.body["prompt"])
    said = schema_answers.sentence(prompt) if seen.body.get("max_tokens", 16) else ""
    text = (prompt if seen.body.get("echo") else "") + said
    offset, found = 0, []
    for token in tokens(text):
        value = logprob_of(text[:offset], token) if offset else None
        found.append((token, value, offset))
        offset += len(token)
    logprobs = None
    if seen.body.get("logprobs") is not None:
        logprobs = {
            "tokens": [one[0] for one in found],
            "token_logprobs": [one[1] for one in found],
            "text_offset": [one[2] for one in found],
            "top_logprobs": None,
        }
    choice = {"index": 0, "text": text, "finish_reason": "length", "logprobs": logprobs}
    return {
        "id": f"cmpl-{seen.index}",
        "object": "text_completion",
        "created": 1_700_000_000,
        "model": str(seen.body.get("model")),
        "choices": [choice],
        "usage": {"prompt_tokens": len(found), "completion_tokens": 0, "total_tokens": len(found)},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--life", type=float, default=900.0, help="seconds until it ends itself")
    given = parser.parse_args()
    asyncio.run(OpenAIServer(given.latency).serve(life=given.life, announce=True))


if __name__ == "__main__":
    main()
