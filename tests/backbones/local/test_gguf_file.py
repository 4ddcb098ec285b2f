"""GGUF files of a tiny Llama, and what becomes of them; llama.cpp reads the same files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from llama_cpp import LlamaCpp
from tiny_llama import EACH, WINDOW, Words, byte_level, tiny_llama, written
from transformers import AutoModelForCausalLM
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

from bench.backbones.local import gguf_file
from bench.backbones.local.gguf_model import convert
from bench.core.errors import UserError

WORDS = byte_level("smollm")
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500000.0,
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
LINEAR = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 4.0}
FACTOR = {"llama.rope.scaling.factor": 4.0}


def converted(path: Path) -> Path:
    folder = path.with_suffix("")
    folder.mkdir()
    convert(path, folder)
    return folder


def row(words: Words) -> list[int]:
    """As many tokens as the window holds: what long positions do must be seen."""
    return list(np.random.default_rng(5).integers(0, words.size, WINDOW - 2).tolist())


def logits(model: Any) -> Any:
    with torch.inference_mode():
        return model(torch.tensor([row(WORDS)])).logits[0]


def ours(folder: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def rope_factors(config: Any) -> Any:
    """What llama.cpp's converter makes of Llama 3's settings, from transformers' own formula."""
    plain = 1 / config.rope_parameters["rope_theta"] ** (torch.arange(0, EACH, 2) / EACH)
    return (plain / ROPE_INIT_FUNCTIONS["llama3"](config, "cpu")[0]).float().numpy()


@pytest.mark.parametrize("form", ["F32", "F16", "BF16", "Q8_0", "Q4_1"])
def test_the_folder_holds_the_weights_of_the_file(tmp_path: Path, form: str) -> None:
    kind = GGMLQuantizationType[form]
    model = tiny_llama(WORDS)
    folder = converted(written(tmp_path / "tiny.gguf", model, WORDS, form=kind))
    with torch.no_grad():
        for values in model.parameters():
            if values.ndim > 1:  # what the form itself loses is not ours
                kept = torch.tensor(dequantize(quantize(values.numpy(), kind), kind))
                values.copy_(kept.bfloat16())
    # Bit for bit the same weights; sums may be taken in another order.
    torch.testing.assert_close(logits(ours(folder)), logits(model), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("more", "settings"),
    [
        ({}, {}),
        ({"tied": False}, {}),
        ({"rope_parameters": LINEAR}, {"llama.rope.scaling.type": "linear", **FACTOR}),
        ({"rope_parameters": LINEAR}, FACTOR),
        ({}, {"llama.rope.scaling.type": "none", **FACTOR}),
        ({"rope_parameters": LLAMA3}, {}),
    ],
    ids=["tied", "untied", "linear", "linear unsaid", "none", "llama3"],
)
def test_logits_are_those_of_the_model_and_of_llama_cpp(
    tmp_path: Path, more: dict[str, Any], settings: dict[str, Any]
) -> None:
    model = tiny_llama(WORDS, **more)
    factors = rope_factors(model.config) if LLAMA3 in more.values() else None
    path = written(
        tmp_path / "tiny.gguf",
        model,
        WORDS,
        settings=settings,
        tensors={"rope_freqs.weight": factors},
    )
    found = logits(ours(converted(path)))
    torch.testing.assert_close(found, logits(model), atol=1e-4, rtol=0)
    # llama.cpp keeps keys and values in 16 bits; other positions or heads differ by whole units.
    chances = torch.tensor(LlamaCpp(path).chances(row(WORDS), WORDS.size))
    torch.testing.assert_close(found[-1].log_softmax(-1), chances, atol=0.05, rtol=0)


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "architecture": ({"general.architecture": "qwen2"}, 'of the architecture "qwen2"'),
    "adapter": ({"general.type": "adapter"}, '"adapter"'),
    "part": ({"split.count": 3}, "one part of a split model"),
    "experts": ({"llama.expert_count": 8}, "mixture of experts"),
    "unheard-of": ({"llama.attention.scale": 0.5}, r"llama\.attention\.scale"),
    "yarn": ({"llama.rope.scaling.type": "yarn"}, '"yarn"'),
    "partial": ({"llama.rope.dimension_count": 16}, r"llama\.rope\.dimension_count"),
    "layers": ({"llama.block_count": 3}, r"blk\.2\.attn_norm\.weight is missing"),
    "per layer": ({"llama.attention.head_count_kv": [2, 1]}, r"llama\.attention\.head_count_kv"),
    "heads": ({"llama.attention.head_count_kv": 1}, r"blk\.0\.attn_k\.weight has the shape"),
    "groups": ({"llama.attention.head_count_kv": 3}, "cannot be shared out"),
    "epsilon": ({"llama.attention.layer_norm_rms_epsilon": None}, "layer_norm_rms_epsilon"),
    "many layers": ({"llama.block_count": 2**31}, "fewer tensors than layers"),
    "factor": ({"llama.rope.scaling.factor": -1.0}, r"llama\.rope\.scaling\.factor"),
    "no list": ({"tokenizer.ggml.tokens": 5}, r"tokenizer\.ggml\.tokens"),
    "split": ({"tokenizer.ggml.pre": "qwen2"}, 'splits texts as "qwen2"'),
    "old": ({"tokenizer.ggml.pre": None}, 'splits texts as ""'),
    "tokenizer": ({"tokenizer.ggml.model": "bert"}, 'its tokenizer is "bert"'),
    "end": ({"tokenizer.ggml.eos_token_id": 10**6}, "eos_token_id is no token"),
    "merges": ({"tokenizer.ggml.merges": ["Ġ nowhere"]}, "merges what are no tokens"),
    "kinds": ({"tokenizer.ggml.token_type": [1, 1]}, "occur twice, or have no kinds"),
    "template": ({"tokenizer.chat_template": 5}, r"tokenizer\.chat_template"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_understood_is_refused(tmp_path: Path, case: str) -> None:
    settings, said = REFUSED[case]
    path = written(tmp_path / "tiny.gguf", tiny_llama(WORDS), WORDS, settings=settings)
    with pytest.raises(UserError, match=rf"tiny\.gguf .*{said}"):
        converted(path)


@pytest.mark.parametrize(
    ("tensors", "said"),
    [
        ({"blk.0.attn_q.bias": np.zeros(128, np.float32)}, r"blk\.0\.attn_q\.bias has no place"),
        ({"rope_freqs.weight": np.full(16, 2, np.float32)}, "otherwise than Llama 3"),
        ({"output_norm.weight": np.full(64, np.nan, np.float32)}, "that are no numbers"),
    ],
)
def test_tensors_that_are_not_understood_are_refused(
    tmp_path: Path, tensors: dict[str, Any], said: str
) -> None:
    path = written(tmp_path / "tiny.gguf", tiny_llama(WORDS), WORDS, tensors=tensors)
    with pytest.raises(UserError, match=said):
        converted(path)


def test_a_file_cut_off_anywhere_is_refused(tmp_path: Path) -> None:
    whole = written(tmp_path / "tiny.gguf", tiny_llama(WORDS), WORDS).read_bytes()
    cut = tmp_path / "cut.gguf"
    for size in [*range(0, 400, 7), *range(400, len(whole), len(whole) // 50), len(whole) - 1]:
        cut.write_bytes(whole[:size])
        with pytest.raises(UserError, match=r"cut\.gguf .*(damaged or cut off|no GGUF file)"):
            convert(cut, tmp_path)


def test_counts_that_no_file_can_hold_are_refused_at_once(tmp_path: Path) -> None:
    path = written(tmp_path / "tiny.gguf", tiny_llama(WORDS), WORDS)
    whole = path.read_bytes()
    for place in (8, 16, whole.index(b"tokenizer.ggml.tokens") + len("tokenizer.ggml.tokens") + 8):
        path.write_bytes(whole[:place] + b"\xff" * 7 + whole[place + 7 :])
        with pytest.raises(UserError, match="damaged or cut off"):
            convert(path, tmp_path)


def test_settings_without_end_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path / "tiny.gguf", tiny_llama(WORDS), WORDS)
    monkeypatch.setattr(gguf_file, "PARTS", 2 * WORDS.size)
    with pytest.raises(UserError, match="there is no end to its settings"):
        convert(path, tmp_path)
