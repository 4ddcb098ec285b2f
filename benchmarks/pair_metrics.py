"""BLEU and ROUGE-L over all pairs of 1,000 records, against the usual loop, in CPU time.

The loop is taken at its strongest (one sacrebleu object, its tokenizer's cache warm; one
rouge-score object) and is extrapolated from random pairs: run whole it would take hours.
"""

import random
import time
from collections.abc import Callable, Sequence

import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU

from bench.api.pair_metric import Kernel, runs
from benchmarks.corpus import notes
from metrics.bleu import bleu_kernel
from metrics.rouge_l import rouge_l_kernel

RECORDS = 1_000
SEED = 1
Pair = tuple[int, int]


def mean_of(kernel: Kernel) -> float:
    """The mean over all pairs, block by block."""
    n = len(kernel)
    total = 0.0
    for rows in runs(0, n):
        block = kernel.block(rows, rows)
        total += float(np.triu(block, 1).sum())
        total += sum(float(kernel.block(rows, rest).sum()) for rest in runs(rows.stop, n))
    return total / (n * (n - 1) / 2)


def report(
    name: str,
    texts: Sequence[str],
    kernel: Callable[[Sequence[str]], Kernel],
    usual: Callable[[str, str], float],
    *,
    sampled: int,
    directions: int,
    goal: float,
) -> None:
    """Print the CPU-time ratio and the largest difference on the sampled pairs."""
    n = len(texts)
    draw = random.Random(SEED)
    pairs = [(draw.randrange(n), draw.randrange(n - 1)) for _ in range(sampled)]
    pairs = [(i, j + (j >= i)) for i, j in pairs]
    usual(texts[0], texts[1])
    kernel(texts[:8])  # imports and first use are nobody's pair cost

    start = time.process_time()
    made = kernel(texts)
    mean = mean_of(made)
    ours = time.process_time() - start

    start = time.process_time()
    values = [usual(texts[i], texts[j]) for i, j in pairs]
    each = (time.process_time() - start) / sampled
    loop = each * directions * n * (n - 1) / 2

    worst = 0.0
    for (i, j), value in zip(pairs, values, strict=True):
        expected = value if directions == 1 else (value + usual(texts[j], texts[i])) / 2
        got = float(made.block(slice(i, i + 1), slice(j, j + 1))[0, 0])
        worst = max(worst, abs(got - expected))
    met = "met" if loop / ours >= goal else "MISSED"
    print(f"{name}: all {n * (n - 1) // 2:,} pairs of {n:,} records, mean {mean:.6f}")
    print(f"  ours    {ours:9.2f} CPU s, text to mean")
    print(
        f"  loop    {loop:9.0f} CPU s, extrapolated from {sampled:,} pairs at {each * 1e3:.2f} ms"
    )
    print(f"  ratio   {loop / ours:9,.0f} x (goal {goal:,.0f} x: {met})")
    print(f"  largest difference on those pairs {worst:.1e}")


def main() -> None:
    """Print both reports."""
    texts = notes(RECORDS, SEED)
    bleu = BLEU(effective_order=True)
    for text in texts:
        bleu.tokenizer(text.rstrip())  # a double loop finds every text tokenised but once
    rouge = RougeScorer(["rougeL"])
    report(
        "BLEU",
        texts,
        bleu_kernel,
        lambda one, other: float(bleu.sentence_score(one, [other]).score) / 100,
        sampled=2_000,
        directions=2,
        goal=500,
    )
    report(
        "ROUGE-L",
        texts,
        rouge_l_kernel,
        lambda one, other: float(rouge.score(one, other)["rougeL"].fmeasure),
        sampled=200,
        directions=1,
        goal=1_000,
    )


if __name__ == "__main__":
    main()
