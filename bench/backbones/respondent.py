"""Asking a backbone: every exchange through the journal, invalid answers asked again.

A repair is an exchange of its own, with its own key, so a kill between two of them costs only the
one in flight.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from bench.backbones.prompt import (
    Answer,
    AskError,
    Backbone,
    Completion,
    Invalid,
    Prompt,
    Refused,
    Scores,
    Streams,
    T,
)
from bench.backbones.structured import parse, schema_of, with_fault
from bench.core.errors import UserError
from bench.journal.journal import Entry, Journal

AT_ONCE = 32
"""Exchanges in flight with a backbone where nobody says otherwise."""
REPAIRS = 2
"""How often an invalid answer is shown to the model and asked again."""


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
    ) -> None:
        """Say who answers; `retry_failed` asks stored failures again.

        `limit` is the backbone's, shared by all its roles; one of its own if none is given.
        `label` is what a user calls the backbone to tell it from another of the same name.
        """
        self.role = role
        self.backbone = backbone
        self.asked = 0
        """Exchanges made with the backbone in this process."""
        self.replayed = 0
        """Exchanges found in the journal."""
        self._journal = journal
        self._limit = limit or Limit(AT_ONCE)
        self._retry_failed = retry_failed
        self._label = label

    @property
    def name(self) -> str:
        """Name of the backbone."""
        return self.backbone.name

    @property
    def pinned(self) -> str:
        """Name with the version, where there is one: what a signature says."""
        version = self.backbone.version
        return f"{self.backbone.name}@{version}" if version else self.backbone.name

    @property
    def stand_in(self) -> bool:
        """Whether the backbone is no model, only the embedded stand-in for one."""
        return bool(getattr(self.backbone, "stand_in", False))

    @property
    def remark(self) -> str:
        """What a backbone says must be known of figures of metrics that ask it; mostly nothing."""
        return str(getattr(self.backbone, "remark", ""))

    async def ask(
        self, prompt: Prompt[T], on_text: Callable[[str], None] | None = None
    ) -> Answer[T]:
        """The validated answer to a prompt.

        `on_text` hears a plain text while it is made, if it is made now by a backbone that
        streams; of answers asked again it hears the first. What is stored does not depend on it.

        Raises:
            Refused, Invalid: stored, and raised again on replay until `retry_failed`.
            Unreachable: not stored.
            UserError: the run cannot go on.
        """
        try:
            return await self._ask(prompt, on_text)
        except (Refused, Invalid) as failure:
            if not self._retry_failed or not await self._forget(failure.keys):
                raise
        return await self._ask(prompt, on_text)

    async def _forget(self, keys: tuple[str, ...]) -> bool:
        """Remove a failed ask's rows if all are of an earlier run."""
        entries = [self._journal.get(key) for key in keys]
        if not all(entry is not None and entry.earlier for entry in entries):
            return False
        await self._journal.forget(keys)
        return True

    async def _ask(self, prompt: Prompt[T], on_text: Callable[[str], None] | None) -> Answer[T]:
        keys: list[str] = []
        asked = prompt
        fault = ""
        for repair in range(1, 2 + REPAIRS):
            try:
                completion, key = await self._exchange(asked, on_text if repair == 1 else None)
            except AskError as failure:
                raise failure.after(tuple(keys)) from failure
            keys.append(key)
            if completion.outcome == "refusal":
                raise Refused(completion.text or "the model refused", tuple(keys))
            whole = completion.outcome != "cut"
            try:
                value = parse(completion.text, prompt.answer, whole=whole)
                if prompt.check is not None:
                    prompt.check(value)
                return Answer(value, tuple(keys))
            except ValueError as error:
                fault = str(error)
            if not whole:
                # The server's own limit or a full window may end it long before ours.
                length = completion.output_tokens
                after = f" after {length} tokens" if length is not None else ""
                fault = f"the answer was cut off{after}: {fault}"
            asked = with_fault(prompt, completion.text, fault, repair)
        raise Invalid(f"no valid answer in {1 + REPAIRS} tries: {fault}", tuple(keys))

    async def _exchange(
        self, prompt: Prompt[Any], on_text: Callable[[str], None] | None
    ) -> tuple[Completion, str]:
        backbone = self.backbone

        async def compute(key: str) -> bytes:
            given: Any
            async with self._limit.in_flight:
                if on_text is not None and prompt.answer is str and isinstance(backbone, Streams):
                    given = await backbone.stream(prompt, key, on_text)
                else:
                    given = await backbone.complete(prompt, key)
            # A plug-in that imports nothing of ours gives a mapping.
            completion = given if isinstance(given, Completion) else Completion(**given)
            # Half a character (a lone surrogate) becomes "?": no file can hold it.
            return json.dumps(vars(completion), ensure_ascii=False).encode(errors="replace")

        entry = await self._once(request_of(backbone, prompt), compute)
        return Completion(**json.loads(entry.body)), entry.key

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
            entry = await self._journal.once(request, compute)
        if entry.computed:
            self.asked += 1
        else:
            self.replayed += 1
        return entry
