"""Questions nobody would ask, in the shapes that MedQA comes in."""

from string import ascii_uppercase
from typing import Any

PLACES = ("the harbour", "the library", "a lighthouse", "the glasshouse", "an old mill")
CURES = ("Porridge", "A brisk walk", "Warm socks", "Reading aloud", "Tea with milk")


def original(at: int, options: int = 4, gold: int = 0) -> dict[str, Any]:
    """A row as MedQA has it."""
    place = PLACES[at % len(PLACES)]
    letters = ascii_uppercase[:options]
    return {
        "question": f"Traveller number {at} comes from {place} with a cold nose. What helps best?",
        "answer": CURES[gold],
        "options": dict(zip(letters, CURES, strict=False)),
        "meta_info": "step1",
        "answer_idx": letters[gold],
    }


def shuffled(at: int, options: int = 5) -> dict[str, Any]:
    """The same question with the same right text under another letter, as other variants do."""
    row = original(at, options)
    texts = list(row["options"].values())
    turned = dict(zip(row["options"], texts[1:] + texts[:1], strict=True))
    letter = next(name for name, text in turned.items() if text == row["answer"])
    return {**row, "options": turned, "answer_idx": letter}


def endings(at: int, label: int = 2) -> dict[str, Any]:
    """A row of the hub's copy for lm-eval."""
    row = original(at)
    told = {f"ending{n}": text for n, text in enumerate(row["options"].values())}
    return {"id": at, "sent1": row["question"], "sent2": "", **told, "label": label}


def mirage(at: int, gold: str = "B") -> dict[str, Any]:
    """An item of MIRAGE's benchmark.json."""
    row = original(at)
    return {"question": row["question"], "options": row["options"], "answer": gold, "PMID": []}
