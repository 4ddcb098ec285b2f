"""A GGUF file of the llama family made into a folder that transformers loads.

Follows llama.cpp's src/models/llama.cpp for what the settings mean and its convert_hf_to_gguf.py,
whose work is undone here. What is not understood is refused: every setting and every tensor of the
model must be known, or it would compute something else than the file says.

Imports gguf and tokenizers at once: import this module late.
"""

import json
import math
import struct
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.backbones.local.gguf_file import GgufFile
from bench.backbones.local.gguf_tokenizer import special_tokens, words_of, write_tokenizer

SETTINGS = {
    "context_length",
    "embedding_length",
    "block_count",
    "feed_forward_length",
    "vocab_size",
    "tensor_data_layout",
    "attention.head_count",
    "attention.head_count_kv",
    "attention.key_length",
    "attention.value_length",
    "attention.layer_norm_rms_epsilon",
    "rope.dimension_count",
    "rope.freq_base",
    "rope.scaling.type",
    "rope.scaling.factor",
    "rope.scaling.original_context_length",
    "rope.scaling.finetuned",
}
"""Settings "llama.*" whose meaning is known."""
ROPE_FACTORS = "rope_freqs.weight"
LLAMA3 = {
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
"""How every Llama from 3.1 on stretches its positions, but for the factor."""
ENDS = ("<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|endoftext|>", "<end_of_turn>")
"""Tokens that llama.cpp takes for the end of an answer by their names alone."""

Layout = dict[str, tuple[str, tuple[int, ...], int]]
"""By its name in the file, a tensor's name in transformers, shape, and heads to put right."""


def convert(path: Path, folder: Path) -> None:
    """Write the model in a GGUF file into a folder, its weights as bfloat16.

    Raises:
        UserError: the file is damaged, or is not of a kind that is known here.
        OSError: the folder cannot be written.
    """
    file = GgufFile(path)
    _refuse_others(file)
    config = _config(file)
    layout = _layout(config)
    _check(file, layout)
    write_tokenizer(file, folder, config["max_position_embeddings"])
    (folder / "config.json").write_text(json.dumps(config, indent=1), "utf-8")
    answers = {name: config[name] for name in config if name.endswith("_token_id")}
    answers["eos_token_id"] = _ends(file)
    (folder / "generation_config.json").write_text(json.dumps(answers, indent=1), "utf-8")
    _write_weights(file, layout, folder / "model.safetensors")


def _refuse_others(file: GgufFile) -> None:
    kind = file.text("general.architecture")
    if kind != "llama":
        raise file.unusable(f'it is of the architecture "{kind}", and only llama is known here')
    if file.settings.get("split.count", 0) not in (0, 1):
        raise file.unusable("it is one part of a split model (llama-gguf-split --merge joins them)")
    if (part := file.text("general.type")) not in ("", "model"):
        raise file.unusable(f'it holds no model but what is called "{part}"')
    if file.settings.get("llama.expert_count", 0) != 0:
        raise file.unusable("it is a mixture of experts")
    ours = {f"llama.{name}" for name in (*SETTINGS, "expert_count", "expert_used_count")}
    if foreign := sorted({one for one in file.settings if one.startswith("llama.")} - ours):
        raise file.unusable(f"the meaning of its setting {foreign[0]} is not known here")


def _config(file: GgufFile) -> dict[str, Any]:
    """What config.json says, by the names of transformers' LlamaConfig.

    Raises:
        UserError: a setting is missing, or is something that such a model cannot do.
    """
    width, heads = file.count("llama.embedding_length"), file.count("llama.attention.head_count")
    each = file.count("llama.attention.key_length", max(1, width // heads))
    for name in ("attention.value_length", "rope.dimension_count"):
        if file.count(f"llama.{name}", each) != each:
            raise file.unusable(f"its setting llama.{name} differs from the size of its heads")
    if width % heads or each % 2:
        raise file.unusable("its width is no multiple of its heads, or their size is odd")
    layers = file.count("llama.block_count")
    if layers > len(file.tensors):
        raise file.damaged("it has fewer tensors than layers")
    special = special_tokens(file)
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "bfloat16",
        "hidden_act": "silu",
        "hidden_size": width,
        "intermediate_size": file.count("llama.feed_forward_length"),
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": file.count("llama.attention.head_count_kv", heads),
        "head_dim": each,
        "max_position_embeddings": file.count("llama.context_length"),
        "rms_norm_eps": _fraction(file, "llama.attention.layer_norm_rms_epsilon"),
        "rope_parameters": _rope(file, each),
        "vocab_size": len(words_of(file)),
        "tie_word_embeddings": "output.weight" not in file.tensors,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": special.bos,
        "eos_token_id": special.eos,
        "pad_token_id": special.pad,
    }


def _fraction(file: GgufFile, name: str, default: float | None = None) -> float:
    value = file.settings.get(name, default)
    if not isinstance(value, float) or not 0 < value < math.inf:
        raise file.unusable(f"its setting {name} is missing or no number above 0")
    return value


def _rope(file: GgufFile, each: int) -> dict[str, Any]:
    """How positions enter attention heads of a size."""
    base = _fraction(file, "llama.rope.freq_base", 10000.0)
    # Where a file gives a factor and no kind, llama.cpp takes it as linear, and 0 as none.
    kind = file.text("llama.rope.scaling.type") or "linear"
    factor = file.settings.get("llama.rope.scaling.factor", 0.0) if kind == "linear" else 0.0
    found: dict[str, Any] = {"rope_type": "default"}
    if kind not in ("linear", "none"):
        raise file.unusable(f'it stretches its positions by "{kind}", which is not known here')
    if factor != 0.0:
        factor = _fraction(file, "llama.rope.scaling.factor")
        found = {"rope_type": "linear", "factor": factor}
    if ROPE_FACTORS in file.tensors:
        if factor not in (0.0, 1.0):
            raise file.unusable("it stretches its positions in two ways")
        found = _llama3(file, base, each)
    return {"rope_theta": base, **found}


def _llama3(file: GgufFile, base: float, each: int) -> dict[str, Any]:
    """The stretching that the file's factors come from: they alone are in it.

    Raises:
        UserError: they come from another.
    """
    known = np.zeros(0, np.float32)
    if file.tensors[ROPE_FACTORS].shape == (each // 2,):
        known = np.concatenate(list(file.values(ROPE_FACTORS)))
    factor = float(known.max(initial=1.0))
    waves = 2 * math.pi * base ** (np.arange(0, each, 2) / each)
    low, high, window = LLAMA3.values()
    smooth = np.clip((window / waves - low) / (high - low), 0, 1)
    if known.shape != waves.shape or not np.allclose(
        known, 1 / ((1 - smooth) / factor + smooth), rtol=1e-4
    ):
        raise file.unusable("it stretches its positions otherwise than Llama 3 does")
    return {"rope_type": "llama3", "factor": factor, **LLAMA3}


def _layout(config: dict[str, Any]) -> Layout:
    """Every tensor that a model has."""
    width, inner, each = (config[n] for n in ("hidden_size", "intermediate_size", "head_dim"))
    heads, shared = config["num_attention_heads"], config["num_key_value_heads"]
    layout: Layout = {
        "token_embd.weight": ("model.embed_tokens", (config["vocab_size"], width), 0),
        "output_norm.weight": ("model.norm", (width,), 0),
    }
    if not config["tie_word_embeddings"]:
        layout["output.weight"] = ("lm_head", (config["vocab_size"], width), 0)
    for layer in range(config["num_hidden_layers"]):
        ours, theirs = f"model.layers.{layer}", f"blk.{layer}"
        layout |= {
            f"{theirs}.attn_norm.weight": (f"{ours}.input_layernorm", (width,), 0),
            f"{theirs}.attn_q.weight": (f"{ours}.self_attn.q_proj", (heads * each, width), heads),
            f"{theirs}.attn_k.weight": (f"{ours}.self_attn.k_proj", (shared * each, width), shared),
            f"{theirs}.attn_v.weight": (f"{ours}.self_attn.v_proj", (shared * each, width), 0),
            f"{theirs}.attn_output.weight": (f"{ours}.self_attn.o_proj", (width, heads * each), 0),
            f"{theirs}.ffn_norm.weight": (f"{ours}.post_attention_layernorm", (width,), 0),
            f"{theirs}.ffn_gate.weight": (f"{ours}.mlp.gate_proj", (inner, width), 0),
            f"{theirs}.ffn_up.weight": (f"{ours}.mlp.up_proj", (inner, width), 0),
            f"{theirs}.ffn_down.weight": (f"{ours}.mlp.down_proj", (width, inner), 0),
        }
    return layout


def _check(file: GgufFile, layout: Layout) -> None:
    """See that a file holds these tensors and no others.

    Raises:
        UserError: it does not.
    """
    for name in file.tensors:
        if name not in layout and name != ROPE_FACTORS:
            raise file.unusable(f"its tensor {name} has no place in such a model")
    for name, (_, shape, _) in layout.items():
        if name not in file.tensors:
            raise file.unusable(f"its tensor {name} is missing")
        if (found := file.tensors[name].shape) != shape:
            raise file.unusable(f"its tensor {name} has the shape {found}, where {shape} is due")


def _ends(file: GgufFile) -> list[int]:
    """Tokens that end an answer."""
    special = special_tokens(file)
    given = (special.eos, special.eot, special.eom)
    named = (number for number, word in enumerate(words_of(file)) if word in ENDS)
    return sorted({*named, *(one for one in given if one is not None)})


def _write_weights(file: GgufFile, layout: Layout, path: Path) -> None:
    """Write one safetensors file, whatever its size, in pieces of a fraction of a megabyte.

    Follows https://github.com/huggingface/safetensors#format; the library's own writer wants all
    tensors in memory.
    """
    head: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape, _ in layout.values():
        start, end = end, end + 2 * math.prod(shape)
        place = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
        head[f"{name}.weight"] = place
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for name, (_, _, heads) in layout.items():
            for piece in file.values(name, heads):
                out.write(_bfloat16(piece).tobytes())


def _bfloat16(values: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The upper halves of finite numbers, rounded to the nearest, halves to the even one."""
    bits = values.view(np.uint32)
    return ((bits + (np.uint32(0x7FFF) + ((bits >> 16) & 1))) >> 16).astype("<u2")
