"""The tokenizer that a GGUF file's settings describe, as files that transformers loads.

Promise: the tokens are llama.cpp's (src/llama-vocab.cpp). Tokenizers that it knows by names that
are not below are refused: a text split otherwise gives other tokens, and nobody would notice.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from gguf import TokenType
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

ADDED = (TokenType.UNKNOWN, TokenType.CONTROL, TokenType.USER_DEFINED)
"""Kinds of tokens that no splitting and merging makes."""
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
SPECIAL = {"bos": 1, "eos": 2, "unknown": 0, "padding": None, "eot": None, "eom": None}
"""What special tokens are for (the last two are the ends of a turn and of a message), and the
numbers that llama.cpp takes for granted of a SentencePiece vocabulary."""


def special_tokens(file: GgufFile, words: Sequence[str]) -> dict[str, int]:
    """Tokens that stand for something else than text: those of SPECIAL that a file names.

    Raises:
        UserError: there is no such token.
    """
    pieces = file.get("tokenizer.ggml.model", str, "") == "llama"
    found = {}
    for name, usual in SPECIAL.items():
        setting = f"tokenizer.ggml.{name}_token_id"
        number = file.get(setting, int | None, usual if pieces else None)
        if number is not None:
            if not 0 <= number < len(words):
                raise file.damaged(f"{setting} is no token")
            found[name] = number
    return found


def write_tokenizer(
    file: GgufFile, words: Sequence[str], special: Mapping[str, int], folder: Path, window: int
) -> None:
    """Write tokenizer.json, tokenizer_config.json and the chat template, if there is one.

    Raises:
        UserError: the tokenizer is not one that is known here, or is damaged.
        OSError: the folder cannot be written.
    """
    template = file.get("tokenizer.chat_template", str, "")
    made = _tokenizer(file, words, special).to_str()
    theirs = {"bos": "bos", "eos": "eos", "unknown": "unk", "padding": "pad"}
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": window,
        "clean_up_tokenization_spaces": False,
        **{f"{theirs[name]}_token": words[special[name]] for name in theirs if name in special},
    }
    (folder / "tokenizer.json").write_text(made, "utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=1), "utf-8")
    if template:
        (folder / "chat_template.jinja").write_text(template, "utf-8")


def _tokenizer(file: GgufFile, words: Sequence[str], special: Mapping[str, int]) -> Tokenizer:
    kinds = file.get("tokenizer.ggml.token_type", list[int])
    if len(set(words)) < len(words) or len(kinds) != len(words):
        raise file.damaged("its tokens occur twice, or have no kinds")
    model = file.get("tokenizer.ggml.model", str, "")
    split = file.get("tokenizer.ggml.pre", str, "")
    if model == "llama":
        tokenizer = _sentence_piece(file, words, kinds, words[special["unknown"]])
    elif model != "gpt2":
        raise file.unusable(f'its tokenizer is "{model}", and only gpt2 and llama are known here')
    elif split not in SPLITS:
        known = ", ".join(SPLITS)
        raise file.unusable(f'it splits texts as "{split}", and only {known} are known here')
    else:
        tokenizer = _byte_level(file, words, split)
    tokenizer.add_tokens(
        [
            AddedToken(word, special=kind != TokenType.USER_DEFINED, normalized=False)
            for word, kind in zip(words, kinds, strict=True)
            if kind in ADDED
        ]
    )
    usual = model == "llama" or split in LLAMA3_NAMES
    begins = file.get("tokenizer.ggml.add_bos_token", bool, usual)
    ends = file.get("tokenizer.ggml.add_eos_token", bool, False)
    begin = ["bos"] if begins and "bos" in special else []
    end = ["eos"] if ends and "eos" in special else []
    if begin or end:
        tokenizer.post_processor = processors.TemplateProcessing(
            single=[*begin, "$A", *end],
            special_tokens=[
                {"id": name, "ids": [special[name]], "tokens": [words[special[name]]]}
                for name in begin + end
            ],
        )
    return tokenizer


def _byte_level(file: GgufFile, words: Sequence[str], split: str) -> Tokenizer:
    """BPE over bytes, as GPT-2 does it."""
    vocabulary = {word: number for number, word in enumerate(words)}
    merges = []
    for line in file.get("tokenizer.ggml.merges", list[str]):
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


def _sentence_piece(
    file: GgufFile, words: Sequence[str], kinds: Sequence[int], unknown: str
) -> Tokenizer:
    """BPE over characters, as SentencePiece does it: the pair with the best score comes first."""
    vocabulary = {word: number for number, word in enumerate(words)}
    scores = file.get("tokenizer.ggml.scores", list[float])
    if len(scores) != len(words):
        raise file.damaged("its tokens have no scores")
    ranked = []
    for word, kind, score in zip(words, kinds, scores, strict=True):
        for place in range(1, len(word)) if kind == TokenType.NORMAL else ():
            left, right = word[:place], word[place:]
            if left in vocabulary and right in vocabulary:
                ranked.append((-score, vocabulary[left], vocabulary[right], left, right))
    merges = [(left, right) for *_, left, right in sorted(ranked)]
    tokenizer = Tokenizer(
        models.BPE(vocabulary, merges, unk_token=unknown, fuse_unk=True, byte_fallback=True)
    )
    # A space put before a text is taken from what is made of its tokens.
    prefix = file.get("tokenizer.ggml.add_space_prefix", bool, True)
    before = [normalizers.Prepend(SPACE)] if prefix else []
    after = [decoders.Strip(" ", 1, 0)] if prefix else []
    tokenizer.normalizer = normalizers.Sequence([*before, normalizers.Replace(" ", SPACE)])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace(SPACE, " "), decoders.ByteFallback(), decoders.Fuse(), *after]
    )
    return tokenizer
