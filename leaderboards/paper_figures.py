"""The paper's figures, and when they may stand beside ours."""

import csv
from functools import cache
from pathlib import Path

from bench.api.choice import Choice

NOT_IN_PAPER = "GPT-4o"
"""Whose figures stand beside a backbone that the paper did not run."""
METHODS = {
    "direct": "Direct",
    "multi-step": "Patient-Zero w/o outline",
    "patient-zero": "Patient-Zero",
}
"""The paper's name of each method."""
BACKBONES = {
    "gpt-4o-mini": "GPT-4o-mini",
    "gpt-4o-mini-2024-07-18": "GPT-4o-mini",
    "gpt-4o": "GPT-4o",
    "gpt-4o-2024-08-06": "GPT-4o",
    "gpt-3.5-turbo-1106": "GPT-3.5",
    "doubao-pro-32k": "Doubao",
}
"""The paper's name of each model (section 4.1.3), and of what its undated names stood for."""


@cache
def rows(table: int) -> tuple[dict[str, str], ...]:
    """The lines of a table of the paper, as printed."""
    path = Path(__file__).parent / "paper" / f"table{table}.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def printed(table: int, column: str, **where: str) -> str | None:
    """A figure as a table of the paper prints it, or none; `where` names its row by columns."""
    found = (row for row in rows(table) if where.items() <= row.items())
    return next(found, {}).get(column)


def paper_backbone(backbone: Choice) -> str | None:
    """The paper's name for a backbone, or none if the paper did not run it."""
    kind, _, model = backbone.name.partition("/")
    return BACKBONES.get(model.lower()) if kind in ("openai", "azure") else None
