"""A tiny Llama with random weights, written as a GGUF file the way llama.cpp's converter does."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gguf
import numpy as np
import torch
from gguf import GGMLQuantizationType
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import LlamaConfig, LlamaForCausalLM

HEADS, SHARED, EACH, WINDOW = 4, 2, 32, 256
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TAG = "<note>"
TEXTS = [
    "The patient's temperature is 38.5 °C, 1024 mg/dl; it's  been so   since 2019-03-07.",
    "Ménière's disease, naïve β-cells: ½ tablet, 10⁻³ mol·l⁻¹ ≈ 1‰, x²≥٣٤",
    "患者は三日前から38度の熱があります。환자는 두통이 있다. Пациент жалуется на кашель",
    "tabs\tand\r\nlines\n\n  of code: if (a<=b) { return !x; } #!? ...'LL We'Ve DON'T",
    "😷🤒 👩🏽‍⚕️ e\u0301 \u200b ﬁ \x07",
    f"<|im_start|>user\nno fever{TAG} <|im_end|> </s> <s><unk> <|im_end",
    " leading",
    "trailing ",
    "   ",
    "a",
    "an unmerged word",
]
"""What tokenizers trip over: digits, units, accents, scripts, white space, special tokens."""
TEMPLATE = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


class Words(NamedTuple):
    """A vocabulary as GGUF files hold it."""

    settings: dict[str, Any]
    size: int


def trained(start: Sequence[str], alphabet: Sequence[str], before: Any, texts: Any) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = before
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=900,
            special_tokens=list(start),
            initial_alphabet=list(alphabet),
            show_progress=False,
        ),
    )
    return tokenizer


def in_order(tokenizer: Tokenizer) -> list[str]:
    numbers = tokenizer.get_vocab()
    return sorted(numbers, key=numbers.__getitem__)


def byte_level(pre: str, **more: Any) -> Words:
    """Trained across the borders of words, so that whoever splits otherwise merges otherwise."""
    texts = [f"{one} {other}" for one in TEXTS[:-1] for other in TEXTS[:-1]]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    before = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer = trained([*SPECIAL, TAG], alphabet, before, texts)
    tokens = [*in_order(tokenizer), "Ġunmerged"]  # which no merges lead to
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    settings = {
        "model": "gpt2",
        "pre": pre,
        "tokens": tokens,
        "token_type": [3] * len(SPECIAL) + [4] + [1] * (len(tokens) - len(SPECIAL) - 1),
        "merges": [" ".join(pair) for pair in merges],
        "bos_token_id": 1,
        "eos_token_id": 2,
        "padding_token_id": 2,
        **more,
    }
    return Words({f"tokenizer.ggml.{key}": value for key, value in settings.items()}, len(tokens))


def sentence_piece(**more: Any) -> Words:
    start = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), TAG]
    texts = [f"▁{one.replace(' ', '▁')}" for one in TEXTS[:4]]
    tokenizer = trained(start, [], pre_tokenizers.Split("▁", "merged_with_next"), texts)
    tokens = in_order(tokenizer)
    left = len(tokens) - len(start)
    settings = {
        "model": "llama",
        "pre": "default",
        "tokens": tokens,
        "scores": [0.0] * len(start) + [-float(rank) for rank in range(left)],
        "token_type": [2, 3, 3] + [6] * 256 + [4] + [1] * left,
        **more,
    }
    return Words({f"tokenizer.ggml.{key}": value for key, value in settings.items()}, len(tokens))


def tiny_llama(words: Words, *, tied: bool = True, **more: Any) -> Any:
    """The model, its weights rounded to bfloat16 so that our folder can hold them exactly."""
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=words.size,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=SHARED,
        head_dim=EACH,
        max_position_embeddings=WINDOW,
        rms_norm_eps=1e-5,
        tie_word_embeddings=tied,
        initializer_range=0.3,  # or all answers look alike
        **more,
    )
    model = LlamaForCausalLM(config).eval()
    with torch.no_grad():
        for name, values in model.named_parameters():
            if "norm" in name:
                values.add_(torch.randn_like(values) / 4)
            values.copy_(values.bfloat16())
    return model


def written(
    path: Path,
    model: Any,
    words: Words,
    *,
    form: GGMLQuantizationType = GGMLQuantizationType.F32,
    settings: Mapping[str, Any] | None = None,
    tensors: Mapping[str, NDArray[Any] | None] | None = None,
) -> Path:
    """A model as a GGUF file; what is given stands for its own, and None leaves one out."""
    config = model.config
    told = {
        "general.architecture": "llama",
        "llama.context_length": config.max_position_embeddings,
        "llama.embedding_length": config.hidden_size,
        "llama.block_count": config.num_hidden_layers,
        "llama.feed_forward_length": config.intermediate_size,
        "llama.attention.head_count": HEADS,
        "llama.attention.head_count_kv": SHARED,
        "llama.attention.key_length": EACH,
        "llama.attention.value_length": EACH,
        "llama.rope.dimension_count": EACH,
        "llama.rope.freq_base": float(config.rope_parameters["rope_theta"]),
        "llama.attention.layer_norm_rms_epsilon": config.rms_norm_eps,
        "tokenizer.chat_template": TEMPLATE,
        **words.settings,
        **(settings or {}),
    }
    writer = gguf.GGUFWriter(path, told.pop("general.architecture"))
    for name, value in told.items():
        if value is not None:
            number = isinstance(value, int) and not isinstance(value, bool)
            kind = gguf.GGUFValueType.UINT32 if number else gguf.GGUFValueType.get_type(value)
            writer.add_key_value(name, value, kind)
    kept = {**dict(named(model)), **(tensors or {})}
    for name, values in kept.items():
        if values is None:
            continue
        own = GGMLQuantizationType.F32 if values.ndim == 1 else form
        writer.add_tensor(name, gguf.quants.quantize(values, own), raw_dtype=own)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def named(model: Any) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Tensors by llama.cpp's names, the rows of q and k in its order (LlamaModel.permute)."""
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, model.config.num_hidden_layers)
    for name, values in model.state_dict().items():
        if name == "lm_head.weight" and model.config.tie_word_embeddings:
            continue
        found: NDArray[np.float32] = values.numpy()
        heads = {"q_proj": HEADS, "k_proj": SHARED}.get(name.split(".")[-2])
        if heads:
            found = found.reshape(heads, 2, EACH // 2, -1).swapaxes(1, 2).reshape(found.shape)
        yield names.get_name(name, try_suffixes=(".weight",)), found
