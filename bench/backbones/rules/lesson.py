"""States the rule that a failure suggests: the situation's telling words with what was right."""

import random

from bench.backbones.requests import Lesson, Reflect
from bench.backbones.rules.phrases import words
from bench.knowledge.library import Library

SIGNS = 12
"""Words of the situation that a rule names."""


def reflect(task: Reflect, library: Library, drawn: random.Random) -> Lesson:
    """The rule; `library` and `drawn` are not needed."""
    telling = dict.fromkeys(word for word in words(task.situation) if word.isalpha())
    # Long words are the rarer ones; they keep the order of the situation.
    longest = set(sorted(telling, key=lambda word: (-len(word), word))[:SIGNS])
    signs = ", ".join(word for word in telling if word in longest)
    return Lesson(
        reasons=f"{task.given} was chosen where {task.correct} is right.",
        rule=f"With {signs}: think of {task.correct}.",
    )
