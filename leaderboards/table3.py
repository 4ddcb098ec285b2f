"""Table 3 of the paper: accuracy and diversity of three methods, for each backbone."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

from bench.page import Chart, Point, html_page
from bench.scoring import Difference, Score
from bench.stats import Interval
from bench.tables import Grid, Result, Results, Value, csv_text, markdown_text

_HERE = Path(__file__).parent
PAPER = _HERE / "paper" / "table3.csv"
NOT_IN_PAPER = "GPT-4o"
"""Whose figures stand beside a backbone that the paper did not run."""
STAND_IN = "stand-in: made by the embedded rules, no language model; not comparable with the paper"


@dataclass(frozen=True)
class Column:
    """One metric of the table."""

    metric: str
    title: str
    paper: str
    """Its column in the paper's file."""
    percent: bool = False
    comparable: bool = True
    """False where the paper does not name its embedding model or LM."""


COLUMNS = (
    Column("accuracy", "Accuracy % ↑", "accuracy_pct", percent=True),
    Column("bleu", "BLEU ↓", "bleu"),
    Column("rouge-l", "ROUGE-L ↓", "rouge_l"),
    Column("cosine", "cosine† ↓", "cosine", comparable=False),
    Column("gptscore", "GPTScore† ↓", "gptscore", comparable=False),
)
METHODS = {
    "direct": "Direct",
    "multi-step": "Patient-Zero w/o outline",
    "patient-zero": "Patient-Zero",
}
"""The paper's name of each method."""
BACKBONES = (
    ("gpt-4o-mini", "GPT-4o-mini"),
    ("gpt-4o", "GPT-4o"),
    ("gpt-3.5", "GPT-3.5"),
    ("doubao", "Doubao"),
)
"""How the paper names a backbone whose model begins so; the first match counts."""


class Table3:
    """Ours with intervals, the paper's figure beside each, and paired differences of methods."""

    name: ClassVar[str] = "table3"
    preset: ClassVar[Path] = _HERE / "presets" / "table3.yaml"

    def grids(self, results: Results) -> tuple[Grid, ...]:
        """The table and the differences."""
        return (self._main(results), self._differences(results))

    def files(self, results: Results) -> dict[str, str]:
        """table3.csv, table3.md and the page table3.html."""
        main, differences = self.grids(results)
        return {
            "table3.csv": csv_text(CSV_COLUMNS, self._csv_rows(results)),
            "table3.md": markdown_text(main) + "\n" + markdown_text(differences),
            "table3.html": html_page(results.name, (main, differences), _charts(results)),
        }

    def _main(self, results: Results) -> Grid:
        rows = tuple(
            (backbone, method, *(_cell(results, backbone, method, c) for c in COLUMNS))
            for backbone in results.backbones
            for method in results.methods
        )
        title = "Table 3" + (f" ({STAND_IN})" if results.stand_in else "")
        columns = ("Backbone", "Method", *(column.title for column in COLUMNS))
        return Grid(title, columns, rows, tuple(_notes(results)))

    def _differences(self, results: Results) -> Grid:
        found: dict[tuple[str, str], dict[str, Difference]] = {}
        for backbone, difference in results.differences:
            pair = f"{difference.first} - {difference.second}"
            found.setdefault((backbone, pair), {})[difference.metric] = difference
        rows = tuple(
            (*names, *(_difference(by_metric.get(c.metric), c) for c in COLUMNS))
            for names, by_metric in found.items()
        )
        columns = ("Backbone", "Difference", *(column.title for column in COLUMNS))
        title = "Table 3, paired differences between methods"
        notes = ("on the cases both methods have; 95 % intervals",)
        return Grid(title + (" (stand-in)" if results.stand_in else ""), columns, rows, notes)

    def _csv_rows(self, results: Results) -> Iterator[list[Value]]:
        for backbone in results.backbones:
            for method in results.methods:
                for column in COLUMNS:
                    result = results.find(backbone, method, column.metric)
                    if result is not None:
                        yield _csv_row(result, column)


CSV_COLUMNS = (
    "backbone",
    "method",
    "metric",
    "value",
    "ci_low",
    "ci_high",
    "ci_method",
    "n",
    "n_missing",
    "paper_backbone",
    "paper_value",
    "comparable",
    "stand_in",
    "signature",
    "notes",
)


def _csv_row(result: Result, column: Column) -> list[Value]:
    score = result.score
    named = paper_backbone(result.backbone)
    interval = score.interval
    return [
        result.backbone,
        result.method,
        score.metric,
        score.value,
        interval.low if interval else None,
        interval.high if interval else None,
        interval.method if interval else None,
        score.n,
        score.n_missing,
        named or NOT_IN_PAPER,
        paper_value(named or NOT_IN_PAPER, result.method, column),
        named is not None and column.comparable and not result.stand_in,
        result.stand_in,
        score.signature,
        "; ".join(score.notes),
    ]


def _cell(results: Results, backbone: str, method: str, column: Column) -> str:
    """Ours with its interval over the paper's figure."""
    result = results.find(backbone, method, column.metric)
    ours = "not asked for" if result is None else _shown(result.score, column)
    value = paper_value(paper_backbone(backbone) or NOT_IN_PAPER, method, column)
    if value is None:
        return ours
    aside = "" if column.comparable else " (not comparable)"
    return f"{ours}\npaper: {_number(value, column)}{aside}"


def _shown(score: Score, column: Column) -> str:
    if score.value is None:
        return "not scored: see below"
    missing = f"\nn {score.n}, {score.n_missing} missing" if score.n_missing else ""
    return f"{_number(score.value, column)}{_interval(score.interval, column)}{missing}"


def _difference(difference: Difference | None, column: Column) -> str:
    if difference is None:
        return "n/a"
    value = _number(difference.value, column)
    sign = "" if value.startswith("-") else "+"
    return f"{sign}{value}{_interval(difference.interval, column)}"


def _interval(interval: Interval | None, column: Column) -> str:
    if interval is None:
        return ""
    return f"\n[{_number(interval.low, column)}, {_number(interval.high, column)}]"


def _number(value: float, column: Column) -> str:
    """As the paper prints it: per cent with two digits, else four digits; never "-0"."""
    shown = f"{100 * value:.2f}" if column.percent else f"{value:.4f}"
    return shown.lstrip("-") if float(shown) == 0 else shown


def _notes(results: Results) -> Iterator[str]:
    strangers = [name for name in results.backbones if paper_backbone(name) is None]
    if strangers:
        yield f"{', '.join(strangers)}: not in the paper, whose {NOT_IN_PAPER} figures stand beside"
    yield "† the paper names neither its embedding model nor its LM: not comparable with ours"
    said: dict[str, list[str]] = {}
    for result in results.results:
        for note in result.score.notes:
            if result.score.metric in {column.metric for column in COLUMNS}:
                said.setdefault(f"{result.score.metric}: {note}", []).append(result.method)
    yield from said
    yield from _ties(results)
    failed = results.manifest.get("failures", 0)
    planned = results.manifest.get("planned", 0)
    yield f"{planned} cases for each method, {failed} failures; [95 % intervals]"
    yield from (f"{role['role']}: {role['backbone']}" for role in results.manifest.get("roles", ()))


def _ties(results: Results) -> Iterator[str]:
    for backbone in results.backbones:
        found = [results.find(backbone, method, "accuracy") for method in results.methods]
        values = {result.score.value for result in found if result is not None}
        if len(found) > 1 and len(values) == 1:
            yield f"{backbone}: the methods tie on accuracy, so it says nothing about them"


def _charts(results: Results) -> list[Chart]:
    return [Chart(column.title, tuple(_points(results, column))) for column in COLUMNS]


def _points(results: Results, column: Column) -> Iterator[Point]:
    for result in results.results:
        score = result.score
        if score.metric != column.metric or score.value is None:
            continue
        several = len(results.backbones) > 1
        yield Point(
            label=f"{result.backbone} {result.method}" if several else result.method,
            value=score.value,
            low=score.interval.low if score.interval else None,
            high=score.interval.high if score.interval else None,
            paper=_paper_point(result, column),
        )


def _paper_point(result: Result, column: Column) -> float | None:
    """The paper's figure, where it is measured as ours is: different models share no axis."""
    if not column.comparable:
        return None
    return paper_value(paper_backbone(result.backbone) or NOT_IN_PAPER, result.method, column)


def paper_backbone(name: str) -> str | None:
    """The paper's name for a backbone, or none if the paper did not run it."""
    model = name.rpartition("/")[2].lower()
    return next((named for start, named in BACKBONES if model.startswith(start)), None)


def paper_value(backbone: str, method: str, column: Column) -> float | None:
    """The paper's figure, as a share for percentages; none if it has none."""
    row = _paper().get((backbone, METHODS.get(method, "")))
    if row is None:
        return None
    value = float(row[column.paper])
    return value / 100 if column.percent else value


@cache
def _paper() -> dict[tuple[str, str], dict[str, str]]:
    with PAPER.open(encoding="utf-8", newline="") as file:
        return {(row["backbone"], row["method"]): row for row in csv.DictReader(file)}
