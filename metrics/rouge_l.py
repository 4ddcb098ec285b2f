"""ROUGE-L over pairs of records: the longest common subsequence of their words.

A similarity is the F1 of rouge-score without stemmer, to the last bit. Words are ranked by
frequency and written as one character each, so that rapidfuzz's bit-parallel comparison finds the
256 commonest in its direct table.
"""

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cdist

from bench.api.failure import Failure, Unscored
from bench.api.metric import MetricCard
from bench.api.pair_metric import Kernel, Matrix, PairMetric, Texts, signature_of

if TYPE_CHECKING:
    from bench.api.context import Context

_WORD = re.compile("[a-z0-9]+")
_UNSEEN = re.compile("[^\\W\\d_a-zA-Z\u00c0-\u024f]")
"""Letters of other scripts than the Latin one."""
FOREIGN = 0.1
"""Share of a text in letters of other scripts above which its words say nothing of it."""


def words(text: str) -> list[str]:
    """Words as rouge-score has them: lower case, runs of a-z and 0-9; nothing else counts."""
    return _WORD.findall(text.lower())


def unseen(text: str) -> float:
    """Share of a text, white space aside, in letters that are no words here."""
    return len(_UNSEEN.findall(text)) / max(len("".join(text.split())), 1)


@dataclass(frozen=True)
class RougeLKernel:
    """ROUGE-L F1 of n texts, 0 to 1."""

    encoded: Sequence[str]
    """Each text with a character for each word; Unicode has 1.1 million of them."""
    lengths: NDArray[np.int64]
    """Shape (n,): words of each text."""

    def __len__(self) -> int:
        """Number of texts."""
        return len(self.lengths)

    def block(self, rows: slice, columns: slice) -> Matrix:
        """F1 of two runs of texts; 0 where either has no words."""
        left = self.encoded[rows]
        # The same list object given twice is compared only above the diagonal.
        right = left if rows == columns else self.encoded[columns]
        common = cdist(left, right, scorer=LCSseq.similarity, dtype=np.int32, workers=-1)
        # The order of rouge-score's own operations, so that no bit differs.
        recall = common / np.maximum(self.lengths[rows], 1)[:, None]
        precision = common / np.maximum(self.lengths[columns], 1)[None, :]
        sums = precision + recall
        score: Matrix = 2 * precision * recall / np.where(sums > 0, sums, 1.0)
        return score


def rouge_l_kernel(texts: Sequence[str]) -> RougeLKernel:
    """The kernel of some texts. Memory O(n)."""
    split = [words(text) for text in texts]
    counts = Counter(word for one in split for word in one)
    character = {word: chr(rank) for rank, (word, _) in enumerate(counts.most_common())}
    lengths = np.array([len(one) for one in split], dtype=np.int64)
    return RougeLKernel(["".join([character[word] for word in one]) for one in split], lengths)


class RougeL(PairMetric):
    """Mean ROUGE-L F1 over pairs (rouge-score 0.1.2 without stemmer).

    Only a-z and 0-9 count as text: accented letters split words, and other scripts are not seen at
    all, so a record that is written in one cannot be compared.
    """

    card = MetricCard(
        name="rouge-l",
        summary="Mean ROUGE-L F1 over pairs of records, by rouge-score's definition, 0 to 1",
        unit="similarity",
        better="lower",
    )

    async def kernel(self, texts: Texts, context: "Context") -> Kernel:
        """ROUGE-L F1; O(words) to prepare.

        Raises:
            Unscored: if texts are written in another script than the Latin one.
        """
        places = [at for at, text in enumerate(texts) if unseen(text) > FOREIGN]
        if places:
            reason = "rouge-l sees a-z and 0-9 alone, and the record is written in other letters"
            failures = [
                Failure(item=texts.ids[at], stage="scoring", outcome="invalid", reason=reason)
                for at in places
            ]
            raise Unscored(f"{len(places)} of {len(texts)} records: {reason}", failures)
        return await asyncio.to_thread(rouge_l_kernel, texts)

    def method(self, context: "Context") -> tuple[str, ...]:
        """What is equalled, and by which library."""
        return (signature_of("rougeL", "f1", "stem:no", "tok:a-z0-9", packages=("rapidfuzz",)),)
