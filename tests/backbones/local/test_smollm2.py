"""SmolLM2 from its package, against transformers' own reader of GGUF files and llama.cpp."""

from typing import Any

import pytest
import torch
from llama_cpp import LlamaCpp
from tiny_llama import TEXTS
from transformers import AutoModelForCausalLM, AutoTokenizer

from bench.backbones.local.find import _packaged, find_language_model

pytestmark = pytest.mark.model
NOTE = (
    "A 77-year-old man comes with pain in both knees, worse on stairs; no fever. Examination: "
    "crepitus, no effusion. C-reactive protein 3 mg/l."
)


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return AutoTokenizer.from_pretrained(find_language_model("smollm2").folder)


def test_logits_are_those_of_transformers_own_reader(tokenizer: Any) -> None:
    file = _packaged("hf/smollm2")
    theirs = AutoModelForCausalLM.from_pretrained(
        file.parent, gguf_file=file.name, dtype=torch.float32
    ).eval()
    folder = find_language_model("smollm2").folder
    ours = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    tokens = tokenizer(NOTE, return_tensors="pt")["input_ids"]
    own = tokens[0, 1:, None]
    with torch.inference_mode():
        found, wanted = (model(tokens).logits[0].log_softmax(-1) for model in (ours, theirs))
    # bfloat16 keeps 8 bits of a weight, so 0.4 % at most is lost of each; seen of the chances of
    # the next token: 1.3 % go to other tokens, and 5e-5 of the text's log-probability.
    assert (found.exp() - wanted.exp()).abs().sum(-1).max() / 2 < 0.03
    sums = [one[:-1].gather(1, own).sum().item() for one in (found, wanted)]
    assert sums[0] == pytest.approx(sums[1], rel=1e-3)
    kept = dict(theirs.named_parameters())
    assert kept.keys() == dict(ours.named_parameters()).keys()
    for name, values in ours.named_parameters():
        assert torch.equal(values, kept[name].bfloat16().float()), name


def test_tokens_are_those_of_llama_cpp(tokenizer: Any) -> None:
    theirs = LlamaCpp(_packaged("hf/smollm2"))
    for text in [*TEXTS, NOTE]:
        assert tokenizer(text)["input_ids"] == theirs.tokens(text, begin=True), text
