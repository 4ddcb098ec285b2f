"""OpenAI and every server that speaks its protocol.

One exchange is one request of the openai client with the client's own retries, in the shape that
the endpoint takes. What it may end in: a completion (an answer, a refusal, or one that was cut),
`AskError` for this item alone, `Unreachable` for another day, `UserError` for what only the user
can put right. The API key is in no error text, and is looked for at the first exchange only: a
replay needs none.
"""

import asyncio
import hashlib
import json
import math
import re
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, cast

from pydantic import BaseModel

from bench.backbones.messages import joined, without_system
from bench.backbones.openai.echo import NoEcho, values_inside
from bench.backbones.openai.providers import (
    PROVIDERS,
    Place,
    Provider,
    key_for,
    normalised,
    place_of,
    variable,
)
from bench.backbones.openai.said import filtered, struck
from bench.backbones.openai.shape import (
    DRAWN,
    LIMITS,
    Known,
    Ladder,
    Rung,
    Shape,
    about_limit,
    about_window,
    formed,
    ignores,
)
from bench.backbones.prompt import AskError, Completion, Message, Prompt, Unreachable
from bench.backbones.structured import bounded_schema, schema_message, strict_schema
from bench.core.errors import UserError

if TYPE_CHECKING:
    from openai import AsyncOpenAI

    from bench.backbones.openai.wire import Checked, Fault

_ABOUT_ECHO = re.compile(r"echo|logprobs|max_tokens|completions? (end|operation)|chat model", re.I)
_WITH_USER = frozenset({401, 402, 407})
_FORBIDDEN = 403
"""A wrong key, or a firewall that dislikes one prompt."""
_NOT_THERE = frozenset({404, 405, 410})
"""No such path or model; some say so of a parameter that they cannot serve."""
_ANOTHER_DAY = frozenset({408, 409, 425, 429})
_OUTAGES = frozenset({502, 503, 504, 529})
GLANCE = 0.05
"""Seconds between two looks at what is under way."""
_KEYS = frozenset(("api_key", "apikey", "key", "authorization", "token", "access_token", "secret"))
_OURS = ("model", "messages", "stream", "response_format", *LIMITS, *DRAWN)


class _Rejected(Exception):
    """The server took the request for invalid (400, 413, 422 and the like)."""

    def __init__(self, fault: "Fault") -> None:
        super().__init__(fault.said)
        self.fault = fault


class OpenAI:
    """A model behind the chat-completions protocol; also scores given text where it can."""

    endpoint = "chat"
    transport: tuple[str, ...] = (
        "base_url",
        "api_key_env",
        "api_version",
        "timeout",
        "max_retries",
    )
    reads: Literal["request", "messages"] = "messages"
    provider: Provider = PROVIDERS["openai"]

    def __init__(
        self,
        model: str,
        *,
        base_url: str | None = None,
        api_key_env: str | None = None,
        timeout: float = 600.0,
        max_retries: int = 2,
        extra_body: Mapping[str, Any] | None = None,
    ) -> None:
        """Name a model; nothing is contacted before the first exchange.

        Args:
            model: Name as the endpoint knows it.
            base_url: Where the API lives, usually ending in /v1; the provider's address without.
                It gets a key only at the provider's own host or with `api_key_env`.
            api_key_env: Environment variable of the key; the provider's without.
            timeout: Seconds of silence after which a try is given up.
            max_retries: Further tries after a transport failure.
            extra_body: Further fields of every request.

        Raises:
            UserError: an option has no sense.
        """
        kind = self.provider.kind
        if not model:
            raise UserError(
                f'{kind}/ lacks a model: write for instance "{kind}/{self.provider.example}".'
            )
        if not 0 < timeout < math.inf or max_retries < 0:
            raise UserError("timeout must be a number above 0, and max_retries not below 0.")
        if base_url is not None:
            normalised(base_url)  # now, before an experiment that holds a password is kept
        self.name = f"{kind}/{model}"
        self._model = model
        self._base_url = base_url
        self._key_env = None if api_key_env is None else variable(api_key_env)
        self._timeout = timeout
        self._max_retries = max_retries
        self._extra = dict(extra_body or {})
        self.version = _version(self._extra)
        self._place = Place("", "", own=False)
        self._secret = ""
        self._client: AsyncOpenAI | None = None
        self._http: Checked | None = None
        self._there = False
        """Whether a server was met."""
        self._posting = 0
        """Requests under way."""
        self._known = Known()
        self._hopeless = ""
        """Why no shape works, if none does."""
        self._vain: set[type] = set()
        """Types of answers for which no format helped a server that broke over them."""

    @property
    def address(self) -> str:
        """Base URL, normalised; empty where the settings name none yet."""
        return self._find().address

    async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
        return await self._exchange(prompt, None)

    async def stream(
        self, prompt: Prompt[Any], key: str, on_text: Callable[[str], None]
    ) -> Completion:
        return await self._exchange(prompt, on_text if prompt.answer is str else None)

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
        body = self._extra | {
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
            about_echo = _ABOUT_ECHO.search(said) and not about_window(said)
            if about_echo or rejected.fault.status in _NOT_THERE:
                raise self._no_echo(said) from None
            raise AskError(f"{self.name} refused the request: {said}") from None
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

    # The shape

    async def _exchange(
        self, prompt: Prompt[Any], on_text: Callable[[str], None] | None
    ) -> Completion:
        """One prompt in the shape that the endpoint takes, looked for where none is known.

        Many requests may be refused at once: until the first answer one after the other looks for
        the shape, and each begins with what the one before has learnt.
        """
        known, streams = self._known, on_text is not None
        ladder = Ladder(known.begin(prompt, streams), prompt.sampling.max_tokens)
        async with AsyncExitStack() as turn:
            searching = False
            while True:
                shape = ladder.shape
                try:
                    hears = on_text if shape.stream else None
                    request = self._request(prompt, shape)
                    completion = await self._post(
                        "/chat/completions", request, hears, form=formed(prompt.answer)
                    )
                except _Rejected as rejected:
                    fault = rejected.fault
                else:
                    known.learn(prompt, ladder)
                    made = cast(Completion, completion)
                    if ignores(made, shape, prompt):
                        known.step_down(prompt.answer, shape)
                    # What a server says of itself is as little to be trusted as its errors.
                    model, text = made.model, made.text
                    model = model and struck(model, self._secret, self._place.hidden)
                    if made.outcome == "refusal":
                        text = struck(text, self._secret, self._place.hidden)
                    return replace(made, text=text, model=model, shape=shape.words(prompt))
                if filtered(f"{fault.code} {fault.parameter}", fault.told):
                    return Completion(text=fault.said, outcome="refusal", finish=fault.code)
                if not known.answered and not searching:
                    await turn.enter_async_context(self._turn)
                    searching = True
                if self._hopeless and not known.answered:
                    raise UserError(self._hopeless)
                if ladder.begin(known.begin(prompt, streams)):
                    await turn.aclose()  # somebody else has found it
                    searching = False
                elif not self._step(prompt, ladder, fault):
                    while self._posting and not known.answered:
                        await asyncio.sleep(GLANCE)  # what is under way may be answered
                    raise self._refusal(prompt, fault)

    def _step(self, prompt: Prompt[Any], ladder: Ladder, fault: "Fault") -> bool:
        """Ask less: what the error names, else what it may mean; whether there is any less.

        An endpoint that has answered takes the shape: only what is named is changed then. Where it
        breaks over a request instead of refusing it, only the format is changed unnamed.
        """
        broke = fault.status is not None and fault.status >= 500
        answered = self._known.answered
        untried: Literal["json", "none"] = "none" if prompt.answer in answered else "json"
        if fault.status == _FORBIDDEN or (broke and prompt.answer in self._vain):
            return False
        if ladder.named(fault.parameter, fault.all):
            return True
        if about_window(fault.all):
            return False
        return ladder.next(untried if broke or answered else "all")

    def _refusal(self, prompt: Prompt[Any], fault: "Fault") -> Exception:
        """What is left where no shape works."""
        if about_window(fault.all):
            return AskError(
                f"the prompt is too long for the window of {self.name}, which holds the answer "
                f"too: {fault.said}"
            )
        if fault.status is not None and fault.status >= 500:
            self._vain.add(prompt.answer)
            return self._later(fault)
        why = f"{self.name} refused the request: {fault.said}"
        if self._known.answered:
            return AskError(why)
        if fault.status == _FORBIDDEN or fault.status in _NOT_THERE:
            return self._advised(fault)
        more = "; max_tokens sets the limit of an answer" if about_limit(fault.all) else ""
        self._hopeless = why + more
        return UserError(self._hopeless)

    def _request(self, prompt: Prompt[Any], shape: Shape) -> dict[str, Any]:
        messages, sampling = prompt.messages, prompt.sampling
        form = formed(prompt.answer)
        if form and shape.json in ("object", "words"):
            messages = (*messages, schema_message(prompt.answer))
        said = joined(messages) if shape.system else without_system(messages)
        body: dict[str, Any] = {
            "model": self._model,
            "messages": [_message(message) for message in said],
            shape.limit: min(sampling.max_tokens, shape.most or sampling.max_tokens),
        }
        if shape.temperature:
            body["temperature"] = sampling.temperature
        if shape.top_p:
            body["top_p"] = sampling.top_p
        if shape.seed and sampling.seed is not None:
            body["seed"] = _seed(sampling.seed, sampling.temperature, prompt.replicate)
        if form and shape.json != "words":
            body["response_format"] = _format(prompt.answer, shape.json)
        return body | self._extra

    # The wire

    async def _post(
        self,
        path: str,
        body: dict[str, Any],
        on_text: Callable[[str], None] | None = None,
        *,
        form: bool = False,
    ) -> Any:
        """One exchange, heard while it comes if somebody listens; `form` says that JSON is wanted.

        Raises:
            _Rejected: the server took it for invalid.
            AskError, Unreachable, UserError: as `complete` says.
        """
        import openai

        from bench.backbones.openai import wire

        if self._client is None:
            self._client = self._connect()
        if self._http is not None:
            self._http.bearing = await self._bearing()
        self._posting += 1
        try:
            if on_text is None:
                found = await wire.post(self._client, path, body)
            else:
                found = await wire.stream(self._client, body, on_text)
            self._there = True
            return found
        except wire.TooLarge as large:
            self._there, told = True, str(large)
            fault = None
        except openai.APIError as error:
            fault = wire.fault(error, self._secret, self._place.hidden)
        finally:
            self._posting -= 1
        if fault is None:
            raise AskError(f"{self.name} sent {told}")
        self._there |= not fault.absent
        raise self._meaning(fault, form=form)

    def _meaning(self, fault: "Fault", *, form: bool) -> Exception:
        where = self._place.shown
        if fault.absent and not self._there:
            # A server that restarts looks the same, but it has answered before.
            variables = " or ".join(filter(None, ("base_url", self.provider.address_env)))
            return UserError(
                f"{self.name}: nobody answers at {where} ({fault.said}): is the server running? "
                f"Start it, or set {variables}."
            )
        if fault.status is None:
            return Unreachable(f"{self.name} at {where} could not be reached: {fault.said}")
        if fault.status == 429 and "insufficient_quota" in fault.code:
            return UserError(f"The account for {self.name} has no quota left: {fault.said}")
        if fault.status in _WITH_USER or fault.status < 400:
            return self._advised(fault)
        broke = fault.status >= 500 and not (form and fault.status not in _OUTAGES)
        return self._later(fault) if broke or fault.status in _ANOTHER_DAY else _Rejected(fault)

    def _advised(self, fault: "Fault") -> UserError:
        where = self._place.shown
        return UserError(
            f"{self.name} at {where} answers {fault.status} ({fault.said}): {self._advice}."
        )

    def _later(self, fault: "Fault") -> Unreachable:
        return Unreachable(
            f"{self.name} at {self._place.shown} answers {fault.status}: {fault.said}"
        )

    @property
    def _advice(self) -> str:
        key = self._key_env or self.provider.key
        if self._place.source == "base_url" and not self._secret:
            key = "api_key_env (an address in base_url gets no key without)"
        told = ", ".join(filter(None, ("the model's name", key)))
        return f"check {told} and the base URL (it usually ends in /v1)"

    def _find(self) -> Place:
        return place_of(self.provider, self._base_url)

    def _connect(self) -> "AsyncOpenAI":
        """A client for the first exchange.

        Raises:
            UserError: address or key is missing or has no sense.
        """
        self._place = self._find()
        self._secret = key_for(self.name, self.provider, self._place, self._key_env)
        return self._client_at(self._place.address)

    def _client_at(self, address: str, **query: str) -> "AsyncOpenAI":
        from openai import AsyncOpenAI

        from bench.backbones.openai import wire

        self._turn = asyncio.Lock()
        self._http = wire.Checked(self._timeout, encrypted=address.startswith("https:"))
        # What the client would read from the environment is given, and goes no further: the
        # headers that say who asks are put in where requests leave.
        return AsyncOpenAI(
            api_key="none",
            admin_api_key="",
            organization="",
            project="",
            webhook_secret="",
            base_url=address,
            default_query=query,
            timeout=self._http.timeout,
            max_retries=self._max_retries,
            http_client=self._http,
        )

    async def _bearing(self) -> dict[str, str]:
        """The headers that say who asks.

        Raises:
            Unreachable, UserError: as `complete`, where they must be fetched.
        """
        found = self.provider.own_headers() if self._place.own else {}
        return found | ({"authorization": f"Bearer {self._secret}"} if self._secret else {})


def _version(extra: Mapping[str, Any]) -> str:
    """What else decides the answers: the further fields of the requests, as a short hash.

    Raises:
        UserError: a field is ours to say, or no JSON.
    """
    if not extra:
        return ""
    if taken := [name for name in _OURS if name in extra]:
        raise UserError(f"extra_body may not hold {', '.join(taken)}.")
    if any(name.lower() in _KEYS for name in extra):
        raise UserError("extra_body may hold no key: name its variable by api_key_env.")
    try:
        told = json.dumps(extra, sort_keys=True, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError("extra_body holds what no JSON can.") from error
    return f"extra_body={hashlib.sha256(told.encode()).hexdigest()[:12]}"


def _message(message: Message) -> dict[str, str]:
    """A message as it is sent: half a character becomes "?", for no request can hold it."""
    content = message.content.encode(errors="replace").decode()
    return {"role": message.role, "content": content}


def _seed(seed: int, temperature: float, replicate: str) -> int:
    """The seed of a draw: two draws of the same words begin with two seeds."""
    if not temperature:
        return seed
    of_it = int.from_bytes(hashlib.sha256(replicate.encode(errors="surrogatepass")).digest())
    return (seed + of_it) % 2**31


def _format(answer: type[BaseModel], rung: Rung) -> dict[str, Any]:
    if rung == "object":
        return {"type": "json_object"}
    return {
        "type": "json_schema",
        "json_schema": {
            "name": re.sub(r"\W", "_", answer.__name__, flags=re.A)[:64],
            "strict": True,
            "schema": bounded_schema(answer) if rung == "bounded" else strict_schema(answer),
        },
    }
