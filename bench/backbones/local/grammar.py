"""Answers that follow a JSON schema: which tokens may come next, row by row.

Promise: an answer that comes to its end is JSON of its schema, bounds included; one that the token
limit cuts is the beginning of such. What a row may say depends on its schema and its own tokens.

Its limit: keywords that llguidance does not know bind nothing, and a schema or a tokenizer that it
cannot read leaves the row free. Nothing false comes of it, as every answer is validated after; an
endpoint that does not take a schema is asked in words alone, too.

Imports torch and transformers at once, which costs seconds: import this module late.
"""

from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

import torch
from llguidance import LLMatcher
from llguidance.hf import from_tokenizer
from transformers import LogitsProcessor

LAYOUT = {
    # As `json.dumps` writes it: a small model that may add blanks fills its limit with them.
    "whitespace_flexible": False,
    "item_separator": ", ",
    "key_separator": ": ",
    "coerce_one_of": True,
    "lenient": True,
}
KEPT = 64
"""Schemas whose grammars are kept."""


class Grammars:
    """The grammars of schemas over one model's tokens."""

    def __init__(self, tokenizer: Any, ends: Iterable[int]) -> None:
        """Read the tokenizer, in about a second; `ends` are the tokens that end an answer."""
        try:
            self._tokens = from_tokenizer(tokenizer, eos_token=sorted(ends))
        except ValueError:  # no end, or tokens that do not say which bytes they are
            self._tokens = None
        self._begin = lru_cache(maxsize=KEPT)(self._compiled)

    def begin(self, schema: str) -> LLMatcher | None:
        """Where an answer to a JSON schema begins; none where it cannot be followed."""
        first = self._begin(schema)
        return None if first is None else first.deep_copy()

    def _compiled(self, schema: str) -> LLMatcher | None:
        if self._tokens is None:
            return None
        grammar = LLMatcher.grammar_from_json_schema(schema, overrides=LAYOUT)
        matcher = LLMatcher(self._tokens, grammar, log_level=0)
        return None if matcher.is_error() else matcher


class Following(LogitsProcessor):  # type: ignore[misc]  # transformers is Any to mypy
    """Leaves each row the tokens that its grammar allows; a row without a grammar keeps all."""

    def __init__(self, matchers: Sequence[LLMatcher | None]) -> None:
        self.matchers = matchers
        self.begun = False

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Scores of (rows, vocabulary), those of forbidden tokens minus infinity.

        Raises:
            RuntimeError: a grammar came to its limits.
        """
        last = input_ids[:, -1].tolist()
        allowed = torch.ones(scores.shape, dtype=torch.bool)
        for row, matcher in enumerate(self.matchers):
            if matcher is None:
                continue
            # After the JSON's end only an end token may come; padding follows it.
            if self.begun and not matcher.is_stopped():
                matcher.consume_token(last[row])
            bias = torch.frombuffer(bytearray(matcher.compute_logit_bias()), dtype=torch.uint8)
            if matcher.is_error():
                said = matcher.get_error().partition("\n")[0]
                raise RuntimeError(f"the answer's grammar failed: {said}")
            # A model may have more logits than its tokenizer has tokens, or fewer.
            known = min(len(bias), scores.shape[1])
            allowed[row, :known] = bias[:known] > 0
            allowed[row, known:] = False
        self.begun = True
        return scores.masked_fill(~allowed.to(scores.device), float("-inf"))
