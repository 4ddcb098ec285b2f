"""A GGUF file of the llama family made into a folder that transformers loads.

Follows llama.cpp's src/models/llama.cpp for what the settings mean and its convert_hf_to_gguf.py,
whose work is undone here. What is not understood is refused: every setting and every tensor of the
model must be known, or it would compute something else than the file says.

Imports gguf and tokenizers at once: import this module late.
"""

import json
import math
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType
from gguf.quants import quantize
from pydantic import NonNegativeFloat, PositiveFloat, PositiveInt

from bench.backbones.local.gguf_file import GgufFile
from bench.backbones.local.gguf_tokenizer import special_tokens, write_tokenizer

ROPE_FACTORS = "rope_freqs.weight"
LLAMA3 = {
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 8192,
}
"""How every Llama from 3.1 on stretches its positions, but for the factor."""
ENDS = ("<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|endoftext|>", "<end_of_turn>")
"""Tokens that llama.cpp takes for the end of an answer by their names alone."""
UNHEEDED = {
    "llama.vocab_size",
    "llama.tensor_data_layout",
    "llama.rope.scaling.original_context_length",
    "llama.rope.scaling.finetuned",
    "llama.expert_used_count",
}
"""Settings that change nothing in the models that are known here."""

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
    words = file.get("tokenizer.ggml.tokens", list[str])
    special = special_tokens(file, words)
    config = _config(file, words, special)
    layout = _layout(config)
    _check(file, layout)
    write_tokenizer(file, words, special, folder, config["max_position_embeddings"])
    (folder / "config.json").write_text(json.dumps(config, indent=1), "utf-8")
    _write_weights(file, layout, folder / "model.safetensors")


def _refuse_others(file: GgufFile) -> None:
    if (kind := file.get("general.architecture", str, "")) != "llama":
        raise file.unusable(f'it is of the architecture "{kind}", and only llama is known here')
    if (part := file.get("general.type", str, "model")) != "model":
        raise file.unusable(f'it holds no model but what is called "{part}"')
    if file.get("split.count", int, 0) > 1:
        raise file.unusable("it is one part of a split model (llama-gguf-split --merge joins them)")
    if file.get("llama.expert_count", int, 0):
        raise file.unusable("it is a mixture of experts")


def _config(file: GgufFile, words: Sequence[str], special: Mapping[str, int]) -> dict[str, Any]:
    """What config.json says, by the names of transformers' LlamaConfig."""
    width = file.get("llama.embedding_length", PositiveInt)
    heads = file.get("llama.attention.head_count", PositiveInt)
    shared = file.get("llama.attention.head_count_kv", PositiveInt, heads)
    each = file.get("llama.attention.key_length", PositiveInt, max(1, width // heads))
    for name in ("llama.attention.value_length", "llama.rope.dimension_count"):
        if file.get(name, int, each) != each:
            raise file.unusable(f"its setting {name} differs from the size of its heads")
    if width % heads or heads % shared or each % 2:
        raise file.unusable("its width or its heads cannot be shared out, or their size is odd")
    layers = file.get("llama.block_count", PositiveInt)
    if layers > len(file.shapes):
        raise file.damaged("it has fewer tensors than layers")
    config = {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "dtype": "bfloat16",
        "hidden_size": width,
        "intermediate_size": file.get("llama.feed_forward_length", PositiveInt),
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": shared,
        "head_dim": each,
        "max_position_embeddings": file.get("llama.context_length", PositiveInt),
        "rms_norm_eps": file.get("llama.attention.layer_norm_rms_epsilon", PositiveFloat),
        "rope_parameters": _rope(file, each),
        "vocab_size": len(words),
        "tie_word_embeddings": "output.weight" not in file.shapes,
        "bos_token_id": special.get("bos"),
        "eos_token_id": _ends(words, special),
        "pad_token_id": special.get("padding"),
    }
    # Whatever was not asked for by now might make it another model.
    for name in file.settings:
        if name.startswith("llama.") and name not in file.asked | UNHEEDED:
            raise file.unusable(f"the meaning of its setting {name} is not known here")
    return config


def _rope(file: GgufFile, each: int) -> dict[str, Any]:
    """How positions enter attention heads of a size."""
    base = file.get("llama.rope.freq_base", PositiveFloat, 10000.0)
    # Where a file gives a factor and no kind, llama.cpp takes it as linear, and 0 as none.
    kind = file.get("llama.rope.scaling.type", str, "linear")
    factor = file.get("llama.rope.scaling.factor", NonNegativeFloat, 0.0)
    if kind not in ("linear", "none"):
        raise file.unusable(f'it stretches its positions by "{kind}", which is not known here')
    stretched = kind == "linear" and factor not in (0.0, 1.0)
    if ROPE_FACTORS not in file.shapes:
        found = {"rope_type": "linear", "factor": factor} if stretched else {"rope_type": "default"}
    elif stretched:
        raise file.unusable("it stretches its positions in two ways")
    else:
        found = _llama3(file, base, each)
    return {"rope_theta": base, **found}


def _llama3(file: GgufFile, base: float, each: int) -> dict[str, Any]:
    """Llama 3's way to stretch positions; a file holds only the factors that come of it."""
    if file.shapes[ROPE_FACTORS] == (each // 2,):
        known = np.concatenate(list(file.values(ROPE_FACTORS)))
        factor = float(known.max(initial=1.0))
        waves = 2 * math.pi * base ** (np.arange(0, each, 2) / each)
        low, high, window = LLAMA3.values()
        smooth = np.clip((window / waves - low) / (high - low), 0, 1)
        if np.allclose(known, 1 / ((1 - smooth) / factor + smooth), rtol=1e-4):
            return {"rope_type": "llama3", "factor": factor, **LLAMA3}
    raise file.unusable("it stretches its positions otherwise than Llama 3 does")


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
    """See that a file holds these tensors and no others."""
    for name in file.shapes:
        if name not in layout and name != ROPE_FACTORS:
            raise file.unusable(f"its tensor {name} has no place in such a model")
    for name, (_, shape, _) in layout.items():
        if name not in file.shapes:
            raise file.unusable(f"its tensor {name} is missing")
        if (found := file.shapes[name]) != shape:
            raise file.unusable(f"its tensor {name} has the shape {found}, where {shape} is due")


def _ends(words: Sequence[str], special: Mapping[str, int]) -> list[int]:
    """Tokens that end an answer."""
    given = {special[name] for name in ("eos", "eot", "eom") if name in special}
    return sorted(given | {number for number, word in enumerate(words) if word in ENDS})


def _write_weights(file: GgufFile, layout: Layout, path: Path) -> None:
    """Write one safetensors file, whatever its size, in pieces of a fraction of a megabyte.

    Follows https://github.com/huggingface/safetensors#format; the library's own writer wants all
    tensors in memory.
    """
    head: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape, _ in layout.values():
        start, end = end, end + 2 * math.prod(shape)
        head[f"{name}.weight"] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        for name, (_, _, heads) in layout.items():
            for piece in file.values(name, heads):
                out.write(quantize(piece, GGMLQuantizationType.BF16).tobytes())
