"""SmolLM2 from its package, against transformers' own reader of GGUF files and llama.cpp."""

import asyncio
from typing import Any

import pytest
import torch
from llama_cpp import LlamaCpp
from tiny_llama import TEXTS
from transformers import AutoModelForCausalLM, AutoTokenizer

from bench.backbones.local.find import _packaged, find_language_model
from bench.backbones.local.transformers import Transformers

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


CONTEXT = "The patient is a man of 77 with osteoarthritis of both knees.\n\nHistory\n"
LETTER = """He has had pain in both knees for about six years, at first only after long walks
and on the
stairs, since last winter also on rising from a chair. In the morning the knees are stiff
for ten minutes; warmth helps. There was no fall, no swelling that came overnight, no fever
and no loss of weight. He drove a delivery van for thirty years, kneels rarely, and carried
his own luggage until two years ago. High blood pressure has been treated with amlodipine,
five milligrams, since he was sixty. He takes paracetamol on bad days and once had a stomach
ulcer, after which he was told to avoid ibuprofen. His mother needed a new hip at eighty. He
does not smoke and drinks a glass of wine on Sundays. He lives on the second floor without a
lift, and his daughter does the heavy shopping.

Examination: he walks with a short step and without a stick. Both knees show bony margins
and a fine crepitus; the right one lacks ten degrees of extension. There is no effusion and
the ligaments hold. The hips move freely. Blood pressure 138 over 82. Haemoglobin 13.9 g/dl,
C-reactive protein 3 mg/l, creatinine 1.1 mg/dl. On the films the inner joint space is
narrow, with spurs on both sides.

Plan: exercises under guidance twice a week, a cushioned insole, paracetamol up to three
grams a day, and diclofenac gel. We talked about an operation, which he would rather put off
until the spring."""


# With 8 bits of a number the order of sums shows: 0.7e-3 and 1.1e-3 were seen on two processors.
@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("bfloat16", 3e-3)])
def test_sums_of_log_probabilities_are_those_of_one_pass_over_both(
    tokenizer: Any, dtype: str, tolerance: float
) -> None:
    """An independent computation: no cache, the loss that transformers computes."""
    backbone = Transformers("smollm2", device="cpu", dtype=dtype)
    found = asyncio.run(backbone.logprobs(CONTEXT, LETTER))
    folder = find_language_model("smollm2").folder
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    before, after = (tokenizer(one)["input_ids"] for one in (CONTEXT, LETTER))
    tokens = torch.tensor([before + after])
    labels = torch.tensor([[-100] * len(before) + after])
    with torch.inference_mode():
        loss = model(tokens, labels=labels, use_cache=False).loss.item()
    assert len(found) == len(after)
    assert sum(found) == pytest.approx(-loss * len(after), rel=tolerance)
