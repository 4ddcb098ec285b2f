"""GPTScore over pairs of records: how well one record foretells another, to a language model.

A similarity is the exponential of the mean log-probability of the tokens of one record given the
other (after Fu et al. 2023), averaged over both directions. It asks the scorer twice for each pair;
of a group with more than `budget` pairs it draws a sample, and asks each one way.
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.api.failure import Failure, Unscored, guarded
from bench.api.metric import MetricCard
from bench.api.pair_metric import (
    Grouping,
    ListedKernel,
    PairMetric,
    Texts,
    View,
)
from bench.backbones.templates import Template
from bench.core.concurrency import ordered_map
from bench.core.errors import UserError

if TYPE_CHECKING:
    from bench.api.context import Context

ROLE = "scorer"
NO_SCORER = (
    "needs a causal LM: give --scorer hf/smollm2 or another hf/MODEL, or an endpoint that echoes "
    "prompt log-probabilities"
)
BUDGET = 200
"""Pairs of a group that are asked where nobody says otherwise: all those of twenty records."""
MOST_FAILURES = 100
"""Failed pairs with which a score is given up."""
_TEMPLATE = Template(Path(__file__).with_suffix(".txt"))
_Asked = tuple[int, int, int]
"""The place of the record given, of the one scored, and of their pair."""


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
        uses={ROLE: NO_SCORER},
        prompts=(_TEMPLATE.path,),
    )

    def __init__(
        self, *, view: View = "full", pairs: Grouping = "department", budget: int = BUDGET
    ) -> None:
        """Choose the text, the groups of the pairs, and how many pairs of a group are asked.

        Of more than `budget` pairs a sample is drawn; see `bench.scoring.sampling`.

        Raises:
            UserError: if the budget is no positive number.
        """
        super().__init__(view=view, pairs=pairs)
        if budget < 1:
            raise UserError(f"budget is {budget}: it must be at least 1 pair of a group")
        self.budget = budget

    async def kernel(self, texts: Texts, context: "Context") -> ListedKernel:
        """The pairs wanted, `context.at_once` at a time: both ways, or of a sample one.

        Raises:
            Unscored: if a pair could not be asked; after `MOST_FAILURES` the others are not.
            UserError: if the scorer gives no log-probabilities.
        """
        scorer = context.role(ROLE)
        values = np.zeros(len(texts.pairs))
        keys: list[list[str]] = [[] for _ in texts]
        failures: list[Failure] = []

        async def ask(one: _Asked) -> tuple[_Asked, float, str]:
            given, scored, _ = one
            before = _TEMPLATE.text.replace("{record}", texts[given])
            work = scorer.logprobs(before, texts[scored], replicate="")
            title = f"{texts.ids[scored]} given {texts.ids[given]}"
            answer = await guarded(work, title, "scoring")
            if not isinstance(answer, Failure):
                return one, probability(answer[0]), answer[1]
            failures.append(answer)
            if len(failures) >= MOST_FAILURES:
                raise _unscored(failures)
            return one, 0.0, ""

        # Texts with one context follow each other: a model in process reads it once for several.
        asked = [(i, j, at) for at, (i, j) in enumerate(texts.pairs.tolist())]
        if not texts.sampled:
            asked += [(j, i, at) for i, j, at in asked]
        async for (given, scored, at), value, key in ordered_map(
            ask, sorted(asked), context.at_once
        ):
            values[at] += value if texts.sampled else value / 2
            keys[given].append(key)
            keys[scored].append(key)
        if failures:
            raise _unscored(failures)
        return ListedKernel(values, [tuple(behind) for behind in keys])

    def method(self, context: "Context") -> tuple[str, ...]:
        """The scorer, the prompt, and what is cut where both records do not fit the model."""
        prompt = _TEMPLATE.sha256[:12]
        scorer = context.roles[ROLE].pinned if ROLE in context.roles else "none"
        return (
            "gptscore",
            f"scorer:{scorer}",
            f"prompt:{prompt}",
            "context:cut-left",
            "dir:both, of a sample one",
            "mean:geometric",
        )


def _unscored(failures: Sequence[Failure]) -> Unscored:
    """No value, with the failed pairs as far as they count."""
    listed = sorted(failures[:MOST_FAILURES], key=lambda failure: failure.item)
    many = f"{len(listed)} pairs failed"
    if len(listed) == MOST_FAILURES:
        many += ", with which it was given up"
    return Unscored(f"{many} (the first: {listed[0].reason})", listed)
