"""The rules as a backbone: one function of its inputs and a seed answers each kind of request.

The seed is of the kind, the inputs and the replicate, not the journal key: that also holds the hash
of the code, so a comment would give another draw.
"""

import hashlib
import random
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from bench.backbones.prompt import AskError, Completion, Prompt
from bench.backbones.requests import (
    Ask,
    ChooseAnswer,
    Extract,
    Judge,
    LabelFacts,
    Rate,
    Reflect,
    Reply,
    Request,
    Write,
)
from bench.backbones.rules.facts import extract
from bench.backbones.rules.judge import judge
from bench.backbones.rules.labels import label
from bench.backbones.rules.lesson import reflect
from bench.backbones.rules.options import choose
from bench.backbones.rules.questions import ask
from bench.backbones.rules.ratings import rate
from bench.backbones.rules.replies import reply
from bench.backbones.rules.writer import write
from bench.core import text
from bench.journal.journal import key_of
from bench.knowledge import course, outline
from bench.knowledge.library import Library

Answerer = Callable[[Any, Library, random.Random], BaseModel | str]
ANSWERERS: dict[type[Request], Answerer] = {
    Write: write,
    Judge: judge,
    Extract: extract,
    LabelFacts: label,
    Rate: rate,
    Reply: reply,
    Ask: ask,
    ChooseAnswer: choose,
    Reflect: reflect,
}


def stream(prompt: Prompt[Any]) -> str:
    """The seed of what is drawn for an answer: the same for the same question of the same case."""
    inputs = prompt.request.model_dump(mode="json")
    return key_of({"kind": prompt.request.kind, "inputs": inputs, "replicate": prompt.replicate})


class Rules:
    """One small honest program, seeded by what is asked; it cannot see which method asks."""

    endpoint = "rules"
    reads: Literal["request"] = "request"
    stand_in = True

    def __init__(self, name: str = "", library: Library | None = None) -> None:
        """`name` must be empty; `library` is the knowledge to answer from, ours by default."""
        if name:
            raise ValueError(f"there is one rules backbone, and no {name!r} of it")
        self.name = "rules"
        self._library = library or Library()

    def knowing(self, library: Library) -> "Rules":
        """The rules with other knowledge."""
        return Rules(library=library)

    @cached_property
    def version(self) -> str:
        """Hash of the rules' code, what they draw and compare with, and the knowledge."""
        hashed = hashlib.sha256(self._library.digest.encode())
        own = (path for path in Path(__file__).parent.iterdir() if path.suffix in (".py", ".txt"))
        others = (Path(str(module.__file__)) for module in (course, outline, text))
        for path in (*sorted(own), *others):
            hashed.update(path.read_bytes())
        return hashed.hexdigest()[:16]

    async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
        """The answer: JSON, or plain text where that was asked for.

        Raises:
            AskError: for a request that the rules do not answer, or an unknown disease.
        """
        answer = ANSWERERS.get(type(prompt.request))
        if answer is None:
            known = ", ".join(sorted(request.kind for request in ANSWERERS))
            raise AskError(
                f"the rules answer requests of kind {known}, not {prompt.request.kind!r}: "
                "name a language model for this role"
            )
        made = answer(prompt.request, self._library, random.Random(stream(prompt)))
        if isinstance(made, str):
            return Completion(text=made, model="rules")
        # Reasons, for instance, only where asked for; whoever asks for words gets all.
        wanted = None if prompt.answer is str else set(prompt.answer.model_fields)
        return Completion(text=made.model_dump_json(include=wanted), model="rules")

    async def close(self) -> None:
        """Nothing is held."""
