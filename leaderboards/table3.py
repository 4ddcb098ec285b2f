"""Table 3 of the paper: accuracy and diversity of three methods, for each backbone."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from bench.api.metric import Difference, Score
from bench.report.page import Chart, Point, html_page
from bench.report.tables import Grid, Named, Result, Results, Value, csv_text, markdown_text
from bench.scoring.intervals import Interval
from leaderboards.cells import (
    bracketed,
    failure_words,
    interval_cells,
    number,
    role_notes,
    score_notes,
    signed,
    standing,
    starred,
)
from leaderboards.paper_figures import NOT_IN_PAPER, Figure, figure, paper_backbone

DIGITS = 4
"""Of whatever is no percentage."""


@dataclass(frozen=True)
class Column:
    """One metric of the table."""

    metric: str
    """Name of the metric."""
    title: str
    paper: str | None
    """Its column in the paper's file; none if the paper's table has no such metric."""
    percent: bool = False
    comparable: bool = True
    """False where the paper does not name its model, or ours is measured with other options."""
    label: str | None = None
    """What the experiment calls the metric; none if it was not asked for."""


COLUMNS = (
    Column("accuracy", "Accuracy % ↑", "accuracy_pct", percent=True),
    Column("bleu", "BLEU ↓", "bleu"),
    Column("rouge-l", "ROUGE-L ↓", "rouge_l"),
    Column("cosine", "cosine† ↓", "cosine", comparable=False),
    Column("gptscore", "GPTScore† ↓", "gptscore", comparable=False),
)
"""The paper's own."""
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


def columns_of(results: Results) -> tuple[Column, ...]:
    """The paper's columns, each with the run's metric of that name, then the run's others."""
    found = [(column, results.metric(column.metric)) for column in COLUMNS]
    known = tuple(
        column
        if one is None
        else replace(
            column,
            label=one.label,
            title=column.title if one.label == one.name else f"{column.title} ({one.label})",
            comparable=column.comparable and not one.options,
        )
        for column, one in found
    )
    better = {result.score.metric: result.score.better for result in results.results}
    shown = {column.label for column in known}
    further = tuple(
        Column(one.name, f"{one.label} {_arrow(better.get(one.label))}", None, label=one.label)
        for one in results.metrics
        if one.label not in shown
    )
    return (*known, *further)


def _arrow(better: str | None) -> str:
    return {"higher": "↑", "lower": "↓"}.get(better or "", "")


class Table3:
    """Ours with intervals, the paper's figure beside each, and paired differences of methods."""

    name: ClassVar[str] = "table3"
    preset: ClassVar[Path] = Path(__file__).parent / "presets" / "table3.yaml"

    def grids(self, results: Results) -> tuple[Grid, ...]:
        """The table and the differences."""
        records = results.of("records")
        return (self._main(records), self._differences(records))

    def files(self, results: Results) -> dict[str, str]:
        """table3.csv, table3.md and the page table3.html."""
        (main, differences), records = self.grids(results), results.of("records")
        return {
            "table3.csv": csv_text(CSV_COLUMNS, self._csv_rows(records)),
            "table3.md": markdown_text(main) + "\n" + markdown_text(differences),
            "table3.html": html_page(results.name, (main, differences), _charts(records)),
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
        heads = ("Backbone", "Method", *(column.title for column in columns))
        return Grid(f"Table 3{standing(results)}", heads, rows, tuple(_notes(results)))

    def _differences(self, results: Results) -> Grid:
        columns = columns_of(results)
        found: dict[tuple[str, str, str], dict[str, Difference]] = {}
        for backbone, difference in results.differences:
            names = (backbone, difference.first, difference.second)
            found.setdefault(names, {})[difference.metric] = difference
        rows = tuple(
            (
                backbone,
                f"{first} - {second}",
                *(_difference(results, backbone, by_metric.get(c.label or ""), c) for c in columns),
            )
            for (backbone, first, second), by_metric in found.items()
        )
        heads = ("Backbone", "Difference", *(column.title for column in columns))
        title = f"Table 3, paired differences between methods{standing(results)}"
        return Grid(title, heads, rows, ("on the cases both methods have; 95 % intervals",))

    def _csv_rows(self, results: Results) -> Iterator[list[Value]]:
        for backbone, method in results.systems():
            for column in columns_of(results):
                result = _found(results, backbone, method, column)
                if result is not None:
                    yield _csv_row(result, column)


def _found(results: Results, backbone: Named, method: Named, column: Column) -> Result | None:
    return results.find(backbone.label, method.label, column.label) if column.label else None


def _comparable(result: Result, column: Column, paper: Figure | None) -> bool:
    """Whether ours and the paper's figure are of one model, method and measure."""
    return bool(paper and paper.same_backbone and column.comparable and not result.stand_in)


def _csv_row(result: Result, column: Column) -> list[Value]:
    score, paper = result.score, figure(result.backbone, result.method, column.paper)
    return [
        result.backbone.label,
        result.method.label,
        score.metric,
        score.value,
        *interval_cells(score.interval),
        score.n,
        score.n_missing,
        paper.backbone if paper else None,
        paper.value if paper else None,
        _comparable(result, column, paper),
        result.stand_in,
        score.signature,
        "; ".join(score.notes),
    ]


def _cell(results: Results, backbone: Named, method: Named, column: Column) -> str:
    """Ours with its interval over the paper's figure."""
    result = _found(results, backbone, method, column)
    ours = "not asked for" if result is None else _shown(result.score, column)
    ours = starred(results, result) + ours
    paper = figure(backbone, method, column.paper)
    if paper is None:
        return ours
    aside = "" if paper.same_backbone else f" ({paper.backbone})"
    if not column.comparable:
        aside = "†" if "†" in column.title else " (not comparable)"
    return f"{ours}\npaper: {_number(paper.value, column)}{aside}"


def _shown(score: Score, column: Column) -> str:
    if score.value is None:
        return "not scored: see below"
    missing = f"\nn {score.n}, {score.n_missing} missing" if score.n_missing else ""
    return f"{_number(score.value, column)}{_interval(score.interval, column)}{missing}"


def _difference(
    results: Results, backbone: str, difference: Difference | None, column: Column
) -> str:
    if difference is None:
        return "n/a"
    value = signed(difference.value, percent=column.percent, digits=DIGITS)
    sides = (difference.first, difference.second)
    found = [
        result
        for result in results.results
        if result.score.metric == difference.metric and result.method.label in sides
    ]
    ours = [result for result in found if result.backbone.label in (backbone, "none")]
    return f"{starred(results, *ours)}{value}{_interval(difference.interval, column)}"


def _interval(interval: Interval | None, column: Column) -> str:
    return bracketed(interval, percent=column.percent, digits=DIGITS)


def _number(value: float, column: Column) -> str:
    return number(value, percent=column.percent, digits=DIGITS)


def _notes(results: Results) -> Iterator[str]:
    systems = list(results.systems())
    used = [b for b in results.backbones if any(b == other for other, _ in systems)]
    strangers = [b.label for b in used if paper_backbone(b) is None and b.name != "none"]
    if strangers:
        yield f"{', '.join(strangers)}: not in the paper, whose {NOT_IN_PAPER} figures stand beside"
    yield "† the paper names neither its embedding model nor its LM: not comparable with ours"
    yield from score_notes(results, len(systems))
    yield from _ties(results)
    manifest = results.manifest
    yield f"{manifest['planned']} cases for each method; failures: {failure_words(results)}"
    for whose, count in manifest["rewritten"].items():
        yield f"{whose}: its plausibility check had {count} records written anew"
    yield from role_notes(results)


def _ties(results: Results) -> Iterator[str]:
    (accuracy, *_) = columns_of(results)
    for backbone in results.backbones:
        methods = [method for other, method in results.systems() if other == backbone]
        found = [_found(results, backbone, method, accuracy) for method in methods]
        values = [None if result is None else result.score.value for result in found]
        if len(values) > 1 and None not in values and len(set(values)) == 1:
            yield f"{backbone.label}: the methods tie on accuracy, so it says nothing about them"


def _charts(results: Results) -> list[Chart]:
    mark = " (stand-in)" if results.all_stand_in else ""
    return [
        Chart(column.title + mark, tuple(_points(results, column)))
        for column in columns_of(results)
    ]


def _points(results: Results, column: Column) -> Iterator[Point]:
    """Ours, and the paper's where it may share an axis with ours."""
    scale = 100 if column.percent else 1
    systems = list(results.systems())
    several = len({backbone for backbone, _ in systems}) > 1
    for backbone, method in systems:
        result = _found(results, backbone, method, column)
        if result is None or result.score.value is None:
            continue
        interval = result.score.interval
        paper = figure(backbone, method, column.paper)
        label = f"{backbone.label} {method.label}" if several else method.label
        yield Point(
            label=starred(results, result) + label,
            value=scale * result.score.value,
            low=scale * interval.low if interval else None,
            high=scale * interval.high if interval else None,
            paper=scale * paper.value if paper and _comparable(result, column, paper) else None,
        )
