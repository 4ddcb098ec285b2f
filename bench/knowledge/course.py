"""One patient's course of illness, drawn from the outline's weights.

The paper models symptom trajectories by "temporal probability distributions, capturing onset
patterns, exacerbation triggers, and severity dynamics" (section 3.1, step 2) and says no more; here
each part is drawn from the outline by the case's seed.
"""

import random
from collections.abc import Sequence

from bench.core.schema import Model
from bench.knowledge.outline import SEVERITIES, AgeGroup, Outline, Severity, Weighted


class Presentation(Model):
    """How the illness of one patient ran."""

    severity: Severity
    onset: str
    duration: str
    """Length of the complaints, for instance "10 days"."""
    evolution: str
    """How severity moved over that time."""
    triggers: tuple[str, ...] = ()
    relief: tuple[str, ...] = ()


def draw_presentation(outline: Outline, gender: str, group: AgeGroup, seed: int) -> Presentation:
    """The course of one patient of a gender and age group; the same for the same seed."""
    drawn = random.Random(seed)
    severity = drawn.choice(SEVERITIES)
    course = outline.course
    return Presentation(
        severity=severity,
        onset=draw_one(fitting(course.onset, gender, group), drawn),
        duration=draw_duration(outline, severity, drawn),
        evolution=draw_one(fitting(course.evolution, gender, group), drawn),
        triggers=draw_some(fitting(course.triggers, gender, group), drawn, most=2),
        relief=draw_some(fitting(course.relief, gender, group), drawn, most=1),
    )


def fitting(choices: Sequence[Weighted], gender: str, group: AgeGroup) -> Sequence[Weighted]:
    """The phrases that can apply to a patient."""
    return [choice for choice in choices if choice.fits(gender, group)]


def draw_one(choices: Sequence[Weighted], drawn: random.Random) -> str:
    """One phrase by weight."""
    (chosen,) = drawn.choices(choices, weights=[choice.weight for choice in choices])
    return chosen.text


def draw_some(choices: Sequence[Weighted], drawn: random.Random, most: int) -> tuple[str, ...]:
    """One to `most` different phrases by weight; none if there are none."""
    left = list(choices)
    found: list[str] = []
    for _ in range(drawn.randint(1, most)):
        if left:
            text = draw_one(left, drawn)
            found.append(text)
            left = [choice for choice in left if choice.text != text]
    return tuple(found)


def draw_duration(outline: Outline, severity: Severity, drawn: random.Random) -> str:
    """A duration as a record states it, for instance "3 weeks"."""
    span = outline.course.duration[severity]
    number = drawn.randint(span.low, span.high)
    return f"{number} {span.unit if number != 1 else span.unit[:-1]}"
