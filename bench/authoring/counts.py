"""How much the outlines hold."""

from collections.abc import Iterable
from statistics import median

from bench.knowledge.outline import Outline


def count_outlines(outlines: Iterable[Outline]) -> dict[str, dict[str, str]]:
    """By department and last for "all": how many diseases, and "median (least-most)" of each count.

    Empty if there are no outlines.
    """
    grouped: dict[str, list[dict[str, int]]] = {}
    for outline in outlines:
        counts = _counts(outline)
        for name in (outline.department, "all"):
            grouped.setdefault(name, []).append(counts)
    return {
        name: {"diseases": str(len(group))}
        | {what: _spread([counts[what] for counts in group]) for what in group[0]}
        for name, group in sorted(grouped.items(), key=lambda item: (item[0] == "all", item[0]))
    }


def _counts(outline: Outline) -> dict[str, int]:
    return {
        "symptoms": len(outline.symptoms),
        "ways to put them": sum(1 + len(one.phrases) for one in outline.symptoms),
        "risk factors": len(outline.risk_factors),
        "history items": sum(len(items) for _, items in outline.history),
        "examinations": len(outline.examinations),
        "of them measured": sum(bool(one.quantity) for one in outline.examinations),
        "differentials": len(outline.differentials),
        "red flags": len(outline.red_flags),
        "sources": len(outline.sources),
    }


def _spread(counts: list[int]) -> str:
    return f"{median(counts):g} ({min(counts)}-{max(counts)})"
