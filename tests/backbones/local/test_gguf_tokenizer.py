"""Tokens from a GGUF file's settings, against llama.cpp's own on the same file."""

from pathlib import Path
from typing import Any

import pytest
from llama_cpp import LlamaCpp
from tiny_llama import TEXTS, Words, byte_level, sentence_piece, tiny_llama, written
from transformers import AutoTokenizer

from bench.backbones.local.causal import CausalModel
from bench.backbones.local.gguf_model import convert
from bench.backbones.local.gguf_tokenizer import SPLITS
from bench.backbones.prompt import Message

VOCABULARIES: dict[str, Words] = {
    **{name: byte_level(name) for name in SPLITS},
    "begins and ends": byte_level("gpt-2", add_bos_token=True, add_eos_token=True),
    "begins not": byte_level("llama-bpe", add_bos_token=False),
    "pieces": sentence_piece(),
    "pieces as they are": sentence_piece(add_space_prefix=False, add_bos_token=False),
}


def converted(folder: Path, words: Words) -> Path:
    path = written(folder / "tiny.gguf", tiny_llama(words), words)
    convert(path, folder)
    return path


@pytest.mark.parametrize("name", VOCABULARIES)
def test_tokens_are_those_of_llama_cpp(tmp_path: Path, name: str) -> None:
    theirs = LlamaCpp(converted(tmp_path, VOCABULARIES[name]))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path, local_files_only=True)
    for text in TEXTS:
        found: Any = tokenizer(text, add_special_tokens=False)["input_ids"]
        assert found == theirs.tokens(text), text
        assert tokenizer(text)["input_ids"] == theirs.tokens(text, begin=True), text
        if not name.startswith("pieces"):  # those put a space behind each special token
            assert tokenizer.decode(found) == text


def test_a_chat_is_written_by_the_files_template_and_ends_where_it_says(tmp_path: Path) -> None:
    converted(tmp_path, byte_level("smollm", eot_token_id=1, bos_token_id=5))
    model = CausalModel(tmp_path, "cpu", "float32")
    asked = "<|im_start|>user\nno fever<|im_end|>\n<|im_start|>assistant\n"
    assert model.chat([Message("user", "no fever")]) == model.text(asked)
    assert model.text(asked)[0] == 1
    assert model.ends == {0, 1, 2}  # by its name, the end of a turn, the end of a text
    assert model.begin == []
    assert model.words(model.text(f"{asked}well")) == "user\nno fever\nassistant\nwell"
