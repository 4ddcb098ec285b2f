import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.metrics import BLEU

from bench.api.pair_metric import Matrix
from bench.core.errors import UserError
from benchmarks.corpus import notes
from metrics.bleu import Bleu, Tokenizer, _tokenise, bleu_kernel

WORDS = st.lists(st.sampled_from(["pain", "pain.", "1,5", "-", "a-b", "cough,", "(x)", "\n"]))


def whole(texts: list[str], tokenizer: Tokenizer = "13a") -> Matrix:
    everything = slice(0, len(texts))
    return bleu_kernel(texts, tokenizer).block(everything, everything)


def oracle(bleu: BLEU, one: str, other: str) -> float:
    both = bleu.sentence_score(one, [other]).score + bleu.sentence_score(other, [one]).score
    return float(both) / 200


def test_equals_sacrebleu_on_records_and_scraps() -> None:
    texts = [*notes(20, seed=3), *notes(10, seed=4, shortest=10, longest=60)]
    texts += ["", " ", "pain", "chest pain", "chest pain now", "Fever &amp; cough-\ning.", "…", "."]
    bleu = BLEU(effective_order=True)
    found = whole(texts)
    draw = random.Random(0)
    pairs = [(i, j) for i in range(30, len(texts)) for j in range(len(texts)) if i != j]
    pairs += [(draw.randrange(30), draw.randrange(30)) for _ in range(60)]
    worst = max(abs(found[i, j] - oracle(bleu, texts[i], texts[j])) for i, j in pairs if i != j)
    assert worst < 1e-9


@pytest.mark.parametrize("tokenizer", ["intl", "zh", "char", "none"])
def test_equals_sacrebleu_with_other_tokenizers(tokenizer: Tokenizer) -> None:
    texts = [*notes(4, seed=5), "胸痛三天，伴有咳嗽。", "胸痛两天，伴有发热。"]
    bleu = BLEU(effective_order=True, tokenize=tokenizer)
    found = whole(texts, tokenizer)
    for i in range(len(texts)):
        for j in range(i):
            assert found[i, j] == pytest.approx(oracle(bleu, texts[i], texts[j]), abs=1e-9)


@given(st.lists(WORDS.map(" ".join), min_size=2, max_size=6))
def test_equals_sacrebleu_on_short_texts(texts: list[str]) -> None:
    bleu = BLEU(effective_order=True)
    found = whole(texts)
    assert (found == found.T).all()
    assert found.min() >= 0
    assert found.max() <= 1
    for i in range(len(texts)):
        for j in range(i):
            assert found[i, j] == pytest.approx(oracle(bleu, texts[i], texts[j]), abs=1e-9)


@given(
    st.text()
    | st.lists(st.sampled_from([".", ",", "-", "1", "a", " ", "\n", "\xa0", "&lt;", "é", "!"])).map(
        "".join
    )
)
@settings(max_examples=300)
def test_tokens_equal_sacrebleus(text: str) -> None:
    assert _tokenise("13a")(text) == BLEU().tokenizer(text.rstrip()).split()


def test_blocks_join_to_the_whole() -> None:
    texts = notes(30, seed=6)
    kernel = bleu_kernel(texts)
    parts = np.block(
        [
            [kernel.block(slice(0, 11), slice(0, 11)), kernel.block(slice(0, 11), slice(11, 30))],
            [kernel.block(slice(11, 30), slice(0, 11)), kernel.block(slice(11, 30), slice(11, 30))],
        ]
    )
    upper = np.triu_indices(30, 1)
    assert parts[upper] == pytest.approx(whole(texts)[upper], abs=1e-15)


def test_names_the_tokenizers_it_has() -> None:
    with pytest.raises(UserError, match="13a, intl"):
        Bleu(tokenize="flores200")  # type: ignore[arg-type]
