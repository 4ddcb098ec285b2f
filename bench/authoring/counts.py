"""How much the outlines hold."""

from collections.abc import Callable, Iterable
from statistics import median

from bench.knowledge.outline import Outline

COUNTS: dict[str, Callable[[Outline], int]] = {
    "symptoms": lambda outline: len(outline.symptoms),
    "ways to put them": lambda outline: sum(1 + len(one.phrases) for one in outline.symptoms),
    "risk factors": lambda outline: len(outline.risk_factors),
    "history items": lambda outline: sum(len(items) for _, items in outline.history),
    "examinations": lambda outline: len(outline.examinations),
    "of them measured": lambda outline: sum(bool(one.quantity) for one in outline.examinations),
    "differentials": lambda outline: len(outline.differentials),
    "red flags": lambda outline: len(outline.red_flags),
    "sources": lambda outline: len(outline.sources),
}
"""What is counted in each outline."""


def count_outlines(outlines: Iterable[Outline]) -> dict[str, dict[str, str]]:
    """By department and last for "all": how many diseases, and "median (least-most)" of each count.

    Empty if there are no outlines.
    """
    grouped: dict[str, list[Outline]] = {}
    for outline in outlines:
        grouped.setdefault(outline.department, []).append(outline)
    every = [outline for group in grouped.values() for outline in group]
    return {
        name: {
            "diseases": str(len(group)),
            **{what: _spread([count(one) for one in group]) for what, count in COUNTS.items()},
        }
        for name, group in (*sorted(grouped.items()), ("all", every))
        if group
    }


def _spread(counts: list[int]) -> str:
    return f"{median(counts):g} ({min(counts)}-{max(counts)})"
