"""Natural language inference by a local cross-encoder, through sentence-transformers.

Which of the model's outputs means what is read from its configuration. Results are kept in the
journal, one row for a premise with all its hypotheses; torch is imported only when one is missing.
"""

import asyncio
import hashlib
import json
import threading
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from bench.backbones.weights import find_model, versions
from bench.core.errors import UserError
from bench.journal.journal import Journal
from bench.records.label import Label

_MEANS: dict[str, Label] = {"entail": "entail", "neutral": "neutral", "contra": "contradict"}
"""How the names of a model's labels begin: "entailment", "CONTRADICTION", ..."""
_loading = threading.Lock()


class CrossEncoder:
    """Tells what a premise is to hypotheses. Nothing is loaded before it is needed."""

    def __init__(self, model: str, journal: Journal) -> None:
        """Find the model: a folder, or a name on the hub.

        Raises:
            UserError: the extra `neural` is not installed, there is no such model, or its labels
                are not those of natural language inference.
        """
        if not model:
            raise UserError('nli/ lacks a model: write for instance "nli/path/to/folder"')
        packages = ("torch", "transformers", "sentence_transformers")
        name, self._folder, self.identity = find_model(model, f"nli/{model}", *packages)
        self.name = f"nli/{name}"
        self._order = _order(self._folder, self.name)
        self._journal = journal

    async def infer(
        self, premises: Sequence[str], hypotheses: Sequence[str]
    ) -> list[tuple[list[Label], str]]:
        """For each premise the label of every hypothesis, and the journal key.

        A pair longer than the model takes is cut by its tokenizer, the longer text first.
        """

        async def compute(missing: Sequence[int]) -> list[bytes]:
            wanted = [premises[index] for index in missing]
            rows = await asyncio.to_thread(self._predict, wanted, hypotheses)
            return [json.dumps(row).encode() for row in rows]

        digest = hashlib.sha256(json.dumps(list(hypotheses)).encode()).hexdigest()
        request = {
            "kind": "nli",
            "model": self.identity,
            "library": versions("sentence-transformers", "transformers", "torch"),
            "hypotheses": digest,
        }
        requests = [{**request, "premise": premise} for premise in premises]
        entries = await self._journal.many(requests, compute)
        return [(json.loads(entry.body), entry.key) for entry in entries]

    def _predict(self, premises: Sequence[str], hypotheses: Sequence[str]) -> list[list[Label]]:
        """One batch a premise: what it holds, and so its bits, do not depend on the others."""
        with _loading:
            model = _loaded(self._folder, self.identity)
            return [
                [
                    self._order[int(scores.argmax())]
                    for scores in model.predict(
                        [(premise, one) for one in hypotheses], show_progress_bar=False
                    )
                ]
                for premise in premises
            ]


@lru_cache(maxsize=2)
def _loaded(folder: Path, _identity: str) -> Any:
    """The model, kept: every interview makes an engine of its own."""
    import sentence_transformers
    from transformers.utils import logging

    logging.disable_progress_bar()  # the command line shows its own
    return sentence_transformers.CrossEncoder(str(folder), local_files_only=True)


def _order(folder: Path, name: str) -> tuple[Label, ...]:
    """What each of the model's outputs means.

    Raises:
        UserError: the configuration does not say so.
    """
    names: dict[str, str] = json.loads((folder / "config.json").read_bytes()).get("id2label") or {}
    order = [
        next((means for start, means in _MEANS.items() if label.lower().startswith(start)), None)
        for _, label in sorted(names.items(), key=lambda item: int(item[0]))
    ]
    known = [means for means in order if means is not None]
    if len(known) != len(order) or sorted(known) != sorted(_MEANS.values()):
        given = ", ".join(names.values()) or "none"
        raise UserError(
            f"{name} is no model of natural language inference: id2label in its config.json must "
            f"name entailment, neutral and contradiction, and names {given}"
        )
    return tuple(known)
