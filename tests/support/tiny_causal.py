"""A tiny causal model over a byte-level vocabulary, saved by the suite; its weights are drawn."""

import string
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

WINDOW = 1024
SPARE = 3
"""Logits beyond the vocabulary, as saved models have."""


def saved_bytes(folder: Path, seed: int = 0) -> Path:
    """The model; a third of its tokens end a string, so that strings come to an end."""
    printable = [one.replace(" ", "Ġ") for one in string.printable[:95]]
    joined = [(one, '"') for one in string.ascii_lowercase] + [('"', ","), ('"', ":"), ("Ġ", '"')]
    words = ["<s>", "</s>", "<end>", *printable, *(one + other for one, other in joined)]
    vocabulary = {word: place for place, word in enumerate(words)}
    tokenizer = Tokenizer(models.BPE(vocabulary, joined))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        pad_token="<s>",
        eos_token="</s>",
        additional_special_tokens=["<end>"],
    ).save_pretrained(folder)
    torch.manual_seed(seed)
    config = transformers.GPT2Config(
        vocab_size=len(vocabulary) + SPARE,
        n_positions=WINDOW,
        n_embd=32,
        n_layer=1,
        n_head=2,
        bos_token_id=vocabulary["<s>"],
        eos_token_id=[vocabulary["</s>"], vocabulary["<end>"]],
        initializer_range=0.3,  # or all answers look alike
    )
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)
    return folder
