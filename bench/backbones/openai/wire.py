"""The openai client made strict, and its errors in our words.

Promise: whatever a server sends, an exchange ends as a completion (a JSON object with a choice, for
scores) or as one of our errors. Nothing that the client reads from the environment goes out, only
the headers that are ours; nothing follows a server to another host; no more than 20 MB of a body
are unpacked. The client's own retries do the retrying: what it would take for success (a 200 with
broken JSON, with a web page, without a choice) is given to it as the transport failure that it is.

Imports the client at once, which costs tenths of a second: import this module late.
"""

import asyncio
import errno
import json
import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import aclosing, suppress
from dataclasses import dataclass
from typing import Any

import aiohttp
import httpx2
import openai

from bench.backbones.openai.reading import Broken, Heard, completion
from bench.backbones.openai.said import codes, parameter, said, struck
from bench.backbones.prompt import Completion
from bench.core.text import one_line

CONNECT = 10.0
"""Seconds allowed for reaching a server."""
MOST_SAID = 300
"""Characters quoted of what a server said."""
MOST_BYTES = 20_000_000
"""Bytes of an unpacked body; a longer one is cut off."""
LARGE = 200_000
"""Bytes of a body that is read beside the event loop."""
CHAT = "/chat/completions"
_SENT = ("accept", "connection", "content-length", "content-type", "host", "user-agent")
ELSEWHERE = "it sends requests on to another address, where nothing is sent"


@dataclass(frozen=True)
class Fault:
    """Why an exchange failed, free of openai's types."""

    status: int | None
    """HTTP status; none if no whole answer came."""
    code: str
    """The server's error codes and types, lower case; empty if it gave none."""
    told: str
    """What went wrong, in the server's words where it gave any; in one line."""
    parameter: str = ""
    """The parameter at fault, if the server names one apart."""
    absent: bool = False
    """Nothing listens at the address, or its host is not known."""

    @property
    def said(self) -> str:
        """The words as they are quoted."""
        return self.told if len(self.told) <= MOST_SAID else self.told[:MOST_SAID] + "…"

    @property
    def all(self) -> str:
        """Everything that may name what the server did not take."""
        return f"{self.code} {self.parameter} {self.told}"


class TooLarge(Exception):
    """A body that has no end, or might as well have none."""

    def __init__(self) -> None:
        super().__init__(f"an answer of more than {MOST_BYTES // 10**6} MB")


class _Unpacked(httpx2.AsyncByteStream):
    """A body, unpacked while it is read and cut off where it is too long."""

    def __init__(self, packed: httpx2.Response) -> None:
        self._packed = packed

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        async for part in self._packed.aiter_bytes():
            size += len(part)
            if size > MOST_BYTES:
                raise TooLarge
            yield part

    async def aclose(self) -> None:
        await self._packed.aclose()


class Checked(openai.DefaultAioHttpClient):
    """The openai client's aiohttp transport, refusing what only looks like success."""

    def __init__(self, seconds: float, *, encrypted: bool) -> None:
        """Wait so many seconds for a server to go on speaking; only `encrypted` use a proxy."""
        hooks: dict[str, list[Callable[..., Any]]] = {
            "request": [self._ours_alone],
            "response": [_held],
        }
        limit = httpx2.Timeout(seconds, connect=min(CONNECT, seconds))
        # A proxy would read along what goes over plain HTTP, keys too.
        super().__init__(timeout=limit, event_hooks=hooks, trust_env=encrypted)
        self.bearing: dict[str, str] = {}
        """Headers that say who asks."""

    async def _ours_alone(self, request: httpx2.Request) -> None:
        kept = {name: value for name, value in request.headers.items() if name in _SENT}
        request.headers = httpx2.Headers({**kept, "accept-encoding": "gzip", **self.bearing})

    async def send(
        self, request: httpx2.Request, *, stream: bool = False, **options: Any
    ) -> httpx2.Response:
        """Send and check.

        Raises:
            httpx2.RemoteProtocolError: the answer is no HTTP, or a success that holds no
                completion; the openai client retries this.
        """
        try:
            response = await super().send(request, stream=stream, **options)
            if stream:
                kind = response.headers.get("content-type", "").partition(";")[0]
                if response.is_success and kind.strip().lower() == "text/event-stream":
                    return response
                await response.aread()  # an error, or an answer given whole all the same
        except aiohttp.ClientError as error:
            # The transport maps most, not malformed HTTP.
            fault = f"malformed HTTP ({type(error).__name__})"
            raise httpx2.RemoteProtocolError(fault, request=request) from error
        except TooLarge as fault:  # as a success, for the client would ask again
            return httpx2.Response(200, request=request, extensions={"found": fault})
        if response.is_success:
            large = len(response.content) > LARGE
            read = asyncio.to_thread(_read, response) if large else None
            response.extensions["found"] = await read if read else _read(response)
        elif response.status_code == 429 and "insufficient_quota" in response.text:
            response.headers["x-should-retry"] = "false"
        return response


async def _held(response: httpx2.Response) -> None:
    """Hold a response back from unpacking without end, and from sending us elsewhere."""
    size = response.headers.get("content-length", "")
    if "content-encoding" in response.headers or not size.isdigit() or int(size) > MOST_BYTES:
        packed = httpx2.Response(
            response.status_code,
            headers=response.headers,
            stream=response.stream,
            request=response.request,
        )
        response.stream = _Unpacked(packed)
        response.headers.pop("content-encoding", None)
    if response.has_redirect_location:
        asked = response.request.url
        try:
            to = asked.join(response.headers["location"])
            near = (to.scheme, to.host, to.port) == (asked.scheme, asked.host, asked.port)
        except httpx2.InvalidURL:
            near = False
        if not near:
            del response.headers["location"]
            response.extensions["elsewhere"] = True


def _read(response: httpx2.Response) -> Any:
    """What a success holds: a completion; the whole body where scores were asked for.

    Raises:
        httpx2.RemoteProtocolError: it holds none.
    """
    try:
        body = _parsed(response.content)
        found = completion(body) if response.request.url.path.endswith(CHAT) else _choice(body)
    except Broken as broken:
        fault = str(broken)
        if fault == BROKEN and "html" in response.headers.get("content-type", ""):
            fault = "a web page instead of JSON"
        raise httpx2.RemoteProtocolError(fault, request=response.request) from None
    return found


BROKEN = "broken JSON"


def _parsed(data: str | bytes) -> Any:
    try:
        # One stray byte is no reason to lose an answer.
        return json.loads(data if isinstance(data, str) else data.decode(errors="replace"))
    except (ValueError, RecursionError):  # a number may be too long, too
        raise Broken(BROKEN) from None


def _choice(body: Any) -> dict[str, Any]:
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        told = said(body.get("error")) if isinstance(body, dict) else ""
        raise Broken(f"an error with status 200: {told}" if told else "an answer without a choice")
    found: dict[str, Any] = body
    return found


async def post(client: openai.AsyncOpenAI, path: str, body: dict[str, Any]) -> Any:
    """One exchange, the client's retries included; a completion, or the body with scores.

    The raw answer is read, not the client's typed one: half the work, and nothing gets lost.

    Raises:
        openai.APIError: as the client raises it.
        TooLarge: more came than is read.
    """
    return _found(await client.post(path, cast_to=httpx2.Response, body=body))


def _found(response: httpx2.Response) -> Any:
    found = response.extensions["found"]
    if isinstance(found, TooLarge):
        raise found
    return found


async def stream(
    client: openai.AsyncOpenAI, body: dict[str, Any], on_text: Callable[[str], None]
) -> Completion:
    """One exchange whose text is heard as it comes; the completion as `post` gives it.

    The client's retries end where the answer begins: one that breaks off in the middle has been
    heard already and is not asked for again.

    Raises:
        openai.APIError: as the client raises it, and for an answer that breaks off.
        TooLarge: more came than is read.
    """
    asked = {**body, "stream": True, "stream_options": {"include_usage": True}}
    kind: Any = openai.AsyncStream[object]  # not used: the response itself is asked for
    given: Any = await client.post(
        CHAT, cast_to=httpx2.Response, body=asked, stream=True, stream_cls=kind
    )
    response: httpx2.Response = given
    if "found" in response.extensions:
        whole: Completion = _found(response)
        return whole
    fault: Exception
    try:
        return await _heard(response, on_text)
    except (httpx2.RequestError, aiohttp.ClientError, TimeoutError) as error:
        fault = error
    except Broken as broken:
        fault = httpx2.RemoteProtocolError(str(broken), request=response.request)
    finally:
        await response.aclose()
    raise openai.APIConnectionError(request=response.request) from fault


async def _heard(response: httpx2.Response, on_text: Callable[[str], None]) -> Completion:
    heard, ended = Heard("delta"), False
    events: Any = aiter(httpx2.EventSource(response, max_event_size=None))
    async with aclosing(events):
        async for event in events:
            if event.data.startswith("[DONE]"):
                ended = True
                break
            if event.data and (piece := heard.take(_parsed(event.data))):
                on_text(piece)
    return heard.completion(ended=ended)


def fault(error: openai.APIError, secret: str, host: str) -> Fault:
    """What an error of the client means, with the secret and the host struck out."""
    if isinstance(error, openai.APIStatusError):
        if "elsewhere" in error.response.extensions:
            return Fault(error.status_code, "", ELSEWHERE)
        body = text = error.response.text
        with suppress(Broken):
            body = _parsed(text)
        told = said(body) or said(text) or f"status {error.status_code}"
        code, told, at = (struck(one, secret, host) for one in (codes(body), told, parameter(body)))
        return Fault(error.status_code, code, told, at)
    told, absent = _transport(error)
    return Fault(None, "", struck(one_line(told), secret, host), absent=absent)


def _transport(error: BaseException) -> tuple[str, bool]:
    """The plainest words for a failure without an answer, and whether no server was there."""
    for cause in _causes(error):
        # Its subclass is a failure to resolve the name. A refusal hides among the aiohttp
        # transport's time-outs, so look for it first.
        if isinstance(cause, aiohttp.ClientConnectorDNSError):
            return "its host is not known", True
        if isinstance(cause, aiohttp.ClientConnectorError):
            number = cause.os_error.errno
            if number == errno.ECONNREFUSED:
                return "connection refused", True
            why = os.strerror(number) if number and number > 0 else type(cause).__name__
            return f"no connection ({why})", False
        if isinstance(cause, httpx2.RemoteProtocolError):
            return f"the server sent {cause}", False
    for cause in _causes(error):
        if isinstance(cause, aiohttp.ServerTimeoutError | TimeoutError):
            return "no answer within the time limit", False
    last = list(_causes(error))[-1]
    return f"the connection broke ({type(last).__name__})", False


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__
