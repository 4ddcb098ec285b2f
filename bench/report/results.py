"""The one table that all tables are made of: a line for every figure, a column for every factor."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.api.cell import Cell, differing
from bench.api.choice import Choice
from bench.api.score import ALL, Score
from bench.core.errors import UserError
from bench.core.text import one_line
from bench.report.text import Value, csv_text, plain_cell
from bench.runs.roles import factor_of

MINUS = "minus_"
"""Before the name of a factor: its value on the other side of a difference."""
STAGE = "stage"
ABSENT = "(none)"
"""In such a column: the other side has no such factor."""
FIGURES = (
    "metric",
    "part",
    "by",
    "group",
    "value",
    "unit",
    "better",
    "ci_low",
    "ci_high",
    "ci_method",
    "n",
    "n_missing",
    "bound_low",
    "bound_high",
    "p_value",
    "only_first",
    "only_second",
    "stand_in",
    "signature",
    "notes",
)
"""The columns after the factors."""

INTERVAL = {"ci_low": "low", "ci_high": "high", "ci_method": "method"}
PAIRS = {"bounds": ("bound_low", "bound_high"), "discordant": ("only_first", "only_second")}
"""Columns of what is more than one value."""


@dataclass(frozen=True)
class Result:
    """A score with the cell that it is of, or the difference of two cells."""

    stage: str
    cell: Cell
    """All factors, those of the roles that were asked for the score included."""
    score: Score
    minus: Cell | None = None
    """The other side of a difference; none for a score."""

    def get(self, field: str) -> str:
        """A factor, "stage", "metric", "part", "by" or "group"; empty where there is none."""
        if field in ("metric", "part", "by", "group"):
            return str(getattr(self.score, field))
        return self.stage if field == STAGE else self.cell.get(field, "")


@dataclass(frozen=True)
class Results:
    """All results of a run, in order, and what is needed to read them."""

    name: str
    """Name of the experiment."""
    results: tuple[Result, ...]
    manifest: Mapping[str, Any]

    def of(self, kind: str) -> "Results":
        """What items of a kind gave; of stages and roles only those that had a part in it."""
        stages: Mapping[str, Any] = self.manifest["stages"]
        kept = tuple(one for one in self.results if stages[one.stage]["makes"] == kind)
        factors = {name for one in kept for name in one.cell}
        before: dict[str, Any] = {}
        kinds, asked = {kind}, set[str]()
        for name in reversed(list(stages)):
            if stages[name]["makes"] in kinds:
                before = {name: stages[name], **before}
                kinds.add(stages[name].get("takes"))
                asked.update(stages[name].get("roles", ()))
        roles = [
            role
            for role in self.manifest["roles"]
            if role["role"] in asked or factor_of(role["role"]) in factors
        ]
        manifest = {**self.manifest, "stages": before, "roles": roles}
        return replace(self, results=kept, manifest=manifest)

    def select(
        self,
        metric: str,
        part: str = "",
        by: str = ALL,
        group: str = ALL,
        *,
        differences: bool = False,
        **factors: str,
    ) -> Iterator[Result]:
        """The scores (or differences) of a metric's part in a group, in cells with some factors."""
        sought = {"metric": metric, "part": part, "by": by, "group": group, **factors}
        for result in self.differences if differences else self.scores:
            if all(result.get(field) == value for field, value in sought.items()):
                yield result

    def find(
        self, metric: str, part: str = "", by: str = ALL, group: str = ALL, **factors: str
    ) -> Result | None:
        """The first score that `select` gives, or none."""
        return next(self.select(metric, part, by, group, differences=False, **factors), None)

    def values(self, field: str, among: Iterable[Result] | None = None) -> list[str]:
        """The values of a factor (or "metric", "group", ...) in order, empty ones left out."""
        results = self.results if among is None else among
        return [value for value in dict.fromkeys(one.get(field) for one in results) if value]

    def named(self, factor: str, label: str) -> Choice:
        """What a label stands for: the plug-in with its options."""
        levels: Mapping[str, Any] = self.manifest.get("levels", {}).get(factor, {})
        return Choice.model_validate(levels.get(label, {"name": label}))

    @property
    def scores(self) -> Iterator[Result]:
        """The results that are no differences."""
        return (result for result in self.results if result.minus is None)

    @property
    def differences(self) -> Iterator[Result]:
        """The results that are differences."""
        return (result for result in self.results if result.minus is not None)

    @property
    def stand_in(self) -> bool:
        """Whether any result comes from the embedded stand-in."""
        return any(result.score.stand_in for result in self.results)

    @property
    def all_stand_in(self) -> bool:
        """Whether nobody but the embedded stand-in wrote, answered or judged."""
        roles = all(role["stand_in"] for role in self.manifest["roles"])
        return roles and all(result.score.stand_in for result in self.results)


def results_text(results: Sequence[Result]) -> str:
    """All results as CSV; numbers in full."""
    sides = [side for one in results for side in (one.cell, one.minus) if side is not None]
    factors = list(dict.fromkeys(name for side in sides for name in side))
    others = [_other(one) for one in results]
    minus = [name for name in factors if any(name in other for other in others)]
    columns = (STAGE, *factors, *(f"{MINUS}{name}" for name in minus), *FIGURES)
    rows = (
        [
            one.stage,
            *map(one.cell.get, factors),
            *map(other.get, minus),
            *figures(one.score).values(),
        ]
        for one, other in zip(results, others, strict=True)
    )
    return csv_text(columns, rows, digits=None)


def _other(result: Result) -> Mapping[str, str]:
    """What differs on the other side of a difference."""
    other = result.cell if result.minus is None else result.minus
    return {name: other.get(name, ABSENT) for name in differing(result.cell, other)}


def figures(score: Score) -> dict[str, Value]:
    """The cells of `FIGURES`, by column."""
    cells = score.model_dump()
    cells |= {name: getattr(score.interval, field, None) for name, field in INTERVAL.items()}
    for field, names in PAIRS.items():
        cells |= zip(names, cells[field] or (None, None), strict=True)
    cells["notes"] = "\n".join(one_line(note) for note in score.notes)
    return {name: cells[name] for name in FIGURES}


def read_results(path: Path) -> list[Result]:
    """The results of a file that `results_text` made.

    Raises:
        UserError: if the file is not there, or is no such table.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = csv.DictReader(file)
            if not {STAGE, *FIGURES} <= set(rows.fieldnames or ()):
                raise ValueError("it lacks columns of results")
            return [_result({name: plain_cell(cell) for name, cell in row.items()}) for row in rows]
    except (OSError, KeyError, ValueError, TypeError) as error:
        reason = one_line(str(error))[:200]
        raise UserError(
            f"{path} cannot be read ({reason}): the same command as before writes it anew"
        ) from error


def _result(row: Mapping[str, str]) -> Result:
    known = (STAGE, *FIGURES)
    factors = {name: value for name, value in row.items() if value and name not in known}
    apart = {n.removeprefix(MINUS): value for n, value in factors.items() if n.startswith(MINUS)}
    cell = Cell({n: value for n, value in factors.items() if not n.startswith(MINUS)})
    lacking = [name for name, value in apart.items() if value == ABSENT]
    cells: dict[str, Any] = {name: row[name] for name in FIGURES if name in Score.model_fields}
    cells |= {name: row[name] or None for name in ("value", "p_value")}
    cells["notes"] = tuple(filter(None, row["notes"].split("\n")))
    if row["ci_low"]:
        cells["interval"] = {field: row[name] for name, field in INTERVAL.items()}
    for field, names in PAIRS.items():
        cells[field] = tuple(row[name] for name in names) if row[names[0]] else None
    minus = cell.and_(apart).without(*lacking) if apart else None
    return Result(row[STAGE], cell, Score.model_validate(cells), minus)
