"""The paper's figures, and when they may stand beside ours."""

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from bench.api.choice import Choice

FORMATS = {"json": "json", "text": "plain_text", "atomic": "atomic"}
"""Table 4's column of each format."""
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


@dataclass(frozen=True)
class Figure:
    """One figure of the paper."""

    backbone: str
    """The paper's name of the backbone."""
    value: float
    """As printed; a share for percentages."""
    same_backbone: bool
    """Whether the paper ran the backbone that it stands beside."""


def paper_backbone(backbone: Choice) -> str | None:
    """The paper's name for a backbone, or none if the paper did not run it."""
    kind, _, model = backbone.name.partition("/")
    return BACKBONES.get(model.lower()) if kind in ("openai", "azure") else None


def figure(backbone: Choice, method: Choice, column: str | None) -> Figure | None:
    """Table 3's figure for a method, of the same backbone or else of `NOT_IN_PAPER`.

    None where the table has no such column, no such method, or the method ran with other options.
    """
    named = paper_backbone(backbone)
    row = _table_3().get((named or NOT_IN_PAPER, METHODS.get(method.name, "")))
    if row is None or column is None or method.options:
        return None
    value = float(row[column])
    share = value / 100 if column.endswith("_pct") else value
    return Figure(named or NOT_IN_PAPER, share, same_backbone=named is not None)


@cache
def _table_3() -> Mapping[tuple[str, str], Mapping[str, str]]:
    return {(row["backbone"], row["method"]): row for row in rows(3)}


def interview_figure(interaction: str, form: str, row: str | None) -> float | None:
    """Table 4's figure for an interaction ("cross-with") and a format; a share for percentages.

    None where the table has none.
    """
    found = _table_4().get((interaction, row or ""))
    if found is None or row is None or form not in FORMATS:
        return None
    value = float(found[FORMATS[form]])
    return value / 100 if row.endswith("_pct") else value


@cache
def _table_4() -> Mapping[tuple[str, str], Mapping[str, str]]:
    return {(f"{row['interaction']}-{row['memory_update']}", row["metric"]): row for row in rows(4)}
