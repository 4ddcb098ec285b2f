"""A causal language model in process: token lists in, token lists and log-probabilities out.

Promise: what a row of a batch gives depends on that row and its seed alone, to the precision of
the arithmetic; texts are scored one by one, and to the bit. Sampling adds Gumbel noise from the
row's own stream and takes the largest, which draws from the same distribution as sampling does;
padding is masked.

Imports torch and transformers at once, which costs seconds: import this module late.
"""

import hashlib
import threading
from collections.abc import Callable, Sequence
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jinja2 import TemplateError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)
from transformers.cache_utils import DynamicCache, DynamicLayer, DynamicSlidingWindowLayer
from transformers.utils import logging

from bench.backbones.messages import joined, without_system
from bench.backbones.prompt import Message, Sampling
from bench.backbones.thinking import is_mark

if TYPE_CHECKING:
    from bench.backbones.local.grammar import Grammars

LIMITS = ("max_position_embeddings", "n_positions", "max_sequence_length", "max_seq_len")
ATTENDED = {DynamicLayer, DynamicSlidingWindowLayer}
"""What keeps a text's beginning so that any end may follow it."""
BY_LENGTH = ("longrope", "dynamic")
"""Kinds of rotary positions that depend on the length of the whole text."""
UNLIMITED = 2**20
"""Tokens that a model without positions (a state-space model, say) is trusted with."""

Tokens = Sequence[int]


class Seeded(LogitsProcessor):  # type: ignore[misc]  # transformers is Any to mypy
    """Turns greedy choice into sampling, each row with a random stream of its own.

    With `top_p` below 1 from the likeliest tokens alone, as few as have that share together.
    """

    def __init__(self, temperature: float, top_p: float, keys: Sequence[str], device: Any) -> None:
        self.temperature = temperature
        self.top_p = top_p
        self.streams = []
        for key in keys:
            seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big") >> 1
            self.streams.append(torch.Generator(device=device).manual_seed(seed))

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        noise = torch.empty_like(scores, dtype=torch.float32)
        for row, stream in zip(noise, self.streams, strict=True):
            row.exponential_(generator=stream)
        warmed = scores.float() / self.temperature
        if self.top_p < 1:
            chances, order = warmed.softmax(-1).sort(dim=-1, descending=True, stable=True)
            above = chances.cumsum(-1) - chances >= self.top_p
            above[:, 0] = False
            warmed = warmed.masked_fill(above.scatter(-1, order, above), float("-inf"))
        # The logarithm of an exponential draw, negated, is Gumbel noise.
        return warmed - noise.log()


class Abandoned(StoppingCriteria):  # type: ignore[misc]  # transformers is Any to mypy
    """Ends all rows once nobody waits for them: a stopped run has not to write them to the end."""

    def __init__(self, wanted: Callable[[], bool]) -> None:
        self.wanted = wanted

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        ended = not self.wanted()
        return torch.full((len(input_ids),), ended, dtype=torch.bool, device=input_ids.device)


class CausalModel:
    """A model with its tokenizer, on one device; it writes in one forward pass at a time."""

    def __init__(self, folder: Path, device: str, dtype: str) -> None:
        """Load from a local folder.

        Raises:
            OSError, ValueError: the folder holds no causal model that transformers knows.
            RuntimeError: the device is not there or has no room.
        """
        logging.disable_progress_bar()  # ours is the only one
        self.device = _device() if device == "auto" else device
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        self.tokenizer.model_max_length = UNLIMITED  # the window is ours to keep, without warnings
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype, local_files_only=True)
        self.model = model.to(self.device).eval()
        _sharpen(self.model)
        config = self.model.config.get_text_config()
        known: list[int] = [one for name in LIMITS if (one := getattr(config, name, None))]
        positions = str(getattr(config, "rope_parameters", None))
        self._splits = not any(kind in positions for kind in BY_LENGTH)
        self.limit = min([*known, UNLIMITED])
        """Tokens that prompt and answer may have together."""
        self.ends = _ends(self.model, self.tokenizer)
        self._pad = self.tokenizer.pad_token_id
        if self._pad is None:
            self._pad = next(iter(self.ends), 0)
        first = self.tokenizer("a")["input_ids"][:1]
        begin = self.tokenizer.bos_token_id
        self.begin = first if begin is not None and first == [begin] else []
        """What the tokenizer puts in front of a text of its own accord."""
        # The repository's habits (top_p, penalties) would sample otherwise than was asked.
        self.model.generation_config = GenerationConfig()
        added = self.tokenizer.added_tokens_decoder.items()
        self._unsaid = {token for token, one in added if one.special and not is_mark(one.content)}
        self._lock = threading.Lock()
        self._grammars: Grammars | None = None

    def chat(self, messages: Sequence[Message]) -> list[int]:
        """Tokens of a chat, up to where the answer begins.

        Raises:
            jinja2.TemplateError: the model's chat template cannot say this chat.
        """
        if not self.tokenizer.chat_template:
            said = "\n\n".join(f"{one.role.capitalize()}: {one.content}" for one in messages)
            return [*self.begin, *self.text(f"{said}\n\nAssistant:")]
        try:
            return self._templated(joined(messages))
        except TemplateError:
            # Some templates know no system role.
            if all(message.role != "system" for message in messages):
                raise
            return self._templated(without_system(messages))

    def _templated(self, messages: Sequence[Message]) -> list[int]:
        made = self.tokenizer.apply_chat_template(
            [vars(message) for message in messages], add_generation_prompt=True, tokenize=False
        )
        return list(self.tokenizer(made, add_special_tokens=False)["input_ids"])

    def text(self, text: str) -> list[int]:
        """Tokens of a text, none added."""
        return list(self.tokenizer(text, add_special_tokens=False)["input_ids"])

    def words(self, tokens: Tokens) -> str:
        """Text of an answer's tokens; of special ones those alone that tell thinking from it."""
        kept = [token for token in tokens if token not in self._unsaid]
        return str(self.tokenizer.decode(kept, skip_special_tokens=False))

    def generate(
        self,
        rows: Sequence[Tokens],
        keys: Sequence[str],
        sampling: Sampling,
        schemas: Sequence[str | None] = (),
        wanted: Callable[[], bool] = lambda: True,
    ) -> list[list[int]]:
        """Continue each row as sampled; a finished one ends in one of `ends`.

        The `keys` begin the rows' draws; the seed of the `sampling` is part of them.

        `schemas` are the JSON schemas that the rows' answers follow, none for plain text. As soon
        as the answers are not `wanted` any more, they end.

        Raises:
            RuntimeError: no memory, or the model failed.
        """
        longest = max(len(row) for row in rows)
        padded = [[self._pad] * (longest - len(row)) + list(row) for row in rows]
        mask = [[0] * (longest - len(row)) + [1] * len(row) for row in rows]
        chosen = LogitsProcessorList()
        if any(schemas):
            chosen.append(self._following(schemas))
        if sampling.temperature > 0:
            chosen.append(Seeded(sampling.temperature, sampling.top_p, keys, self.device))
        settings = GenerationConfig(
            do_sample=False,
            max_new_tokens=sampling.max_tokens,
            eos_token_id=sorted(self.ends) or None,
            pad_token_id=self._pad,
        )
        with self._lock, torch.inference_mode():
            made = self.model.generate(
                input_ids=torch.tensor(padded, device=self.device),
                attention_mask=torch.tensor(mask, device=self.device),
                generation_config=settings,
                logits_processor=chosen,
                stopping_criteria=StoppingCriteriaList([Abandoned(wanted)]),
            )
        return [self._until_end(row) for row in made[:, longest:].tolist()]

    def _following(self, schemas: Sequence[str | None]) -> LogitsProcessor:
        from bench.backbones.local.grammar import Following, Grammars

        with self._lock:
            if self._grammars is None:
                self._grammars = Grammars(self.tokenizer, self.ends)
            begin = self._grammars.begin
            return Following([None if schema is None else begin(schema) for schema in schemas])

    def _until_end(self, tokens: list[int]) -> list[int]:
        """Without the padding that waits for the longer rows of a batch."""
        for place, token in enumerate(tokens):
            if token in self.ends:
                return tokens[: place + 1]
        return tokens

    def read(self, before: Tokens) -> Any:
        """What the model keeps of the tokens before a text, all but the last; for `score`.

        None where a text is to be read in one piece with them: they are too few, or the model keeps
        more than what it attends to, or positions depend on the length of the whole.
        """
        if len(before) < 2 or not self._splits:
            return None
        with torch.inference_mode():
            tokens = torch.tensor([list(before[:-1])], device=self.device)
            read = self.model.base_model(input_ids=tokens, use_cache=True)
        kept: Any = getattr(read, "past_key_values", None)
        plain = type(kept) is DynamicCache and {type(one) for one in kept.layers} <= ATTENDED
        self._splits = plain
        return kept if plain else None

    def score(self, before: Tokens, kept: Any, text: Tokens) -> list[float]:
        """Log-probability of each token of a text after others, of which `read` has kept something.

        Without any before it, of all tokens of the text but the first. What a text gives does not
        depend on how many share what was kept, to the bit.

        Raises:
            RuntimeError: no memory, or the model failed.
        """
        row = [*before[-1:], *text] if kept is not None else [*before, *text]
        start = len(row) - len(text) if before else 1
        more = {} if kept is None else {"past_key_values": deepcopy(kept)}
        with torch.inference_mode():
            tokens = torch.tensor([row], device=self.device)
            logits = self.model(input_ids=tokens, use_cache=bool(more), **more).logits
            # The position before a token predicts it.
            chances = logits[0, start - 1 : -1].float().log_softmax(-1)
            values = chances.gather(1, tokens[0, start:].unsqueeze(1)).squeeze(1).tolist()
        return [min(0.0, value) for value in values]

    def relieve(self) -> None:
        """Give back memory that a failed batch left behind."""
        if self.device.startswith("cuda"):
            torch.cuda.empty_cache()


def _device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _sharpen(model: Any) -> None:
    """Have logits computed in float32, whatever the other layers are in.

    A logit of 20 in bfloat16 is off by up to 0.06, a text's log-probability by a thousandth.
    """
    head = model.get_output_embeddings()
    if isinstance(head, torch.nn.Linear) and head.weight.dtype != torch.float32:
        weight, bias = head.weight.float(), None if head.bias is None else head.bias.float()
        head.forward = lambda hidden: torch.nn.functional.linear(hidden.float(), weight, bias)


def _ends(model: Any, tokenizer: Any) -> frozenset[int]:
    """Tokens that end an answer: chat models often name several."""
    named = model.generation_config.eos_token_id
    named = named if isinstance(named, list) else [named]
    return frozenset(one for one in (*named, tokenizer.eos_token_id) if one is not None)
