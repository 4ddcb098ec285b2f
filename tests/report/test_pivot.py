"""Pivots: any factor makes rows or columns, and none that tells results apart is lost."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from bench.api.cell import Cell
from bench.api.score import Interval, Score
from bench.api.table import Grid
from bench.report.pivot import MEASURE, Axis, Beside, Pivot, listing, measures
from bench.report.results import Result, Results

BACKBONE, METHOD = Axis("backbone", "Backbone"), Axis("method", "Method")


def score(metric: str, value: float | None, **changes: Any) -> Score:
    known: dict[str, Any] = {"unit": "share", "better": "higher", "n": 10}
    return Score(metric=metric, value=value, **{**known, **changes})


def results_of(*results: Result, **levels: Mapping[str, Any]) -> Results:
    manifest = {"roles": [], "stages": {}, "levels": levels}
    return Results("r", results, manifest)


def judged(judge: str, method: str, value: float) -> Result:
    cell = Cell(backbone="gpt", method=method, judge=judge)
    return Result("generate", cell, score("accuracy", value))


def bleu(method: str, value: float) -> Result:
    cell = Cell(backbone="gpt", method=method)
    return Result("generate", cell, score("bleu", value, unit="similarity"))


def test_several_judges_become_a_column_and_what_has_none_stands_beside_each() -> None:
    results = [judged("a", "direct", 0.5), judged("b", "direct", 0.25), bleu("direct", 0.125)]
    pivot = Pivot(results_of(*results), results, (BACKBONE, METHOD), Axis(MEASURE), digits=3)
    assert pivot.grid("T") == Grid(
        "T",
        ("Backbone", "Method", "Judge", "accuracy", "bleu"),
        (("gpt", "direct", "a", "50.00", "0.125"), ("gpt", "direct", "b", "25.00", "0.125")),
    )
    one = [judged("a", "direct", 0.5), bleu("direct", 0.125)]
    assert Pivot(results_of(*one), one, (BACKBONE, METHOD), Axis(MEASURE)).grid("T").columns == (
        *("Backbone", "Method"),
        *("accuracy", "bleu"),
    )


def test_axes_may_be_turned_and_values_ordered_and_named() -> None:
    results = [bleu("b", 0.5), bleu("a", 0.25), bleu("c", 0.75)]
    methods = Axis("method", "M", {"a": "first", "z": "nobody", "b": "second"})
    turned = Pivot(results_of(*results), results, (Axis(MEASURE, "Metric"),), methods)
    assert turned.grid("T") == Grid(
        "T", ("Metric", "first", "second", "c"), (("bleu", "0.25", "0.50", "0.75"),)
    )
    whole = replace(turned, columns=replace(methods, whole=True)).grid("T")
    assert whole.columns[1:] == ("first", "nobody", "second", "c")
    assert whole.rows[0][2] == "not asked for"


def test_differences_are_laid_out_like_their_scores() -> None:
    first, second = bleu("ours", 0.5), bleu("theirs", 0.75)
    interval = Interval(low=-0.5, high=0.0, method="x")
    apart = score("bleu", -0.25, unit="similarity", interval=interval)
    difference = Result("generate", first.cell, apart, second.cell)
    yes = score("accuracy", 0.2, p_value=0.5, discordant=(3, 1))
    other = Result("generate", first.cell, yes, second.cell)
    chosen = [first, second, judged("a", "ours", 1.0)]
    results = results_of(*chosen, difference, other)
    pivot = Pivot(results, chosen, (BACKBONE, METHOD), Axis(MEASURE), digits=4)
    (grid,) = pivot.apart("method").grids("D")
    assert grid.columns == ("Backbone", "Difference", "bleu", "accuracy")
    assert grid.rows == (
        ("gpt", "ours - theirs", "-0.2500\n[-0.5000, 0.0000]", "+3 -1 of 10 = +20.00\np = 0.5"),
    )
    assert any("1 tests here" in note for note in grid.notes)
    assert replace(pivot, results=results_of(*chosen)).apart("method").grids("D") == []


def test_what_is_missing_is_shown_with_its_bounds_and_why() -> None:
    part = score("accuracy", 0.5, n=8, n_missing=2, bounds=(0.4, 0.6), notes=("of\nall",))
    none = score("accuracy", None, n=0, n_missing=10, notes=("of all", "a refusal"))
    results = [
        Result("generate", Cell(method="direct"), part),
        Result("generate", Cell(method="other"), none),
    ]
    pivot = Pivot(results_of(*results), results, (BACKBONE, METHOD), Axis(MEASURE))
    assert pivot.grid("T").rows == (
        ("direct", "50.00\nn 8, 2 missing\nbounds 40.00 to 60.00"),
        ("other", "not scored\nn 0, 10 missing"),
    )
    assert list(pivot.score_notes()) == ["accuracy: of all", "accuracy: a refusal (other)"]
    (chart,) = pivot.charts(MEASURE)
    assert [point.label for point in chart.points] == ["direct (2 missing)"]


def test_a_part_without_figures_is_a_note_and_no_row() -> None:
    whole = Result("interview", Cell(format="text"), score("conduct", 0.5, part="over-cap"))
    lacking = score("conduct", None, part="facts", n=0, n_missing=9, notes=("no memory",))
    results = [whole, Result("interview", Cell(format="text"), lacking)]
    pivot = Pivot(results_of(*results), results, (Axis(MEASURE),), Axis("format"))
    assert pivot.grid("T").rows == (("conduct/over-cap", "50.00"),)
    assert list(pivot.score_notes()) == ["conduct/facts: no memory"]
    grid = listing("L", results)
    assert ([row[1] for row in grid.rows], grid.notes) == (
        ["conduct/over-cap"],
        ("conduct/facts: no memory",),
    )


def test_half_a_stand_in_is_starred_and_shares_no_axis_with_the_paper() -> None:
    results = [bleu("direct", 0.5), bleu("other", 0.25)]
    results[0] = replace(results[0], score=results[0].score.model_copy(update={"stand_in": True}))
    pivot = Pivot(
        results_of(*results),
        results,
        (METHOD,),
        Axis(MEASURE),
        paper=lambda place: Beside("0.75 (theirs)", 0.75) if place["method"] != "x" else None,
    )
    grid = pivot.grid("T")
    assert "partly a stand-in" in grid.title
    assert [row[1].split("\n") for row in grid.rows] == [
        ["*0.50", "paper: 0.75 (theirs)"],
        ["0.25", "paper: 0.75 (theirs)"],
    ]
    (chart,) = pivot.charts(MEASURE)
    assert [(point.label, point.paper) for point in chart.points] == [
        ("*direct", None),
        ("other", 0.75),
    ]


def test_ties_are_of_one_measure_and_one_place() -> None:
    results = [judged("a", "direct", 0.5), judged("a", "other", 0.5), bleu("direct", 0.5)]
    results += [judged("b", "direct", 0.5), judged("b", "other", 0.25), bleu("other", 0.25)]
    pivot = Pivot(results_of(*results), results, (BACKBONE, METHOD), Axis(MEASURE))
    assert list(pivot.ties("method")) == ["a: the methods tie on accuracy"]


def test_of_two_of_one_name_that_with_default_options_is_the_papers() -> None:
    labels = {
        "bleu-values": {"name": "bleu", "label": "bleu-values", "options": {"view": "values"}},
        "bleu": {"name": "bleu", "label": "bleu"},
    }
    values = Result("generate", Cell(method="m"), score("bleu-values", 0.5, better="lower"))
    parts = score("conduct", 0.5, part="over-cap", unit="calls", better="lower")
    results = [values, bleu("m", 0.5), Result("generate", Cell(method="m"), parts)]
    known = measures(results_of(*results, metric=labels), {"bleu": "BLEU", "cosine": "Cos"})
    assert known.titles == {
        "bleu": "BLEU",
        "cosine": "Cos",
        "bleu-values": "bleu-values % ↓",
        "conduct/over-cap": "conduct/over-cap, calls ↓",
    }
    alone = measures(results_of(values, metric=labels), {"bleu": "BLEU"})
    assert alone.titles == {"bleu-values": "BLEU (bleu-values)"}
    assert alone.changed == {"bleu-values"}


def test_a_listing_names_every_factor() -> None:
    results = [judged("a", "direct", 0.5), bleu("direct", 0.25)]
    grid = listing("L", results)
    assert grid.columns[:4] == ("Backbone", "Method", "Judge", "Metric")
    assert [row[:5] for row in grid.rows] == [
        ("gpt", "direct", "a", "accuracy", "0.5000"),
        ("gpt", "direct", "", "bleu", "0.2500"),
    ]
