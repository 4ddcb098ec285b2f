"""GPTScore over pairs of records: how well one record foretells another, to a language model.

A similarity is the exponential of the mean log-probability of the tokens of one record given the
other (after Fu et al. 2023), averaged over both directions. It asks the scorer n (n - 1) times.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.backbones.prompt import AskError
from bench.flow import ordered_map
from bench.pairs import Kernel, Matrix, PairMetric, signature_of
from bench.prompts import Template
from bench.scoring import Items, MetricCard, Score
from bench.stats import Interval

if TYPE_CHECKING:
    from bench.context import Context

ROLE = "scorer"
NO_SCORER = (
    "needs a causal LM: give --scorer hf/MODEL, or an endpoint that echoes prompt log-probabilities"
)
_TEMPLATE = Template(Path(__file__).with_suffix(".txt"))


@dataclass(frozen=True)
class GptScoreKernel:
    """Mean of both directions, 0 to 1, held whole."""

    matrix: Matrix
    """Shape (n, n), symmetric."""
    keys: Sequence[tuple[str, ...]]
    """Journal keys of each text's log-probabilities given every other."""

    def __len__(self) -> int:
        """Number of texts."""
        return len(self.matrix)

    def block(self, rows: slice, columns: slice) -> Matrix:
        """A part of the matrix."""
        return self.matrix[rows, columns]


def probability(logprobs: Sequence[float]) -> float:
    """Geometric mean of token probabilities, given their logarithms; 0 for no tokens."""
    return math.exp(math.fsum(logprobs) / len(logprobs)) if logprobs else 0.0


class GptScore(PairMetric):
    """Mean conditional token probability over pairs, in both directions.

    The paper names no model: its figure stands beside ours and is not comparable.
    """

    card = MetricCard(
        name="gptscore",
        summary="Mean geometric token probability of one record given another over pairs, 0 to 1",
        unit="probability",
        better="lower",
        uses=(ROLE,),
        comparable=False,
    )

    async def kernel(self, texts: Sequence[str], context: "Context") -> Kernel:
        """Both directions of each pair: n (n - 1) exchanges, `context.at_once` at a time."""
        scorer = context.role(ROLE)
        n = len(texts)
        matrix = np.zeros((n, n))
        keys: list[list[str]] = [[] for _ in texts]

        async def one(pair: tuple[int, int]) -> tuple[int, int, float, str]:
            given, scored = pair
            before = _TEMPLATE.text.replace("{record}", texts[given])
            values, key = await scorer.logprobs(before, texts[scored], replicate="")
            return given, scored, probability(values), key

        def pairs() -> Iterator[tuple[int, int]]:
            return ((i, j) for i in range(n) for j in range(n) if i != j)

        async for given, scored, value, key in ordered_map(one, pairs(), context.at_once):
            matrix[given, scored] = value
            keys[scored].append(key)
        return GptScoreKernel((matrix + matrix.T) / 2, [tuple(found) for found in keys])

    async def score(self, items: Items, context: "Context") -> tuple[Score, ...]:
        """The score; without a scorer, or where it failed, one without value that says why."""
        if ROLE not in context.roles:
            return (self._none(items, context, NO_SCORER),)
        try:
            return await super().score(items, context)
        except AskError as failure:
            note = f"the scorer failed ({failure.reason}); run again to ask what is missing"
            return (self._none(items, context, note),)

    async def compare(
        self, first: Items, second: Items, context: "Context"
    ) -> tuple[float, Interval | None, int] | None:
        """As for every pair metric; none also without a scorer, or where it failed."""
        if ROLE not in context.roles:
            return None
        try:
            return await super().compare(first, second, context)
        except AskError:
            return None

    def _none(self, items: Items, context: "Context", note: str) -> Score:
        n = sum(1 for _ in items)
        return Score(
            metric=self.card.name,
            value=None,
            unit=self.card.unit,
            better=self.card.better,
            n=n,
            n_missing=items.missing,
            interval=None,
            signature=self.signature(context),
            notes=(note,),
        )

    def method(self, context: "Context") -> tuple[str, ...]:
        """The scorer and the prompt."""
        prompt = _TEMPLATE.sha256[:12]
        scorer = context.roles[ROLE].name if ROLE in context.roles else "none"
        settings = (f"prompt:{prompt}", "dir:both", "mean:geometric")
        return (signature_of("gptscore", f"scorer:{scorer}", *settings),)
