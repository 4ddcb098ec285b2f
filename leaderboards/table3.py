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
from bench.tables import Grid, Named, Result, Results, Value, csv_text, markdown_text

_HERE = Path(__file__).parent
PAPER = _HERE / "paper" / "table3.csv"
NOT_IN_PAPER = "GPT-4o"
"""Whose figures stand beside a backbone that the paper did not run."""
STAND_IN = "stand-in: made by the embedded rules, no language model; not comparable with the paper"
PARTLY = "partly a stand-in: * was written or judged by the embedded rules, no language model"


@dataclass(frozen=True)
class Column:
    """One metric of the table."""

    metric: str
    title: str
    paper: str | None
    """Its column in the paper's file; none if the paper's table has no such metric."""
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
BACKBONES = {
    "gpt-4o-mini": "GPT-4o-mini",
    "gpt-4o-mini-2024-07-18": "GPT-4o-mini",
    "gpt-4o": "GPT-4o",
    "gpt-4o-2024-08-06": "GPT-4o",
    "gpt-3.5-turbo-1106": "GPT-3.5",
    "doubao-pro-32k": "Doubao",
}
"""The paper's name of each model (section 4.1.3), and of what its undated names stood for."""


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
        columns = columns_of(results)
        rows = tuple(
            (
                backbone.label,
                method.label,
                *(_cell(results, backbone, method, column) for column in columns),
            )
            for backbone, method in results.systems()
        )
        title = "Table 3"
        if results.stand_in:
            title += f" ({STAND_IN if results.all_stand_in else PARTLY})"
        heads = ("Backbone", "Method", *(column.title for column in columns))
        return Grid(title, heads, rows, tuple(_notes(results)))

    def _differences(self, results: Results) -> Grid:
        columns = columns_of(results)
        found: dict[tuple[str, str], dict[str, Difference]] = {}
        for backbone, difference in results.differences:
            pair = f"{difference.first} - {difference.second}"
            found.setdefault((backbone, pair), {})[difference.metric] = difference
        rows = tuple(
            (*names, *(_difference(_of(results, by_metric, c), c) for c in columns))
            for names, by_metric in found.items()
        )
        heads = ("Backbone", "Difference", *(column.title for column in columns))
        title = "Table 3, paired differences between methods"
        notes = ("on the cases both methods have; 95 % intervals",)
        return Grid(title + (" (stand-in)" if results.stand_in else ""), heads, rows, notes)

    def _csv_rows(self, results: Results) -> Iterator[list[Value]]:
        for backbone, method in results.systems():
            for column in columns_of(results):
                result = _found(results, backbone, method, column)
                if result is not None:
                    yield _csv_row(results, result, column)


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


def _csv_row(results: Results, result: Result, column: Column) -> list[Value]:
    score = result.score
    named = paper_backbone(result.backbone)
    interval = score.interval
    measured = results.metric(column.metric)
    plain = measured is not None and not measured.options and not result.method.options
    comparable = plain and named is not None and column.comparable and not result.stand_in
    return [
        result.backbone.label,
        result.method.label,
        score.metric,
        score.value,
        interval.low if interval else None,
        interval.high if interval else None,
        interval.method if interval else None,
        score.n,
        score.n_missing,
        named or NOT_IN_PAPER,
        paper_value(named or NOT_IN_PAPER, result.method, column),
        comparable,
        result.stand_in,
        score.signature,
        "; ".join(score.notes),
    ]


def _cell(results: Results, backbone: Named, method: Named, column: Column) -> str:
    """Ours with its interval over the paper's figure."""
    result = _found(results, backbone, method, column)
    ours = "not asked for" if result is None else _shown(result.score, column)
    if result is not None and result.stand_in and not results.all_stand_in:
        ours = f"*{ours}"
    value = paper_value(paper_backbone(backbone) or NOT_IN_PAPER, method, column)
    if value is None:
        return ours
    aside = "" if column.comparable else " (not comparable)"
    return f"{ours}\npaper: {_number(value, column)}{aside}"


def columns_of(results: Results) -> tuple[Column, ...]:
    """The paper's columns, then a column for each further metric of the experiment."""
    known = {column.metric for column in COLUMNS}
    arrows = {result.score.metric: result.score.better for result in results.results}
    further = tuple(
        Column(one.name, f"{one.label} {'↑' if arrows.get(one.label) == 'higher' else '↓'}", None)
        for one in results.metrics
        if one.name not in known
    )
    return (*COLUMNS, *further)


def _of(results: Results, differences: dict[str, Difference], column: Column) -> Difference | None:
    measured = results.metric(column.metric)
    return None if measured is None else differences.get(measured.label)


def _found(results: Results, backbone: Named, method: Named, column: Column) -> Result | None:
    """The result of a column's metric, whatever the experiment calls it."""
    measured = results.metric(column.metric)
    if measured is None:
        return None
    return results.find(backbone.label, method.label, measured.label)


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
    asked = {backbone for backbone, _ in results.systems()}
    strangers = [b.label for b in results.backbones if b in asked and paper_backbone(b) is None]
    if strangers:
        yield f"{', '.join(strangers)}: not in the paper, whose {NOT_IN_PAPER} figures stand beside"
    yield "† the paper names neither its embedding model nor its LM: not comparable with ours"
    said: dict[str, list[str]] = {}
    for result in results.results:
        for note in result.score.notes:
            if "/" not in result.score.metric:
                said.setdefault(f"{result.score.metric}: {note}", []).append(result.method.label)
    yield from said
    yield from _ties(results)
    failed = results.manifest.get("failures", 0)
    planned = results.manifest.get("planned", 0)
    yield f"{planned} cases for each method, {failed} failures; [95 % intervals]"
    yield from (f"{role['role']}: {role['backbone']}" for role in results.manifest.get("roles", ()))


def _ties(results: Results) -> Iterator[str]:
    for backbone in results.backbones:
        methods = [method for other, method in results.systems() if other == backbone]
        found = [_found(results, backbone, method, COLUMNS[0]) for method in methods]
        values = [None if result is None else result.score.value for result in found]
        if len(values) > 1 and None not in values and len(set(values)) == 1:
            yield f"{backbone.label}: the methods tie on accuracy, so it says nothing about them"


def _charts(results: Results) -> list[Chart]:
    return [Chart(column.title, tuple(_points(results, column))) for column in columns_of(results)]


def _points(results: Results, column: Column) -> Iterator[Point]:
    scale = 100 if column.percent else 1
    several = len(results.backbones) > 1
    measured = results.metric(column.metric)
    for result in results.results:
        score = result.score
        if measured is None or score.metric != measured.label or score.value is None:
            continue
        yield Point(
            label=f"{result.backbone.label} {result.method.label}"
            if several
            else result.method.label,
            value=scale * score.value,
            low=scale * score.interval.low if score.interval else None,
            high=scale * score.interval.high if score.interval else None,
            paper=_paper_point(result, column, scale),
        )


def _paper_point(result: Result, column: Column, scale: int) -> float | None:
    """The paper's figure, where it is a model's and measured as ours: others share no axis."""
    if not column.comparable or result.stand_in:
        return None
    named = paper_backbone(result.backbone) or NOT_IN_PAPER
    value = paper_value(named, result.method, column)
    return None if value is None else scale * value


def paper_backbone(backbone: Named) -> str | None:
    """The paper's name for a backbone, or none if the paper did not run it."""
    kind, _, model = backbone.name.partition("/")
    return BACKBONES.get(model.lower()) if kind in ("openai", "azure") else None


def paper_value(backbone: str, method: Named, column: Column) -> float | None:
    """The paper's figure, as a share for percentages; none if it has none for this method."""
    row = _paper().get((backbone, METHODS.get(method.name, ""))) if not method.options else None
    if row is None or column.paper is None:
        return None
    value = float(row[column.paper])
    return value / 100 if column.percent else value


@cache
def _paper() -> dict[tuple[str, str], dict[str, str]]:
    with PAPER.open(encoding="utf-8", newline="") as file:
        return {(row["backbone"], row["method"]): row for row in csv.DictReader(file)}
