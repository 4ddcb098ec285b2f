"""The tokenizer that a GGUF file's settings describe, as files that transformers loads.

Promise: the tokens are llama.cpp's (src/llama-vocab.cpp). Tokenizers that it knows by names that
are not below are refused: a text split otherwise gives other tokens, and nobody would notice.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from bench.backbones.local.gguf_file import GgufFile
from bench.core.errors import UserError
from bench.core.text import one_line

NORMAL, UNKNOWN, CONTROL, USER_DEFINED = 1, 2, 3, 4
"""Kinds of tokens that matter here, by their codes."""
SPACE = "▁"
"""How SentencePiece writes a space."""
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
LLAMA3_NAMES = ("llama-bpe", "llama3", "llama-v3", "falcon3")
"""Their texts begin with a token for that unless the file says otherwise, and a piece that is a
token is one whatever the merges say."""
SPLITS = {
    "smollm": (r"\p{N}", GPT2),
    "gpt-2": (GPT2,),
    "default": (r"[\p{P}$+<=>^~|]+", GPT2, r"\p{N}+", "[0-9][0-9][0-9]"),
    **dict.fromkeys(LLAMA3_NAMES, (LLAMA3,)),
}
"""How a text is split before pairs are merged, by the name in tokenizer.ggml.pre: each pattern
splits further what the ones before it left."""


class SpecialTokens(NamedTuple):
    """Numbers of the tokens that stand for something else than text."""

    bos: int | None
    eos: int | None
    unk: int | None
    pad: int | None
    eot: int | None
    """The end of a turn."""
    eom: int | None
    """The end of a message."""


def words_of(file: GgufFile) -> list[str]:
    """The vocabulary.

    Raises:
        UserError: there is none.
    """
    return file.items("tokenizer.ggml.tokens", str)


def special_tokens(file: GgufFile) -> SpecialTokens:
    """The special tokens of a file.

    Raises:
        UserError: there is no such token.
    """
    size = len(words_of(file))
    # What llama.cpp takes for granted of a SentencePiece vocabulary.
    usual = {"bos": 1, "eos": 2, "unknown": 0}
    found = []
    for name in ("bos", "eos", "unknown", "padding", "eot", "eom"):
        default = usual.get(name) if file.text("tokenizer.ggml.model") == "llama" else None
        one = file.settings.get(f"tokenizer.ggml.{name}_token_id", default)
        if one is not None and (type(one) is not int or not 0 <= one < size):
            raise file.damaged(f"tokenizer.ggml.{name}_token_id is no token")
        found.append(one)
    return SpecialTokens(*found)


def write_tokenizer(file: GgufFile, folder: Path, window: int) -> None:
    """Write tokenizer.json, tokenizer_config.json and the chat template, if there is one.

    Raises:
        UserError: the tokenizer is not one that is known here, or is damaged.
        OSError: the folder cannot be written.
    """
    words, kinds = words_of(file), file.items("tokenizer.ggml.token_type", int)
    if len(set(words)) < len(words) or len(kinds) != len(words):
        raise file.damaged("its tokens occur twice, or have no kinds")
    special = special_tokens(file)._asdict()
    named = {
        name: words[number]
        for name in ("bos", "eos", "unk", "pad")
        if (number := special[name]) is not None
    }
    try:
        made = _tokenizer(file, words, kinds, named).to_str()
    except UserError:
        raise
    # The library raises this very class, and is given what anybody may have written.
    except Exception as error:
        why = one_line(str(error))[:200]
        raise file.damaged(f"no tokenizer can be made of its settings ({why})") from error
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": window,
        "clean_up_tokenization_spaces": False,
        **{f"{name}_token": word for name, word in named.items()},
    }
    (folder / "tokenizer.json").write_text(made, "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1), "utf-8")
    if template := file.text("tokenizer.chat_template"):
        (folder / "chat_template.jinja").write_text(template, "utf-8")


def _tokenizer(
    file: GgufFile, words: Sequence[str], kinds: Sequence[int], named: Mapping[str, str]
) -> Tokenizer:
    model, split = file.text("tokenizer.ggml.model"), file.text("tokenizer.ggml.pre")
    if model == "llama":
        tokenizer = _sentence_piece(file, words, kinds)
    elif model != "gpt2":
        raise file.unusable(f'its tokenizer is "{model}", and only gpt2 and llama are known here')
    elif split not in SPLITS:
        known = ", ".join(SPLITS)
        raise file.unusable(f'it splits texts as "{split}", and only {known} are known here')
    else:
        tokenizer = _byte_level(file, words, split)
    tokenizer.add_tokens(
        [
            AddedToken(word, special=kind != USER_DEFINED, normalized=False)
            for word, kind in zip(words, kinds, strict=True)
            if kind in (UNKNOWN, CONTROL, USER_DEFINED)
        ]
    )
    usual = model == "llama" or split in LLAMA3_NAMES
    begin = named.get("bos") if file.settings.get("tokenizer.ggml.add_bos_token", usual) else None
    end = named.get("eos") if file.settings.get("tokenizer.ggml.add_eos_token", False) else None
    if begin or end:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=[one for one in (begin, "$A", end) if one],
            special_tokens=[(one, words.index(one)) for one in (begin, end) if one],
        )
    return tokenizer


def _byte_level(file: GgufFile, words: Sequence[str], split: str) -> Tokenizer:
    """BPE over bytes, as GPT-2 does it."""
    vocabulary = {word: number for number, word in enumerate(words)}
    merges = []
    for line in file.items("tokenizer.ggml.merges", str):
        place = line.find(" ", 1)
        left, right = line[:place], line[place + 1 :]
        if not {left, right, left + right} <= vocabulary.keys():
            raise file.damaged("it merges what are no tokens")
        merges.append((left, right))
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=split in LLAMA3_NAMES))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            *(pre_tokenizers.Split(Regex(one), "isolated") for one in SPLITS[split]),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def _sentence_piece(file: GgufFile, words: Sequence[str], kinds: Sequence[int]) -> Tokenizer:
    """BPE over characters, as SentencePiece does it: the pair with the best score comes first."""
    vocabulary = {word: number for number, word in enumerate(words)}
    scores = file.items("tokenizer.ggml.scores", float)
    if len(scores) != len(words):
        raise file.damaged("its tokens have no scores")
    ranked = []
    for word, kind, score in zip(words, kinds, scores, strict=True):
        for place in range(1, len(word)) if kind == NORMAL else ():
            left, right = word[:place], word[place:]
            if left in vocabulary and right in vocabulary:
                ranked.append((-score, vocabulary[left], vocabulary[right], left, right))
    ranked.sort()
    unknown = special_tokens(file).unk
    tokenizer = Tokenizer(
        models.BPE(
            vocabulary,
            [(left, right) for *_, left, right in ranked],
            unk_token=None if unknown is None else words[unknown],
            fuse_unk=True,
            byte_fallback=True,
        )
    )
    before: list[normalizers.Normalizer] = [normalizers.Replace(" ", SPACE)]
    after: list[decoders.Decoder] = [
        decoders.Replace(SPACE, " "),
        decoders.ByteFallback(),
        decoders.Fuse(),
    ]
    if file.settings.get("tokenizer.ggml.add_space_prefix", True):
        before.insert(0, normalizers.Prepend(SPACE))
        after.append(decoders.Strip(" ", 1, 0))
    tokenizer.normalizer = normalizers.Sequence(before)
    tokenizer.decoder = decoders.Sequence(after)
    return tokenizer
