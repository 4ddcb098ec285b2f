"""Rates nothing: a constant, so that what a rating passes through can be run."""

import random

from bench.backbones.requests import Rate, Rating
from bench.knowledge.library import Library

REASONS = (
    "A constant, the middle of the scale: the rules are a stand-in and read no dialogue to rate it."
)


def rate(task: Rate, library: Library, drawn: random.Random) -> Rating:
    """The middle of the scale; `library` and `drawn` are not needed."""
    return Rating(reasons=REASONS, score=(task.low + task.high) // 2)
