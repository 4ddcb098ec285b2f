"""Mean cosine similarity of whole-record embeddings over pairs of records.

For vectors of length 1 the sum over pairs has a closed form, so the mean costs no more than the
embeddings: |sum v|^2 is the sum over all pairs, a record's with itself included.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.api.metric import MetricCard
from bench.api.pair_metric import Kernel, Matrix, PairMetric, Texts, signature_of
from bench.backbones.encoder import WINDOW
from bench.scoring.intervals import PairMoments

if TYPE_CHECKING:
    from bench.api.context import Context


@dataclass(frozen=True)
class CosineKernel:
    """Cosine similarity of n vectors of length 1, -1 to 1."""

    vectors: Matrix
    """Shape (n, width), float64."""
    keys: Sequence[tuple[str, ...]] = ()
    """Journal key of each vector."""

    def __len__(self) -> int:
        """Number of vectors."""
        return len(self.vectors)

    def block(self, rows: slice, columns: slice) -> Matrix:
        """Cosines of two runs of vectors."""
        cosines: Matrix = self.vectors[rows] @ self.vectors[columns].T
        return cosines

    def moments(self) -> PairMoments:
        """Row sums v.S - |v|^2; sum of squares by the width x width product: O(n width^2)."""
        vectors = self.vectors
        squared = np.einsum("ij,ij->i", vectors, vectors)
        row_sums = vectors @ vectors.sum(axis=0) - squared
        products = vectors.T @ vectors
        return PairMoments(
            row_sums=row_sums, sum_of_squares=float(np.sum(products**2) - np.sum(squared**2))
        )


class Cosine(PairMetric):
    """Mean cosine similarity over pairs, of embeddings of the whole record.

    The paper names no model: its figure stands beside ours and is not comparable.
    """

    card = MetricCard(
        name="cosine",
        summary="Mean cosine similarity of record embeddings over pairs of records, -1 to 1",
        unit="similarity",
        range=(-1.0, 1.0),
        better="lower",
        extra="neural",
    )

    async def kernel(self, texts: Texts, context: "Context") -> Kernel:
        """Cosines of the texts' embeddings, which the journal keeps."""
        vectors, keys = await context.encoder().embed_with_keys(texts)
        return CosineKernel(vectors.astype(np.float64), [(key,) for key in keys])

    def method(self, context: "Context") -> tuple[str, ...]:
        """The model, its windows and pooling, and the libraries."""
        model = f"model:{context.encoder().signature}"
        windows = f"windows:{WINDOW - 2}+2"
        return (
            signature_of("cosine", model, windows, "pool:mean", packages=("transformers", "torch")),
        )
