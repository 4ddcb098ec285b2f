"""GPTScore over pairs of records: how well one record foretells another, to a language model.

A similarity is the exponential of the mean log-probability of the tokens of one record given the
other (after Fu et al. 2023), averaged over both directions. It asks the scorer n (n - 1) times.
"""

import math
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.api.failure import Failure, Unscored, guarded
from bench.api.metric import MetricCard
from bench.api.pair_metric import Kernel, MatrixKernel, PairMetric, Texts, signature_of
from bench.backbones.templates import Template
from bench.core.concurrency import ordered_map

if TYPE_CHECKING:
    from bench.api.context import Context

ROLE = "scorer"
NO_SCORER = (
    "needs a causal LM: give --scorer hf/MODEL, or an endpoint that echoes prompt log-probabilities"
)
MOST_FAILURES = 100
"""Failed pairs with which a score is given up."""
_TEMPLATE = Template(Path(__file__).with_suffix(".txt"))
_Pair = tuple[int, int]


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

    async def kernel(self, texts: Texts, context: "Context") -> Kernel:
        """Both directions of each pair: n (n - 1) exchanges, `context.at_once` at a time.

        Raises:
            Unscored: if a pair could not be asked; after `MOST_FAILURES` the others are not.
            UserError: if the scorer gives no log-probabilities.
        """
        scorer = context.role(ROLE)
        matrix = np.zeros((len(texts), len(texts)))
        keys: list[list[str]] = [[] for _ in texts]
        failures: list[Failure] = []

        async def ask(pair: _Pair) -> tuple[_Pair, float, str]:
            given, scored = pair
            before = _TEMPLATE.text.replace("{record}", texts[given])
            asked = scorer.logprobs(before, texts[scored], replicate="")
            title = f"{texts.ids[scored]} given {texts.ids[given]}"
            answer = await guarded(asked, title, "scoring")
            if not isinstance(answer, Failure):
                return pair, probability(answer[0]), answer[1]
            failures.append(answer)
            if len(failures) >= MOST_FAILURES:
                raise _unscored(failures)
            return pair, 0.0, ""

        pairs = permutations(range(len(texts)), 2)
        async for (given, scored), value, key in ordered_map(ask, pairs, context.at_once):
            matrix[given, scored] = value
            keys[given].append(key)
            keys[scored].append(key)
        if failures:
            raise _unscored(failures)
        return MatrixKernel((matrix + matrix.T) / 2, [tuple(behind) for behind in keys])

    def method(self, context: "Context") -> tuple[str, ...]:
        """The scorer, the prompt, and what is cut where both records do not fit the model."""
        prompt = _TEMPLATE.sha256[:12]
        scorer = context.roles[ROLE].pinned if ROLE in context.roles else "none"
        settings = (f"prompt:{prompt}", "context:cut-left", "dir:both", "mean:geometric")
        return (signature_of("gptscore", f"scorer:{scorer}", *settings),)


def _unscored(failures: Sequence[Failure]) -> Unscored:
    """No value, with the failed pairs as far as they count."""
    listed = sorted(failures[:MOST_FAILURES], key=lambda failure: failure.item)
    many = f"{len(listed)} pairs failed"
    if len(listed) == MOST_FAILURES:
        many += ", with which it was given up"
    return Unscored(f"{many} (the first: {listed[0].reason})", listed)
