"""Self-BLEU over pairs of records: the more alike the records, the higher.

A similarity is the mean of both directions of sacrebleu's sentence BLEU with effective order and
exponential smoothing, divided by 100. It is exact, not sampled, and far cheaper than a loop:
clipped n-gram counts are dot products of binary vectors with one place for "has n-gram g at least
k times", so one matrix product counts a whole block of pairs. Frequent places go into a dense
product, rare ones into a sparse one; those of a single text match nothing and are dropped.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray
from sacrebleu.metrics import BLEU

from bench.api.metric import MetricCard
from bench.api.pair_metric import (
    Grouping,
    Kernel,
    Matrix,
    PairMetric,
    Texts,
    View,
    signature_of,
)
from bench.core.errors import UserError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from bench.api.context import Context

Tokenizer = Literal["13a", "intl", "zh", "char", "none"]
ORDERS = 4
"""Longest n-gram; BLEU-4 as in Papineni et al. (2002)."""
DENSE_SHARE = 0.05
"""Places held by at least this share of texts are multiplied densely; speed is flat around it."""
Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Order:
    """The n-grams of one order in n texts, as binary places (n-gram, k-th occurrence)."""

    common: NDArray[np.float32]
    """Shape (n, frequent places)."""
    rare: "csr_array"
    """Shape (n, rare places)."""

    def shared(self, rows: slice, columns: slice) -> Matrix:
        """Clipped matches of each pair; whole numbers, exact in float32 below 2**24."""
        counts = (self.common[rows] @ self.common[columns].T).astype(np.float64)
        if self.rare.shape[1]:
            counts += (self.rare[rows] @ self.rare[columns].T).toarray()
        return counts


@dataclass(frozen=True)
class BleuKernel:
    """Symmetric sentence BLEU of n texts, 0 to 1."""

    lengths: Ints
    """Shape (n,): tokens of each text."""
    orders: tuple[Order, ...]
    """One for each n-gram order from 1."""

    def __len__(self) -> int:
        """Number of texts."""
        return len(self.lengths)

    def block(self, rows: slice, columns: slice) -> Matrix:
        """Mean of both directions for two runs of texts."""
        shared = [order.shared(rows, columns) for order in self.orders]
        sums = _sums_of_logs(shared)
        forward = _directed(sums, self.lengths[rows], self.lengths[columns])
        backward = _directed([one.T for one in sums], self.lengths[columns], self.lengths[rows])
        both: Matrix = np.where(shared[0] > 0, (forward + backward.T) / 2, 0.0)
        return both


def _sums_of_logs(shared: Sequence[Matrix]) -> list[Matrix]:
    """Running sums over the orders of log(matches); the k-th order without any is 1 / 2^k."""
    halvings = np.zeros_like(shared[0])
    total = np.zeros_like(shared[0])
    sums = []
    for counts in shared:
        none = counts == 0
        halvings += none
        logs = np.log(np.where(none, 1.0, counts))
        total = total + logs - np.where(none, halvings, 0.0) * np.log(2)
        sums.append(total)
    return sums


def _directed(sums: Sequence[Matrix], lengths: Ints, references: Ints) -> Matrix:
    """BLEU of each text against each reference, shape (len(lengths), len(references)).

    Only orders that the text is long enough for count, as sacrebleu's effective order has it.
    """
    used = np.clip(lengths, 1, ORDERS)
    total = sums[-1]
    if (used < ORDERS).any():
        total = np.choose((used - 1)[:, None], list(sums))
    possible = np.maximum(lengths[:, None] - np.arange(ORDERS), 1)
    logs = np.log(possible).sum(axis=1)  # orders too long for the text add log(1)
    brevity = 1 - references / np.maximum(lengths, 1)[:, None]
    scores = np.exp((total - logs[:, None]) / used[:, None] + np.minimum(brevity, 0.0))
    # Rounding takes identical texts to 1.0000000000000004, in sacrebleu too.
    bounded: Matrix = np.minimum(scores, 1.0)
    return bounded


def _orders(tokens: Ints, lengths: Ints) -> Iterator[Order]:
    """The places of each n-gram order, for the token ids of all texts laid end to end."""
    n = len(lengths)
    owners = np.repeat(np.arange(n), lengths)
    ends = np.repeat(np.cumsum(lengths), lengths)
    vocabulary = int(tokens.max(initial=0)) + 1
    starts = np.arange(len(tokens))
    grams = tokens
    for order in range(ORDERS):
        if order:
            fits = starts + order < ends[starts]
            starts, grams = starts[fits], grams[fits]
            codes = grams * vocabulary + tokens[starts + order]
            grams = np.unique(codes, return_inverse=True)[1]
        held, counts = np.unique(grams * n + owners[starts], return_counts=True)
        gram, text = np.divmod(held, n)
        # An n-gram of one text matches nothing, and neither does any longer one that begins so.
        frequency = np.bincount(gram)
        keep = frequency[gram] > 1
        yield _order(gram[keep], text[keep], counts[keep], n)
        extends = frequency[grams] > 1 if len(grams) else np.zeros(0, dtype=bool)
        starts, grams = starts[extends], grams[extends]


def _order(gram: Ints, text: Ints, counts: Ints, n: int) -> Order:
    """The binary places of n-grams given with the texts that hold them and how often."""
    from scipy.sparse import csr_array

    first = np.cumsum(counts) - counts
    occurrence = np.arange(counts.sum()) - np.repeat(first, counts)
    codes = np.repeat(gram, counts) * (int(counts.max(initial=0)) + 1) + occurrence
    owners = np.repeat(text, counts)
    place, frequency = np.unique(codes, return_inverse=True, return_counts=True)[1:]
    dense = frequency >= max(2.0, DENSE_SHARE * n)
    sparse = (frequency > 1) & ~dense
    common = np.zeros((n, int(dense.sum())), dtype=np.float32)
    chosen = dense[place]
    common[owners[chosen], (np.cumsum(dense) - 1)[place[chosen]]] = 1
    chosen = sparse[place]
    at = (owners[chosen], (np.cumsum(sparse) - 1)[place[chosen]])
    ones = np.ones(len(at[0]), dtype=np.float32)
    return Order(common, csr_array((ones, at), shape=(n, int(sparse.sum()))))


def _tokenise(tokenizer: Tokenizer) -> Callable[[str], list[str]]:
    """Tokens of a text as sacrebleu has them.

    13a looks at a character and its neighbours only, and takes all white space alike, so a text
    is its chunks between white space, each tokenised once; three rewrites of whole lines apart.
    """
    whole = BLEU(tokenize=tokenizer).tokenizer
    if tokenizer != "13a":
        return lambda text: list(whole(text.rstrip()).split())
    chunks: dict[str, list[str]] = {}

    def tokenise(text: str) -> list[str]:
        if "&" in text or "-\n" in text or "<skipped>" in text:
            return list(whole(text.rstrip()).split())
        tokens: list[str] = []
        for chunk in text.split():
            known = chunks.get(chunk)
            if known is None:
                known = chunks[chunk] = whole(chunk).split()
            tokens += known
        return tokens

    return tokenise


def bleu_kernel(texts: Sequence[str], tokenizer: Tokenizer = "13a") -> BleuKernel:
    """The kernel of some texts. Memory O(n); no matrix of pairs is held."""
    tokenise = _tokenise(tokenizer)
    ids: dict[str, int] = {}
    lengths = np.zeros(len(texts), dtype=np.int64)
    token_ids: list[int] = []
    for number, text in enumerate(texts):
        tokens = tokenise(text)
        lengths[number] = len(tokens)
        token_ids.extend([ids.setdefault(token, len(ids)) for token in tokens])
    return BleuKernel(lengths, tuple(_orders(np.array(token_ids, dtype=np.int64), lengths)))


class Bleu(PairMetric):
    """Mean sentence BLEU over pairs, both directions (sacrebleu, effective order, exp smoothing).

    The tokenizer is one of sacrebleu's; 13a scores Chinese text wrongly, use zh there.
    """

    card = MetricCard(
        name="bleu",
        summary="Self-BLEU: mean sacrebleu sentence BLEU over pairs of records, 0 to 1",
        unit="similarity",
        better="lower",
    )

    def __init__(
        self,
        *,
        tokenize: Tokenizer = "13a",
        view: View = "full",
        pairs: Grouping = "department",
    ) -> None:
        """Choose the tokenizer, the text compared and the pairs."""
        super().__init__(view=view, pairs=pairs)
        if tokenize not in get_args(Tokenizer):
            raise UserError(
                f"bleu has no tokenizer {tokenize!r}: use one of {', '.join(get_args(Tokenizer))}"
            )
        self.tokenize: Tokenizer = tokenize

    async def kernel(self, texts: Texts, context: "Context") -> Kernel:
        """Symmetric sentence BLEU; O(tokens log tokens) to prepare."""
        return await asyncio.to_thread(bleu_kernel, texts, self.tokenize)

    def method(self, context: "Context") -> tuple[str, ...]:
        """Tokenizer, smoothing and the sacrebleu version it equals."""
        settings = (f"tok:{self.tokenize}", "smooth:exp", "eff:yes", "dir:both", "case:mixed")
        return (signature_of("bleu", *settings, packages=("sacrebleu",)),)
