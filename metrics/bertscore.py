"""BERTScore over pairs of records: each word piece greedily matched with the nearest of the other.

A similarity is bert-score's F1 (no idf, no rescaling) for one pair alone. Every text is encoded
once and a pair is one matrix product, about 2 ms for two texts of 512 pieces; the pairs are kept
in the journal by blocks of rows, so no pair is matched, and no model loaded, twice.
"""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from bench.api.metric import MetricCard
from bench.api.pair_metric import (
    Grouping,
    Kernel,
    MatrixKernel,
    PairMetric,
    Texts,
    View,
    runs,
    signature_of,
)
from bench.backbones.encoder import Encoder, TokenVectors, in_parallel
from bench.core.errors import UserError

if TYPE_CHECKING:
    import torch

    from bench.api.context import Context

ROWS = 64
"""Rows of a stored block: what a killed run computes again at most."""


@dataclass(frozen=True)
class Pieces:
    """A text made ready for matching."""

    vectors: "torch.Tensor"
    """Shape (pieces, width), each of length 1, special tokens included."""
    weights: "torch.Tensor"
    """Shape (pieces,): what each piece counts; special tokens 0, the rest equal, sum 1."""
    empty: bool
    """Whether there are none but special tokens."""

    @classmethod
    def of(cls, tokens: TokenVectors) -> "Pieces":
        """Scale the vectors; special tokens may be matched but do not count, as in bert-score."""
        import torch

        vectors = torch.from_numpy(tokens.vectors)
        counted = torch.from_numpy(~tokens.special).float()
        total = float(counted.sum())
        unit = vectors / vectors.norm(dim=1, keepdim=True)
        return cls(unit, counted / max(total, 1.0), total == 0)


def f1(left: Pieces, right: Pieces) -> float:
    """BERTScore F1 of two texts; 0 where either is empty."""
    if left.empty or right.empty:
        return 0.0
    cosines = left.vectors @ right.vectors.T
    precision = float(cosines.amax(dim=1) @ left.weights)
    recall = float(cosines.amax(dim=0) @ right.weights)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def upper_rows(pieces: Sequence[Pieces], rows: slice) -> NDArray[np.float32]:
    """F1 of each row with every later text, one after the other."""

    def row(i: int) -> list[float]:
        return [f1(pieces[i], other) for other in pieces[i + 1 :]]

    values = in_parallel(row, range(rows.start, rows.stop))
    return np.array([value for one in values for value in one], dtype=np.float32)


class BertScore(PairMetric):
    """Mean BERTScore F1 over pairs; texts are cut at the model's limit, as bert-score does.

    The paper names no model: its figure stands beside ours and is not comparable.
    """

    card = MetricCard(
        name="bertscore",
        summary="Mean BERTScore F1 over pairs of records, without idf or rescaling",
        unit="similarity",
        range=(-1.0, 1.0),
        better="lower",
        extra="neural",
    )

    def __init__(
        self,
        *,
        layer: int | None = None,
        view: View = "full",
        pairs: Grouping = "department",
    ) -> None:
        """Choose the layer (none: the model's last), the text compared and the pairs."""
        super().__init__(view=view, pairs=pairs)
        if layer is not None and layer < 1:
            raise UserError(f"bertscore has no layer {layer}: layers count from 1")
        self.layer = layer

    async def kernel(self, texts: Texts, context: "Context") -> Kernel:
        """F1 of all pairs: O(n) forward passes, O(n^2) matches, once per journal."""
        layer = self.layer or context.encoder().layers
        encoder = context.encoder()
        stripped = [text.strip() for text in texts]
        whole = hashlib.sha256()
        for text in stripped:
            whole.update(hashlib.sha256(text.encode()).digest())
        ready: list[Pieces] = []

        async def compute(_: str, rows: slice) -> bytes:
            if not ready:
                ready.extend(await _pieces(stripped, encoder, layer))
            values = await asyncio.to_thread(upper_rows, ready, rows)
            return values.astype("<f4").tobytes()

        n = len(stripped)
        matrix = np.ones((n, n))
        blocks: list[tuple[slice, str]] = []
        for rows in runs(0, n, ROWS):
            request = {
                "kind": "bertscore-f1",
                "model": encoder.identity,
                "library": encoder.library,
                "layer": layer,
                "texts": whole.hexdigest(),
                "rows": [rows.start, rows.stop],
            }
            entry = await context.journal.once(request, partial(compute, rows=rows))
            values = np.frombuffer(entry.body, dtype="<f4")
            for row in range(rows.start, rows.stop):
                matrix[row, row + 1 :] = values[: n - row - 1]
                values = values[n - row - 1 :]
            blocks.append((rows, entry.key))
        matrix = np.triu(matrix) + np.triu(matrix, 1).T
        keys = [tuple(key for rows, key in blocks if rows.start <= row) for row in range(n)]
        return MatrixKernel(matrix, keys)

    def method(self, context: "Context") -> tuple[str, ...]:
        """The model and layer, what is left out, and the libraries."""
        encoder = context.encoder()
        settings = (f"layer:{self.layer or encoder.layers}", "idf:no", "rescale:no", "cut:limit")
        model = f"model:{encoder.signature}"
        packages = ("transformers", "torch")
        return (signature_of("bertscore", "f1", model, *settings, packages=packages),)


async def _pieces(texts: Sequence[str], encoder: Encoder, layer: int) -> list[Pieces]:
    """The texts encoded, equal ones once."""
    distinct = list(dict.fromkeys(texts))
    vectors = await encoder.tokens(distinct, layer)
    pieces = dict(zip(distinct, map(Pieces.of, vectors), strict=True))
    return [pieces[text] for text in texts]
