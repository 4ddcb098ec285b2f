"""Tables made from a run's results; nothing in them but what the run holds.

A table is one class with a `name`, the grids to show and the files to keep; a `preset`, where it
has one, is the experiment file that `pzbench reproduce` runs for it.
"""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Literal, Protocol

from bench.api.metric import Difference, Score

Part = Literal["records", "dialogues", "exam"]
"""What of a run a score is of."""
Value = str | int | float | bool | None
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_ROLES: dict[Part, tuple[str, ...]] = {
    "records": ("judge", "scorer"),
    "dialogues": ("patient", "doctor", "triplets", "judge", "rater"),
    "exam": ("student",),
}
"""Roles of one part or two; those not named here are of all."""


@dataclass(frozen=True)
class Named:
    """A backbone, generator or metric of an experiment."""

    label: str
    """What the experiment calls it."""
    name: str
    """What it is; its label unless the experiment says otherwise."""
    options: str = ""
    """Its options as JSON; empty for the defaults."""


@dataclass(frozen=True)
class Result:
    """One metric's score for one method with one backbone."""

    backbone: Named
    method: Named
    score: Score
    stand_in: bool
    """Whether the backbone, or the judge behind the score, is the embedded stand-in."""
    part: Part = "records"
    """What it is a score of."""


@dataclass(frozen=True)
class Results:
    """Everything a table is made of."""

    name: str
    """Name of the experiment."""
    backbones: tuple[Named, ...]
    methods: tuple[Named, ...]
    metrics: tuple[Named, ...]
    results: tuple[Result, ...]
    differences: tuple[tuple[str, Difference], ...]
    """Label of a backbone, and a difference between two of its methods."""
    manifest: dict[str, Any]

    def of(self, part: Part) -> "Results":
        """What the run holds of one part: no method, metric or role of the others alone."""
        kept = tuple(result for result in self.results if result.part == part)
        others = tuple(result for result in self.results if result.part != part)
        strangers = {one.method for one in others} - {one.method for one in kept}
        ours, theirs = _scored(kept), _scored(others)
        asked = {role for result in kept for role in result.score.roles}.union(_ROLES[part])
        elsewhere = {role for several in _ROLES.values() for role in several} - asked
        roles = [one for one in self.manifest["roles"] if one["role"] not in elsewhere]
        return replace(
            self,
            methods=tuple(method for method in self.methods if method not in strangers),
            metrics=tuple(m for m in self.metrics if m.label in ours or m.label not in theirs),
            results=kept,
            differences=tuple(one for one in self.differences if one[1].metric in ours),
            manifest=self.manifest | {"roles": roles},
        )

    def systems(self) -> Iterator[tuple[Named, Named]]:
        """Each backbone with each of the methods that were run with it, in order."""
        scored = {(result.backbone, result.method) for result in self.results}
        pairs = product(self.backbones, self.methods)
        return (pair for pair in pairs if pair in scored)

    def find(self, backbone: str, method: str, metric: str) -> Result | None:
        """One result by its labels, or none if it was not scored."""
        wanted = (backbone, method, metric)
        for result in self.results:
            if (result.backbone.label, result.method.label, result.score.metric) == wanted:
                return result
        return None

    def metric(self, name: str) -> Named | None:
        """The metric of a name, that with default options first; none if it was not asked for."""
        found = [one for one in self.metrics if one.name == name]
        return min(found, key=lambda one: bool(one.options), default=None)

    @property
    def stand_in(self) -> bool:
        """Whether any result comes from the embedded stand-in."""
        return any(result.stand_in for result in self.results)

    @property
    def all_stand_in(self) -> bool:
        """Whether nobody but the embedded stand-in wrote or judged."""
        roles = all(role["stand_in"] for role in self.manifest["roles"])
        return roles and all(result.stand_in for result in self.results)


def _scored(results: Iterable[Result]) -> set[str]:
    """The metrics of some results, with those of which they are parts: "accuracy/epidemiology"."""
    found = {result.score.metric for result in results}
    return found | {name.partition("/")[0] for name in found}


@dataclass(frozen=True)
class Grid:
    """A table ready to be shown."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()


class Table(Protocol):
    """Makes grids and files from results."""

    name: str
    preset: Path | None

    def grids(self, results: Results) -> tuple[Grid, ...]:
        """What is shown on the screen."""
        ...

    def files(self, results: Results) -> dict[str, str]:
        """File names and their texts, kept in the run directory."""
        ...


SCORE_COLUMNS = ("Metric", "Value", "95 % interval", "n", "missing", "Note")


def score_cells(score: Score) -> tuple[str, ...]:
    """A score as the cells of `SCORE_COLUMNS`."""
    value = "n/a" if score.value is None else f"{score.value:.4f}"
    interval = ""
    if score.interval is not None:
        interval = f"[{score.interval.low:.4f}, {score.interval.high:.4f}]"
    counts = (str(score.n), str(score.n_missing))
    return (score.metric, value, interval, *counts, "; ".join(score.notes))


def printable(text: str) -> str:
    """Text that a terminal shows and does not obey: control characters become their pictures.

    Line ends and tabs stay.
    """
    return _CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[Value]]) -> str:
    """CSV with "\\n" line ends; text that a spreadsheet would run gets a quote mark before it."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6f}"
    if isinstance(value, int):
        return str(value)
    shown = printable(value)
    return f"'{shown}" if shown.startswith(_FORMULA) else shown


def markdown_text(grid: Grid) -> str:
    """A grid as Markdown; pipes and angle brackets of foreign text are escaped."""

    def row(cells: Iterable[str]) -> str:
        return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"

    lines = [f"# {_escaped(grid.title)}", "", row(grid.columns)]
    lines.append("|" + "---|" * len(grid.columns))
    lines += [row(cells) for cells in grid.rows]
    if grid.notes:
        lines += ["", *(f"- {_escaped(note)}" for note in grid.notes)]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    marked = re.sub(r"([\\|`*_\[\]!#])", r"\\\1", printable(text))
    safe = marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "<br>".join(" ".join(line.split()) for line in safe.splitlines())
