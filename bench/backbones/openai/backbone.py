"""OpenAI, Azure and every server that speaks their protocol.

One exchange is one request of the openai client with the client's own retries. What it may end
in: a completion (an answer, a refusal, or one cut at the token limit), `AskError` for this item
alone, `Unreachable` for another day, `UserError` for what only the user can put right. The API
key is in no error text, and is looked for at the first exchange only: a replay needs none.
"""

import os
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel

from bench.backbones.openai.echo import NoEcho, values_inside
from bench.backbones.prompt import AskError, Completion, Prompt, Unreachable
from bench.backbones.structured import schema_message, strict_schema
from bench.core.errors import UserError

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from bench.backbones.openai.wire import Fault

HOSTED = "https://api.openai.com/v1"
Mode = Literal["schema", "object", "text"]
MODES: tuple[Mode, ...] = ("schema", "object", "text")
"""Ways of asking for JSON, the strictest first."""

_ABOUT_SCHEMA = re.compile(r"response_format|json_schema|json_object|structured|schema", re.I)
_ABOUT_FILTER = re.compile(r"content.?filter|responsibleai|content.?policy|moderation", re.I)
_ABOUT_PARAMETER = re.compile(
    r"unsupported.{0,40}\b(temperature|max_tokens)\b"
    r"|\b(temperature|max_tokens)\b.{0,60}\bnot support",
    re.I | re.S,
)
_ABOUT_ECHO = re.compile(r"echo|logprobs|max_tokens|completions? (end|operation)|chat model", re.I)
_ABOUT_STREAMS = re.compile(r"\bstream", re.I)
_ABOUT_LENGTH = re.compile(r"context.{0,12}(length|size|window)|too long|maximum context", re.I)
_WITH_USER = frozenset({401, 402, 403, 404, 405, 407, 410})
_NO_SUCH_PATH = frozenset({404, 405})
_ANOTHER_DAY = frozenset({408, 409, 425, 429})


class _Rejected(Exception):
    """The server took the request for invalid (400, 413, 422 and the like)."""

    def __init__(self, fault: "Fault") -> None:
        super().__init__(fault.said)
        self.fault = fault


class OpenAI:
    """A model behind the chat-completions protocol; also scores given text where it can."""

    endpoint = "chat"
    transport = ("base_url", "endpoint", "api_version", "timeout", "max_retries")
    reads: Literal["request", "messages"] = "messages"

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        timeout: float = 600.0,
        max_retries: int = 2,
        structured: Literal["auto", "schema", "object", "text"] = "auto",
    ) -> None:
        """Name a model; nothing is contacted before the first exchange.

        Args:
            model: Name as the endpoint knows it.
            base_url: Where the API lives, usually ending in /v1; OPENAI_BASE_URL, then OpenAI.
            timeout: Seconds of silence after which a try is given up.
            max_retries: Further tries after a transport failure.
            structured: How JSON is asked for: by strict schema, as any object, or in words only;
                `auto` begins with the strictest and steps down when the server refuses it.

        Raises:
            UserError: an option has no sense.
        """
        if not model:
            raise UserError(f'{self._kind}/ lacks a model: write for instance "{self._example}".')
        if structured not in ("auto", *MODES):
            raise UserError(
                f'structured is "{structured}": it may be auto, schema, object or text.'
            )
        if timeout <= 0 or max_retries < 0:
            raise UserError("timeout must be above 0 and max_retries not below 0.")
        if base_url is not None:
            _host(base_url)  # now, before an experiment that holds a password is kept
        self.name = f"{self._kind}/{model}"
        self._model = model
        self._base_url = base_url
        self._timeout = timeout
        self._max_retries = max_retries
        self._pinned: Mode | None = None if structured == "auto" else structured
        # Empty by default; what was pinned by hand changes the answers, so it is in every key.
        self.version = "" if self._pinned is None else f"structured={self._pinned}"
        self._refused: set[str] = set()
        """Sampling parameters that the model does not take."""
        self._steps: dict[type, int] = {}
        self._client: AsyncOpenAI | None = None
        self._secret = ""
        self._answered = False

    _kind = "openai"
    _example = "openai/gpt-4o-2024-08-06"
    _key_variable = "OPENAI_API_KEY"
    _address_from = "base_url or OPENAI_BASE_URL"

    async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
        return await self._exchange(prompt, None)

    async def stream(
        self, prompt: Prompt[Any], key: str, on_text: Callable[[str], None]
    ) -> Completion:
        return await self._exchange(prompt, on_text if prompt.answer is str else None)

    async def _exchange(
        self, prompt: Prompt[Any], on_text: Callable[[str], None] | None
    ) -> Completion:
        from bench.backbones.openai import wire

        while True:
            step, mode = self._mode(prompt.answer)
            sent = self._request(prompt, mode)
            try:
                body = await self._post("/chat/completions", sent, on_text)
            except _Rejected as rejected:
                fault = rejected.fault
                if on_text is not None and _ABOUT_STREAMS.search(fault.said):
                    on_text = None  # a server that cannot stream answers whole
                    continue
                if _ABOUT_FILTER.search(f"{fault.code} {fault.said}"):
                    return Completion(text=fault.said, outcome="refusal")
                if not self._step_down(prompt.answer, step, mode, fault, sent):
                    raise self._rejection(fault) from None
                continue
            return wire.completion(body)

    async def logprobs(self, context: str, text: str) -> tuple[float, ...]:
        """Natural-log probability of each token of `text` after `context`; each value <= 0.

        A token that begins before `text` does is left out; so is the very first of an empty
        context, which has no probability.

        Raises:
            AskError: the text is too long for the model, or the echo does not spell it.
            Unreachable: as for `complete`.
            UserError: the endpoint does not give log-probabilities of a prompt.
        """
        if not text:
            return ()
        body = {
            "model": self._model,
            "prompt": context + text,
            "echo": True,
            "max_tokens": 0,
            "logprobs": 1,
        }
        try:
            found = await self._post("/completions", body)
        except _Rejected as rejected:
            said = rejected.fault.said
            if rejected.fault.status in _NO_SUCH_PATH:
                raise self._no_echo(said) from None
            if _ABOUT_LENGTH.search(said) or not _ABOUT_ECHO.search(said):
                raise AskError(f"{self.name} refused the request: {said}") from None
            raise self._no_echo(said) from None
        try:
            return values_inside(found["choices"][0], context, text)
        except NoEcho as none:
            raise self._no_echo(str(none)) from None

    async def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            await client.close()

    def _no_echo(self, said: str) -> UserError:
        return UserError(
            f"{self.name} cannot score given text ({said}): this needs an endpoint that echoes "
            "prompt log-probabilities (vLLM does), or a local model as hf/<model>."
        )

    def _rejection(self, fault: "Fault") -> AskError:
        if _about_length(fault):
            return AskError(
                f"the prompt is too long for the window of {self.name}, which holds the answer "
                f"too: {fault.said}"
            )
        return AskError(f"{self.name} refused the request: {fault.said}")

    def _mode(self, answer: type) -> tuple[int, Mode | None]:
        if not issubclass(answer, BaseModel):
            return 0, None
        if self._pinned:
            return 0, self._pinned
        step = self._steps.get(answer, 0)
        return step, MODES[step]

    def _step_down(
        self, answer: type, step: int, mode: Mode | None, fault: "Fault", sent: dict[str, Any]
    ) -> bool:
        """Ask less of a server that refused the schema or a parameter; whether less can be asked.

        The schema's step is kept for each answer type, since a server may take another.

        Raises:
            UserError: the refusal is of a setting, so all items would meet it.
        """
        if _about_length(fault):
            return False  # such a message may count the schema's tokens
        about_schema = mode in ("schema", "object") and _ABOUT_SCHEMA.search(fault.said)
        if about_schema and self._pinned:
            raise UserError(
                f'{self.name} refuses structured="{mode}" ({fault.said}): set structured to auto.'
            )
        if about_schema:
            # The furthest step wins: many requests may learn of the refusal at once.
            self._steps[answer] = max(self._steps.get(answer, 0), step + 1)
            return True
        parameter = _ABOUT_PARAMETER.search(f"{fault.code} {fault.said}")
        refused = "" if parameter is None else (parameter[1] or parameter[2]).lower()
        self._refused.add(refused)
        return refused in sent  # else it was not asked for: this is about something else

    def _request(self, prompt: Prompt[Any], mode: Mode | None) -> dict[str, Any]:
        messages = list(prompt.messages)
        if mode in ("object", "text"):
            messages.append(schema_message(prompt.answer))
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [vars(message) for message in messages],
        }
        # Reasoning models want another name for the limit, and draw at their own temperature.
        limit = "max_completion_tokens" if "max_tokens" in self._refused else "max_tokens"
        body[limit] = prompt.sampling.max_tokens
        if "temperature" not in self._refused:
            body["temperature"] = prompt.sampling.temperature
        if mode == "schema":
            body["response_format"] = {
                "type": "json_schema",
                "json_schema": {
                    "name": re.sub(r"\W", "_", prompt.answer.__name__, flags=re.A)[:64],
                    "strict": True,
                    "schema": strict_schema(prompt.answer),
                },
            }
        elif mode == "object":
            body["response_format"] = {"type": "json_object"}
        return body

    async def _post(
        self, path: str, body: dict[str, Any], on_text: Callable[[str], None] | None = None
    ) -> dict[str, Any]:
        """One exchange, heard while it comes if somebody listens.

        Raises:
            _Rejected: the server took it for invalid.
            Unreachable, UserError: as `complete` says.
        """
        import openai

        from bench.backbones.openai import wire

        if self._client is None:
            self._client = self._connect()
        try:
            if on_text is None:
                body = await wire.post(self._client, path, body)
            else:
                body = await wire.stream(self._client, path, body, on_text)
            self._answered = True
            return body
        except openai.APIError as error:
            fault = wire.fault(error, self._secret)
        self._answered |= not fault.absent
        if path == "/completions" and fault.status in _NO_SUCH_PATH:
            raise _Rejected(fault)  # hosted chat models have no such endpoint
        raise self._meaning(fault)

    def _meaning(self, fault: "Fault") -> Exception:
        where = self._address()
        if fault.absent and not self._answered:
            # A server that restarts looks the same, but it has answered before.
            return UserError(
                f"{self.name}: nobody answers at {where} ({fault.said}): is the server running? "
                f"Start it, or set {self._address_from}."
            )
        if fault.status is None:
            return Unreachable(f"{self.name} at {where} could not be reached: {fault.said}")
        if fault.status == 429 and "insufficient_quota" in fault.code:
            return UserError(f"The account for {self.name} has no quota left: {fault.said}")
        if fault.status == 403 and _ABOUT_FILTER.search(f"{fault.code} {fault.said}"):
            return _Rejected(fault)
        if fault.status in _WITH_USER or fault.status < 400:
            return UserError(
                f"{self.name} at {where} answers {fault.status} ({fault.said}): {self._advice}."
            )
        if fault.status in _ANOTHER_DAY or fault.status >= 500:
            return Unreachable(f"{self.name} at {where} answers {fault.status}: {fault.said}")
        return _Rejected(fault)

    @property
    def _advice(self) -> str:
        return (
            f"check the model's name, {self._key_variable} and the base URL "
            "(it usually ends in /v1)"
        )

    def _address(self) -> str:
        return self._base_url or os.environ.get("OPENAI_BASE_URL") or HOSTED

    def _connect(self) -> "AsyncOpenAI":
        from openai import AsyncOpenAI

        from bench.backbones.openai import wire

        address = self._address()
        host = _host(address)
        self._secret = _key("OPENAI_API_KEY")
        if not self._secret and (host == "openai.com" or host.endswith(".openai.com")):
            raise UserError(
                f"{self.name} needs an API key: set the environment variable OPENAI_API_KEY "
                "(or base_url to a server of your own)."
            )
        limit = wire.timeout(self._timeout)
        return AsyncOpenAI(
            # A server of one's own often wants no key, the client always wants one.
            api_key=self._secret or "none",
            base_url=address,
            timeout=limit,
            max_retries=self._max_retries,
            http_client=wire.Checked(timeout=limit),
        )


class Azure(OpenAI):
    """An Azure deployment of an OpenAI model."""

    _kind = "azure"
    _example = "azure/my-deployment"
    _key_variable = "AZURE_OPENAI_API_KEY"
    _address_from = "endpoint or AZURE_OPENAI_ENDPOINT"

    def __init__(
        self,
        deployment: str,
        *,
        endpoint: str | None = None,
        api_version: str | None = None,
        **options: Any,
    ) -> None:
        """Name a deployment.

        Args:
            deployment: Its name in the resource.
            endpoint: https://<resource>.openai.azure.com; or AZURE_OPENAI_ENDPOINT.
            api_version: For instance 2024-10-21; or OPENAI_API_VERSION.
            options: As for OpenAI, base_url excepted.

        Raises:
            UserError: an option has no sense.
        """
        if "base_url" in options:
            raise UserError("azure takes an endpoint, not a base_url.")
        super().__init__(deployment, **options)
        self._azure_endpoint = endpoint
        self._api_version = api_version

    @property
    def _advice(self) -> str:
        return "check the deployment's name, AZURE_OPENAI_API_KEY, the endpoint and API version"

    def _address(self) -> str:
        return self._azure_endpoint or os.environ.get("AZURE_OPENAI_ENDPOINT", "")

    def _connect(self) -> "AsyncOpenAI":
        from openai import AsyncAzureOpenAI

        from bench.backbones.openai import wire

        self._secret = _key("AZURE_OPENAI_API_KEY")
        version = self._api_version or os.environ.get("OPENAI_API_VERSION", "")
        wanted = {
            "AZURE_OPENAI_API_KEY": self._secret,
            "AZURE_OPENAI_ENDPOINT": self._address(),
            "OPENAI_API_VERSION": version,
        }
        missing = [variable for variable, value in wanted.items() if not value]
        if missing:
            raise UserError(
                f"{self.name} needs settings: set the environment variables {', '.join(missing)}."
            )
        _host(self._address())
        limit = wire.timeout(self._timeout)
        return AsyncAzureOpenAI(
            api_key=self._secret,
            azure_endpoint=self._address(),
            api_version=version,
            timeout=limit,
            max_retries=self._max_retries,
            http_client=wire.Checked(timeout=limit),
        )


def _about_length(fault: "Fault") -> bool:
    """Whether the request is longer than the model takes."""
    return _ABOUT_LENGTH.search(f"{fault.code} {fault.said}") is not None


def _host(address: str) -> str:
    """Host of a base URL.

    Raises:
        UserError: it is none, or holds a password (which would be shown in errors).
    """
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        host = ""
    if not host or parts.scheme not in ("http", "https"):
        raise UserError("The base URL must begin with http:// or https:// and name a host.")
    if parts.username or parts.password or parts.query:
        raise UserError(
            "The base URL must hold no user, password or query: give a key in the environment."
        )
    return host


def _key(variable: str) -> str:
    """An API key from the environment; empty without.

    Raises:
        UserError: no HTTP header can bear it.
    """
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise UserError(f"{variable} holds characters that no key has: set it again.")
    return key
