"""GPTScore over pairs of records: how well one record foretells another, to a language model.

A similarity is the exponential of the mean log-probability of the tokens of one record given the
other (after Fu et al. 2023), averaged over both directions. It asks the scorer n (n - 1) times.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from bench.api.failure import Failure, guarded
from bench.api.metric import Items, MetricCard, Score, no_score
from bench.backbones.prompt import AskError
from bench.backbones.templates import Template
from bench.core.concurrency import ordered_map
from bench.records.record import PatientRecord
from bench.scoring.intervals import Interval
from bench.scoring.pairs import Kernel, MatrixKernel, PairMetric, signature_of, view_text

if TYPE_CHECKING:
    from bench.api.context import Context

ROLE = "scorer"
NO_SCORER = (
    "needs a causal LM: give --scorer hf/MODEL, or an endpoint that echoes prompt log-probabilities"
)
MOST_FAILURES = 100
"""Failed pairs with which a score is given up."""
_TEMPLATE = Template(Path(__file__).with_suffix(".txt"))


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
        prompts=(_TEMPLATE.path,),
    )

    _failed: list[Failure]
    """Of an attempt: the pairs that could not be asked."""
    _most: int
    """Of an attempt: failures with which it is given up."""

    def _attempt(self, most: int) -> Self:
        """This metric with failures of its own to count."""
        attempt = copy(self)
        attempt._failed, attempt._most = [], most
        return attempt

    async def kernel(self, texts: Sequence[str], context: "Context") -> Kernel:
        """Both directions of each pair: n (n - 1) exchanges, `context.at_once` at a time.

        Raises:
            AskError: a pair could not be asked.
        """
        return await self._attempt(1)._asked([str(i) for i in range(len(texts))], texts, context)

    async def _kernel(self, records: Sequence[PatientRecord], context: "Context") -> Kernel:
        texts = [view_text(record, self.view) for record in records]
        return await self._asked([record.id for record in records], texts, context)

    async def _asked(
        self, names: Sequence[str], texts: Sequence[str], context: "Context"
    ) -> MatrixKernel:
        """The kernel of an attempt; of no use if any pair failed."""
        scorer = context.role(ROLE)
        n = len(texts)
        matrix = np.zeros((n, n))

        async def one(pair: tuple[int, int]) -> tuple[int, int, float]:
            given, scored = pair
            before = _TEMPLATE.text.replace("{record}", texts[given])
            asked = scorer.logprobs(before, texts[scored], replicate="")
            found = await guarded(asked, f"{names[scored]} given {names[given]}", self.card.name)
            if not isinstance(found, Failure):
                return given, scored, probability(found[0])
            self._failed.append(found)
            if len(self._failed) >= self._most:
                raise AskError(found.reason)
            return given, scored, 0.0

        def pairs() -> Iterator[tuple[int, int]]:
            return ((i, j) for i in range(n) for j in range(n) if i != j)

        async for given, scored, value in ordered_map(one, pairs(), context.at_once):
            matrix[given, scored] = value
        return MatrixKernel((matrix + matrix.T) / 2)

    async def score(self, items: Items, context: "Context") -> tuple[Score, ...]:
        """The score; without a scorer, or where a pair failed, one without value that says why."""
        if ROLE not in context.roles:
            return (no_score(self.card, items, NO_SCORER, signature=self.signature(context)),)
        attempt = self._attempt(MOST_FAILURES)
        with suppress(AskError):
            scores = await PairMetric.score(attempt, items, context)
            if not attempt._failed:
                return scores
        failures = sorted(attempt._failed[:MOST_FAILURES], key=lambda failure: failure.item)
        many = f"{len(failures)} pairs failed"
        if len(failures) == MOST_FAILURES:
            many += ", with which it was given up"
        note = f"{many} (the first: {failures[0].reason})"
        signature = self.signature(context)
        return (no_score(self.card, items, note, signature=signature, failures=tuple(failures)),)

    async def compare(
        self, first: Items, second: Items, context: "Context"
    ) -> tuple[float, Interval | None, int] | None:
        """As for every pair metric; none also without a scorer, or where a pair failed."""
        if ROLE not in context.roles:
            return None
        try:
            return await PairMetric.compare(self._attempt(1), first, second, context)
        except AskError:
            return None

    def method(self, context: "Context") -> tuple[str, ...]:
        """The scorer, the prompt, and what is cut where both records do not fit the model."""
        prompt = _TEMPLATE.sha256[:12]
        scorer = context.roles[ROLE].pinned if ROLE in context.roles else "none"
        settings = (f"prompt:{prompt}", "context:cut-left", "dir:both", "mean:geometric")
        return (signature_of("gptscore", f"scorer:{scorer}", *settings),)
