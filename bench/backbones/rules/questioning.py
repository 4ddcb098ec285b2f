"""Asks the doctor's questions: a fixed interview, worded by the seed."""

import random
from functools import cache

from bench.backbones.requests import Ask
from bench.backbones.rules.saying import sayings, under
from bench.knowledge.library import Library


def ask(task: Ask, library: Library, drawn: random.Random) -> str:
    """The next question of the interview; `library` is not needed."""
    asked = len(task.history)
    planned = plan(asked + max(task.left, 1))
    possible = sayings()[planned[asked]]
    earlier = {turn.question for turn in task.history}
    return drawn.choice([one for one in possible if one not in earlier] or possible)


@cache
def plan(questions: int) -> tuple[str, ...]:
    """The keys of an interview of so many questions, in the order of asking.

    A shorter one leaves out what matters least; a longer one asks further things before it ends.
    """
    usual = under("ask.")
    ranked = sorted(usual, key=lambda key: key.split(".")[1])
    kept = set(ranked[:questions])
    chosen = [key for key in usual if key in kept]
    further = under("more.")
    missing = questions - len(chosen)
    added = [further[place % len(further)] for place in range(missing)]
    return (*chosen[:-1], *added, chosen[-1])
