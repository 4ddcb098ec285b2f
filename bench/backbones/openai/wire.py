"""The openai client made strict, and its errors in our words.

Promise: whatever a server sends, an exchange ends as a JSON object with a choice in it or as one
of our errors, and no error text holds an API key worth hiding. The client's own retries do the
retrying: what it would take for success (a 200 with broken JSON, with a web page, without a
choice) is given to it as the transport failure that it is.

Imports the client at once, which costs tenths of a second: import this module late.
"""

import errno
import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
import httpx2
import openai

from bench.backbones.prompt import Completion
from bench.core.text import one_line

CONNECT = 10.0
"""Seconds allowed for reaching a server."""
MOST_SAID = 300
"""Characters quoted of what a server said."""
LEAST_SECRET = 8
"""Characters of a key worth hiding; "x", which servers of one's own are given, is in every word."""


@dataclass(frozen=True)
class Fault:
    """Why an exchange failed, free of openai's types."""

    status: int | None
    """HTTP status; none if no whole answer came."""
    code: str
    """The server's error code or type, lower case; empty if it gave none."""
    said: str
    """What went wrong, in the server's words where it gave any; at most one line."""
    absent: bool = False
    """Nothing listens at the address, or its host is not known."""


class Checked(openai.DefaultAioHttpClient):
    """The openai client's aiohttp transport, refusing what only looks like success."""

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
        except aiohttp.ClientError as error:
            # The transport maps most, not malformed HTTP.
            fault = f"malformed HTTP ({type(error).__name__})"
            raise httpx2.RemoteProtocolError(fault, request=request) from error
        if stream:
            kind = response.headers.get("content-type", "")
            if response.is_success and "event-stream" in kind:
                return response
            await response.aread()  # an error, or an answer given whole all the same
        if response.is_success:
            _check(response)
        elif response.status_code == 429 and "insufficient_quota" in response.text:
            response.headers["x-should-retry"] = "false"
        return response


def _check(response: httpx2.Response) -> None:
    """Keep the parsed body with the response.

    Raises:
        httpx2.RemoteProtocolError: it is no completion.
    """
    fault = ""
    try:
        body = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        page = "html" in response.headers.get("content-type", "")
        fault = "a web page instead of JSON" if page else "broken JSON"
        body = None
    if not fault and not _has_choice(body):
        fault = _without_choice(body)
    if fault:
        raise httpx2.RemoteProtocolError(fault, request=response.request)
    response.extensions["completion"] = body


def _has_choice(body: Any) -> bool:
    choices = body.get("choices") if isinstance(body, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return False
    return isinstance(choices[0].get("message"), dict) or "text" in choices[0]


def _without_choice(body: Any) -> str:
    # Some gateways send their error with status 200.
    error = body.get("error") if isinstance(body, dict) else None
    said = error.get("message") if isinstance(error, dict) else error
    return f"an error with status 200: {said}" if said else "an answer without a choice"


def timeout(seconds: float) -> httpx2.Timeout:
    """The time limits of one try: quick to connect, patient to read."""
    return httpx2.Timeout(seconds, connect=min(CONNECT, seconds))


async def post(client: openai.AsyncOpenAI, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """One exchange, the client's retries included; the parsed completion.

    The raw answer is read, not the client's typed one: half the work, and nothing gets lost.

    Raises:
        openai.APIError: as the client raises it.
    """
    response = await client.post(path, cast_to=httpx2.Response, body=body)
    completion: dict[str, Any] = response.extensions["completion"]
    return completion


async def stream(
    client: openai.AsyncOpenAI, path: str, body: dict[str, Any], on_text: Callable[[str], None]
) -> dict[str, Any]:
    """One exchange whose text is heard as it comes; the completion as `post` gives it.

    The client's retries end where the answer begins: one that breaks off in the middle has been
    heard already and is not asked for again.

    Raises:
        openai.APIError: as the client raises it, and for an answer that breaks off.
    """
    asked = {**body, "stream": True, "stream_options": {"include_usage": True}}
    kind = openai.AsyncStream[object]
    chunks = await client.post(path, cast_to=object, body=asked, stream=True, stream_cls=kind)
    response = chunks.response
    whole: dict[str, Any] | None = response.extensions.get("completion")
    if whole is not None:
        return whole
    fault = "only the beginning of an answer"
    try:
        answer = await _heard(chunks, on_text)
        if answer["choices"][0]["finish_reason"] is not None:
            return answer
    except (aiohttp.ClientError, TimeoutError) as error:
        raise openai.APIConnectionError(request=response.request) from error
    except (AttributeError, RecursionError, TypeError, ValueError, KeyError):
        fault = "broken JSON amid a stream"
    finally:
        await response.aclose()
    broken = httpx2.RemoteProtocolError(fault, request=response.request)
    raise openai.APIConnectionError(request=response.request) from broken


async def _heard(chunks: AsyncIterator[Any], on_text: Callable[[str], None]) -> dict[str, Any]:
    """The pieces of a streamed completion, put together as if it had come whole."""
    content, refusal = "", ""
    finish: str | None = None
    rest: dict[str, Any] = {}
    async for chunk in chunks:
        if not isinstance(chunk, dict):
            continue
        rest |= {key: chunk[key] for key in ("model", "usage") if chunk.get(key)}
        for choice in (chunk.get("choices") or ())[:1]:
            delta = choice.get("delta") or {}
            finish = choice.get("finish_reason") or finish
            refusal += _text_of(delta.get("refusal"))
            if piece := _text_of(delta.get("content")):
                content += piece
                on_text(piece)
    message = {"content": content, "refusal": refusal or None}
    return {**rest, "choices": [{"message": message, "finish_reason": finish}]}


def _text_of(content: Any) -> str:
    """The text of a message's content."""
    if isinstance(content, list):  # some servers send parts
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def completion(body: dict[str, Any]) -> Completion:
    """What an endpoint's completion says."""
    choice = body["choices"][0]
    message = choice.get("message") or {}
    text = _text_of(message.get("content"))
    outcome: Literal["answer", "refusal", "cut"] = "answer"
    if message.get("refusal"):
        text, outcome = str(message["refusal"]), "refusal"
    elif choice.get("finish_reason") == "content_filter":
        outcome = "refusal"
    elif choice.get("finish_reason") == "length":
        outcome = "cut"
    usage = body.get("usage")
    usage = usage if isinstance(usage, dict) else {}
    model = body.get("model")
    return Completion(
        text=text,
        outcome=outcome,
        model=str(model) if model else None,
        input_tokens=_count(usage.get("prompt_tokens")),
        output_tokens=_count(usage.get("completion_tokens")),
    )


def _count(value: Any) -> int | None:
    """A number of tokens; none where an endpoint tells something else."""
    return value if type(value) is int and value >= 0 else None


def fault(error: openai.APIError, secret: str) -> Fault:
    """What an error of the client means, with the secret struck out."""
    if isinstance(error, openai.APIStatusError):
        return Fault(error.status_code, _code(error), _clean(_said(error), secret))
    said, absent = _transport(error)
    return Fault(None, "", _clean(said, secret), absent)


def _code(error: openai.APIStatusError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    inner = body.get("innererror")
    parts = [body.get("code"), body.get("type")]
    if isinstance(inner, dict):
        parts.append(inner.get("code"))
    return " ".join(str(part) for part in parts if part).lower()


def _said(error: openai.APIStatusError) -> str:
    body = error.body
    if isinstance(body, dict):
        for name in ("message", "detail", "error"):
            if body.get(name):
                return str(body[name])
    if isinstance(body, str) and body.strip() and "<html" not in body.lower():
        return body
    return f"status {error.status_code}"


def _transport(error: BaseException) -> tuple[str, bool]:
    """The plainest words for a failure without an answer, and whether no server was there."""
    for cause in _causes(error):
        # Its subclass is a failure to resolve the name. A refusal hides among the aiohttp
        # transport's time-outs, so look for it first.
        if isinstance(cause, aiohttp.ClientConnectorDNSError):
            return f"the host {cause.host} is not known", True
        if isinstance(cause, aiohttp.ClientConnectorError):
            refused = cause.os_error.errno == errno.ECONNREFUSED
            why = "connection refused" if refused else str(cause.os_error.strerror or cause)
            return f"no connection to {cause.host}:{cause.port} ({why})", refused
        if isinstance(cause, httpx2.RemoteProtocolError):
            return f"the server sent {cause}", False
    for cause in _causes(error):
        if isinstance(cause, aiohttp.ServerTimeoutError | TimeoutError):
            return "no answer within the time limit", False
    last = list(_causes(error))[-1]
    if type(last) is openai.APIError:  # said amid a stream
        return str(last), False
    return f"the connection broke ({type(last).__name__})", False


def _causes(error: BaseException) -> Iterator[BaseException]:
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__


def _clean(text: str, secret: str) -> str:
    line = one_line(text)
    if len(secret) >= LEAST_SECRET:
        line = line.replace(secret, "***")
    return line if len(line) <= MOST_SAID else line[:MOST_SAID] + "…"
