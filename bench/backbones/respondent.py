"""Asking a backbone: every exchange through the journal, invalid answers asked again.

A repair is an exchange of its own, with its own key, so a kill between two of them costs only the
one in flight.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, TypeVar

from pydantic import BaseModel

from bench.backbones.account import Account
from bench.backbones.drawing import Drawing
from bench.backbones.prompt import (
    Answer,
    AskError,
    Backbone,
    Completion,
    Cut,
    Doubtful,
    Invalid,
    Misplanned,
    OffPlan,
    Prompt,
    Refused,
    Sampling,
    Scores,
    Streams,
    T,
)
from bench.backbones.structured import fields_message, parse, schema_of, with_fault
from bench.backbones.thinking import LiveText, thinks_unannounced, without_thinking
from bench.core.errors import UserError
from bench.core.text import one_line
from bench.journal.journal import Entry, Journal

V = TypeVar("V")
AT_ONCE = 32
"""Exchanges in flight with a backbone where nobody says otherwise."""
STORED = (Refused, Invalid, Misplanned)
"""How an ask may fail for good, until its failure is forgotten."""
REPAIRS = 2
"""How often an invalid answer is shown to the model and asked again."""
SAID = 300
"""Characters of a refusal that its failure repeats."""
LONG = 20_000
"""Characters from which an answer is read in a thread: the others need not wait for it."""


def request_of(backbone: Backbone, prompt: Prompt[Any]) -> dict[str, Any]:
    """Everything an answer depends on; its hash is the journal key."""
    request: dict[str, Any] = {
        "backbone": backbone.name,
        "version": backbone.version,
        "endpoint": backbone.endpoint,
        "messages": [vars(message) for message in prompt.messages],
        "answer": schema_of(prompt.answer),
        "sampling": vars(prompt.sampling),
        "replicate": prompt.replicate,
    }
    if backbone.reads == "request":
        request["request"] = {"kind": prompt.request.kind, **prompt.request.model_dump(mode="json")}
    return request


class Limit:
    """How much may be under way with one backbone, in whatever roles it has.

    An exchange holds no place of the endpoint while its answer is written down; but answers that
    are not written yet are bounded too, for a kill loses them.
    """

    def __init__(self, at_once: int) -> None:
        """So many exchanges in flight; with answers on their way to the journal, twice as many."""
        self.in_flight = asyncio.Semaphore(at_once)
        self.unwritten = asyncio.Semaphore(2 * at_once)


class Respondent:
    """A backbone in a role."""

    def __init__(
        self,
        role: str,
        backbone: Backbone,
        journal: Journal,
        *,
        limit: Limit | None = None,
        retry_failed: bool = False,
        label: str | None = None,
        drawing: Drawing | None = None,
        same_model: bool = False,
    ) -> None:
        """Say who answers; `retry_failed` asks stored failures again.

        `limit` is the backbone's, shared by all its roles; one of its own if none is given.
        `label` is what a user calls the backbone to tell it from another of the same name.
        `drawing` is how the user wants its answers drawn. With `same_model` the answers of another
        address count as its own.
        """
        self.role = role
        self.backbone = backbone
        self.account = Account()
        self.asked = 0
        """Exchanges made with the backbone in this process."""
        self.replayed = 0
        """Exchanges found in the journal."""
        self._journal = journal
        self._limit = limit or Limit(AT_ONCE)
        self._retry_failed = retry_failed
        self._label = label
        self.drawing = drawing or Drawing()
        """How the user wants its answers drawn."""
        self._same_model = same_model
        address = str(getattr(backbone, "address", ""))
        self._address = sha256(address.encode()).hexdigest()[:16] if address else ""
        self._speaks_at_once: bool | None = None
        """Whether its texts begin with the answer, not amid thinking; none before the first."""

    @property
    def name(self) -> str:
        """Name of the backbone."""
        return self.backbone.name

    @property
    def pinned(self) -> str:
        """Name with version and options of the draw, where there are any: what a signature says."""
        version, drawing = self.backbone.version, str(self.drawing)
        versioned = f"{self.backbone.name}@{version}" if version else self.backbone.name
        return f"{versioned}:{drawing}" if drawing else versioned

    @property
    def stand_in(self) -> bool:
        """Whether the backbone is no model, only the embedded stand-in for one."""
        return bool(getattr(self.backbone, "stand_in", False))

    @property
    def remark(self) -> str:
        """What a backbone says must be known of figures of metrics that ask it; mostly nothing."""
        return str(getattr(self.backbone, "remark", ""))

    @property
    def notes(self) -> tuple[str, ...]:
        """What must be known of the answers of this run; mostly nothing."""
        who = f"the {self.role} {self._label or self.name}"
        drawn = dict.fromkeys(("temperature", *self.drawing.model_dump(exclude_none=True)))
        alias = bool(getattr(self.backbone, "alias", False))
        return self.account.notes(who, self.name, alias=alias, drawn=drawn)

    def temperature(self, asked: Sampling) -> float:
        """The temperature that is asked for, where the harness would ask for another."""
        return asked.temperature if self.drawing.temperature is None else self.drawing.temperature

    async def ask(
        self, prompt: Prompt[T], on_text: Callable[[str], None] | None = None
    ) -> Answer[T]:
        """The validated answer to a prompt.

        `on_text` hears a plain text while it is made, if it is made now by a backbone that
        streams; of answers asked again it hears the first. What is stored does not depend on it.

        Raises:
            Refused, Invalid, Misplanned: stored, and raised again on replay until `retry_failed`.
            Unreachable: not stored.
            UserError: the run cannot go on.
        """
        asked, tried = self._worded(prompt), _Tried()
        try:
            try:
                answer = await self._ask(asked, tried, on_text)
            except STORED as failure:
                if not self._retry_failed or not await self._forget(failure.keys):
                    raise
                tried = _Tried()
                answer = await self._ask(asked, tried, on_text)
        except STORED as failure:
            self.account.add(failure.outcome, tried.completions)
            raise
        self.account.add("answer", tried.completions)
        self.account.repaired += len(answer.keys) > 1 and not answer.doubt
        self.account.doubted += bool(answer.doubt)
        return answer

    def _worded(self, prompt: Prompt[T]) -> Prompt[T]:
        """The prompt with the names of the fields in words, drawn as the user wants."""
        messages = prompt.messages
        if issubclass(prompt.answer, BaseModel):
            messages = (*messages, fields_message(prompt.answer))
        sampling = self.drawing.of(prompt.request, prompt.sampling)
        return replace(prompt, messages=messages, sampling=sampling)

    async def _forget(self, keys: tuple[str, ...]) -> bool:
        """Remove a failed ask's rows if all are of an earlier run."""
        entries = [self._journal.get(key) for key in keys]
        if not all(entry is not None and entry.earlier for entry in entries):
            return False
        await self._journal.forget(keys)
        return True

    async def _ask(
        self, prompt: Prompt[T], tried: "_Tried", on_text: Callable[[str], None] | None
    ) -> Answer[T]:
        doubtful: tuple[T, str] | None = None
        asked = prompt
        for repair in range(1, 2 + REPAIRS):
            try:
                completion, key = await self._exchange(asked, on_text if repair == 1 else None)
            except AskError as failure:
                raise failure.after(tried.keys) from failure
            tried.add(completion, key)
            said, value, fault = await _read(completion, prompt)
            if value is not None and fault is None:
                return Answer(value, tried.keys)
            if value is not None and isinstance(fault, Doubtful):
                if doubtful is not None:
                    return Answer(value, tried.keys, str(fault))
                doubtful = value, str(fault)
            if completion.outcome == "refusal" or repair > REPAIRS:
                break
            asked = with_fault(prompt, said, str(fault), repair, cut=completion.outcome == "cut")
        if doubtful is not None:
            return Answer(doubtful[0], tried.keys, doubtful[1])
        raise _failure(completion, said, fault, asked.sampling.max_tokens, tried.keys)

    async def _exchange(
        self, prompt: Prompt[Any], on_text: Callable[[str], None] | None
    ) -> tuple[Completion, str]:
        backbone = self.backbone

        async def compute(key: str) -> bytes:
            given: Any
            async with self._limit.in_flight:
                if on_text is not None and prompt.answer is str and isinstance(backbone, Streams):
                    given = await self._heard(backbone, prompt, key, on_text)
                else:
                    given = await backbone.complete(prompt, key)
            # A plug-in that imports nothing of ours gives a mapping.
            completion = given if isinstance(given, Completion) else Completion(**given)
            # Half a character (a lone surrogate) becomes "?": no file can hold it.
            return json.dumps(vars(completion), ensure_ascii=False).encode(errors="replace")

        entry = await self._once(request_of(backbone, prompt), compute)
        return Completion(**json.loads(entry.body)), entry.key

    async def _heard(
        self, backbone: Streams, prompt: Prompt[Any], key: str, on_text: Callable[[str], None]
    ) -> Completion:
        """A text heard while it is made, without any thinking.

        A model whose prompt begins the thinking for it only shows where that ends, and then it was
        heard. So of a backbone's first text, and of all from one of that kind, nothing is heard
        before its end.
        """
        live = LiveText(on_text, hold=not self._speaks_at_once)
        completion = await backbone.stream(prompt, key, live.hear)
        live.end()
        # Of a text that came in one no piece was heard.
        self._speaks_at_once = not thinks_unannounced(completion.text)
        return completion

    def scoring(self) -> Scores:
        """The backbone, as one that gives log-probabilities.

        Raises:
            UserError: if it gives none.
        """
        if isinstance(self.backbone, Scores):
            return self.backbone
        raise UserError(
            f"{self.backbone.name} gives no log-probabilities: this needs a causal LM, for "
            f"instance --{self.role} hf/MODEL or an endpoint that echoes them"
        )

    async def logprobs(
        self, context: str, text: str, replicate: str
    ) -> tuple[tuple[float, ...], str]:
        """Natural-log probability of each token of `text` after `context`, and the journal key.

        Raises:
            UserError: if the backbone gives no log-probabilities.
            Unreachable, AskError: this text could not be scored.
        """
        scorer = self.scoring()

        async def compute(_: str) -> bytes:
            async with self._limit.in_flight:
                return json.dumps(await scorer.logprobs(context, text)).encode()

        request = {
            "backbone": self.backbone.name,
            "version": self.backbone.version,
            "endpoint": getattr(self.backbone, "scoring", "logprobs"),
            "context": context,
            "text": text,
            "replicate": replicate,
        }
        entry = await self._once(request, compute)
        return tuple(json.loads(entry.body)), entry.key

    async def _once(
        self, request: dict[str, Any], compute: Callable[[str], Awaitable[bytes]]
    ) -> Entry:
        """The journal's row of a request, counted; a label of the user's own is in its key."""
        if self._label is not None:
            request["label"] = self._label
        async with self._limit.unwritten:
            entry = await self._journal.once(request, compute, self._address)
        if entry.computed:
            self.asked += 1
            return entry
        if entry.address != self._address and not self._same_model and self._label is None:
            raise UserError(
                f"the journal's answers of {self.name} came from another address than the one that "
                "is set now: give the backbone a name of its own with `as:`, or say with "
                "--same-model that it is the same model"
            )
        self.replayed += 1
        return entry


@dataclass
class _Tried:
    """The exchanges of one ask."""

    completions: list[Completion] = field(default_factory=list)
    keys: tuple[str, ...] = ()

    def add(self, completion: Completion, key: str) -> None:
        self.completions.append(completion)
        self.keys += (key,)


Read = tuple[str, T | None, ValueError | None]
"""What was said without any thinking, its value, and what is wrong with it."""


async def _read(completion: Completion, prompt: Prompt[T]) -> Read[T]:
    """What an answer says; a long one is read in a thread."""
    if len(completion.text) < LONG:
        return _reading(completion, prompt)
    return await asyncio.to_thread(_reading, completion, prompt)


def _reading(completion: Completion, prompt: Prompt[T]) -> Read[T]:
    said = without_thinking(completion.text)
    if completion.outcome == "refusal":
        return said, None, ValueError("the model refused")
    if not said.strip() and (completion.thinking or completion.text.strip()):
        told = "the answer is empty: all of its text came as thinking (in reasoning_content or the "
        return said, None, ValueError(told + "like, or in tags of thinking)")
    value = None
    try:
        value = parse(said, prompt.answer, whole=completion.outcome == "answer")
        if prompt.check is not None:
            prompt.check(value)
    except ValueError as fault:
        return said, value, fault
    return said, value, None


def _failure(
    completion: Completion, said: str, fault: ValueError | None, limit: int, keys: tuple[str, ...]
) -> AskError:
    """Why an ask failed for good, by its last exchange."""
    if completion.outcome == "refusal":
        return Refused(one_line(said)[:SAID] or str(fault), keys)
    tries = f"no valid answer in {len(keys)} tries"
    if completion.outcome == "answer":
        return (Misplanned if isinstance(fault, OffPlan) else Invalid)(f"{tries}: {fault}", keys)
    why = completion.finish.lower()
    if why and not any(word in why for word in ("length", "max", "limit", "token")):
        return Cut(f'{tries}: it came to no end of its own, but to "{why}": {fault}', keys)
    length, before = completion.output_tokens, completion.input_tokens
    after = f" after {length} tokens" if length is not None else ""
    after += f", {before} of the prompt before them" if after and before is not None else ""
    room = f"max_tokens, now {limit}, gives more room as far as the endpoint and its window let it"
    return Cut(f"{tries}: the answer was cut off{after}: {fault}; {room}", keys)
