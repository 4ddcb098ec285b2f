"""A table as a pivot of results: which factors make its rows, which its columns.

    shown = Pivot(results, list(results.select("bleu")), (Axis("backbone", "Backbone"),),
                  Axis("method"))
    grid, charts = shown.grid("BLEU"), shown.charts()

Cells, charts, notes and differences are alike in all tables. A factor that is no axis and has
several values, for instance of several judges, becomes a column before the others.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

from bench.api.cell import Cell, differing
from bench.api.score import ALL, Score
from bench.api.table import Grid
from bench.core.text import one_line
from bench.report.page import Chart, Point
from bench.report.results import Result, Results
from bench.report.text import difference_text, score_text
from bench.runs.roles import NOBODY

MEASURE = "measure"
"""The axis of metrics, each part with a figure of its own apart: "bleu", "conduct/over-cap"."""
STAND_IN = "stand-in: made by the embedded rules, no language model; not comparable with the paper"
PARTLY = "partly a stand-in: * was written or judged by the embedded rules, no language model"
NONE = "the run holds nothing of what this table shows"
Place = Mapping[str, str]
"""A value for each axis, by its factor."""


@dataclass(frozen=True)
class Axis:
    """What makes the rows or the columns of a table."""

    factor: str
    """A factor, "group", "part" or "measure"."""
    title: str = ""
    """Title of the column, if it makes rows."""
    titles: Mapping[str, str] = field(default_factory=dict)
    """Of its values, in order; others follow as they come, under their own names."""
    whole: bool = False
    """Whether values are shown that no result has."""
    couple: bool = False
    """Whether it is of differences, "first - second"."""
    optional: bool = False
    """Whether it is left out where it has one value; without any all are."""

    def value(self, result: Result) -> str:
        """The value of a result; of a difference the backbone that asks somebody."""
        if self.factor == MEASURE:
            return measure_of(result.score)
        first = result.get(self.factor)
        second = first if result.minus is None else result.minus.get(self.factor, first)
        if self.couple:
            return f"{self.named(first)} - {self.named(second)}"
        return second if first == NOBODY else first

    def named(self, value: str) -> str:
        """What a value is called."""
        return self.titles.get(value, value)

    def values(self, results: Iterable[Result]) -> list[str]:
        """The values in order, that of results without the factor left out."""
        present = dict.fromkeys(filter(None, map(self.value, results)))
        known = () if self.couple else self.titles
        listed = [value for value in known if self.whole or value in present]
        return list(dict.fromkeys((*listed, *present)))


@dataclass(frozen=True)
class Beside:
    """The paper's figure beside ours."""

    text: str
    """As it is shown, with what must be said of it."""
    value: float | None = None
    """Only if it is of the same model and measure as ours: it shares an axis with it."""


def _nothing(place: Place) -> Beside | None:
    return None


@dataclass(frozen=True)
class Pivot:
    """Some results, laid out."""

    results: Results
    """Those they are of; they say whether the stand-in made all."""
    chosen: Sequence[Result]
    rows: Sequence[Axis]
    columns: Axis
    cell: Callable[[Score], str] | None = None
    """How a figure is shown, if not like all others."""
    paper: Callable[[Place], Beside | None] = _nothing
    digits: int = 2
    """Of what is no share."""
    hidden: Sequence[str] = ()
    """Factors that never become a column of their own."""

    @cached_property
    def _axes(self) -> list[Axis]:
        """Of the rows: ours, without optional ones, after factors that nobody asked for."""
        known = {axis.factor for axis in (*self.rows, self.columns)} | set(self.hidden)
        factors = dict.fromkeys(name for result in self.chosen for name in result.cell)
        others = [Axis(name, name.capitalize(), optional=True) for name in factors]
        places = [at for at, axis in enumerate(self.rows) if axis.factor in (MEASURE, "group")]
        end = min(places, default=len(self.rows))
        axes = [
            *self.rows[:end],
            *(axis for axis in others if axis.factor not in known),
            *self.rows[end:],
        ]
        return [axis for axis in axes if len(axis.values(self.chosen)) > axis.optional]

    @cached_property
    def _columns(self) -> list[str]:
        return self.columns.values(self.chosen)

    @cached_property
    def _several(self) -> list[Axis]:
        """The axes that tell results apart."""
        axes = (*self._axes, self.columns)
        return [axis for axis in axes if len(axis.values(self.chosen)) > 1]

    @cached_property
    def _by_place(self) -> dict[tuple[str, ...], Result]:
        """The results by their values of all axes, columns last."""
        axes = (*self._axes, self.columns)
        return {tuple(axis.value(one) for axis in axes): one for one in self.chosen}

    @cached_property
    def _keys(self) -> list[tuple[str, ...]]:
        """The rows in order; what lacks a factor (it has no judge) stands in the rows of others."""
        keys = dict.fromkeys(key[:-1] for key in self._by_place)
        loose = [key for key in keys if "" in key]
        kept = [
            key for key in keys if key not in loose or not any(_covers(key, one) for one in keys)
        ]
        orders = [["", *axis.values(self.chosen)] for axis in self._axes]
        return sorted(
            kept, key=lambda key: [o.index(value) for o, value in zip(orders, key, strict=True)]
        )

    def _at(self, key: tuple[str, ...]) -> Result | None:
        exact = self._by_place.get(key)
        others = (result for other, result in self._by_place.items() if _covers(other, key))
        return next(others, None) if exact is None else exact

    def _places(self) -> Iterator[tuple[Place, Result | None]]:
        """Every cell, row by row."""
        factors = [axis.factor for axis in (*self._axes, self.columns)]
        for key in self._keys:
            for column in self._columns:
                place = (*key, column)
                yield dict(zip(factors, place, strict=True)), self._at(place)

    def grid(self, title: str, notes: Sequence[str] = ()) -> Grid:
        """The table; its title says what the stand-in made."""
        if not self.chosen:
            notes = (NONE,)
        cells = [self._shown(place, result) for place, result in self._places()]
        width = len(self._columns)
        rows = tuple(
            (
                *(axis.named(value) for axis, value in zip(self._axes, key, strict=True)),
                *cells[at * width : (at + 1) * width],
            )
            for at, key in enumerate(self._keys)
            if self._has_figures(key)
        )
        heads = (axis.title for axis in self._axes)
        names = (self.columns.named(column) for column in self._columns)
        return Grid(title + standing(self.results), (*heads, *names), rows, tuple(notes))

    def _has_figures(self, key: tuple[str, ...]) -> bool:
        """Whether a row is shown; of a part without any value the notes tell why."""
        found = (self._at((*key, column)) for column in self._columns)
        return any(has_figure(one.score) for one in found if one is not None)

    def _shown(self, place: Place, result: Result | None) -> str:
        """Ours over the paper's figure."""
        if result is not None:
            usual = score_text if result.minus is None else difference_text
            cell = self.cell or partial(usual, digits=self.digits)
            ours = self._star(result) + cell(result.score)
        else:
            column = place[self.columns.factor]
            asked = any(self.columns.value(one) == column for one in self.chosen)
            ours = "n/a" if asked else "not asked for"
        beside = self.paper(place)
        return ours if beside is None else f"{ours}\npaper: {beside.text}"

    def _star(self, result: Result) -> str:
        """A star where the stand-in made this, but not all of the run."""
        return "*" if result.score.stand_in and not self.results.all_stand_in else ""

    def apart(self, factor: str, titles: Mapping[str, str] | None = None) -> "Pivot":
        """The paired differences of these results along a factor, laid out alike."""
        measured = {(measure_of(one.score), one.score.by) for one in self.chosen}
        chosen = [
            one
            for one in self.results.differences
            if (measure_of(one.score), one.score.by) in measured
            and factor in differing(one.cell, one.minus or one.cell)
        ]

        def axis(one: Axis) -> Axis:
            if one.factor != factor:
                return replace(one, whole=False)
            named = one.titles if titles is None else titles
            return replace(one, title="Difference", titles=named, couple=True, optional=False)

        rows, columns = [axis(one) for one in self.rows], axis(self.columns)
        return replace(self, chosen=chosen, rows=rows, columns=columns, cell=None, paper=_nothing)

    def grids(self, title: str) -> list[Grid]:
        """The table of differences with how to read it, if there are any."""
        return [self.grid(title, list(difference_notes(self.chosen)))] if self.chosen else []

    def charts(self, by: str = "", ending: str = "") -> list[Chart]:
        """One for each value of an axis, called like it with an ending, or one of everything."""
        if not self.chosen:
            return []
        axes = {axis.factor: axis for axis in (*self._axes, self.columns)}
        points: dict[str, list[Point]] = {}
        if by:
            points = {value: [] for value in axes[by].values(self.chosen)}
        for place, result in self._places():
            if result is not None and result.score.value is not None:
                label = self._label(place, (by,))
                point = self._point(label, result, self.paper(place))
                points.setdefault(place.get(by, ""), []).append(point)
        mark = " (stand-in)" if self.results.all_stand_in else ""
        return [
            Chart(f"{axes[by].named(value) if by else ''}{ending}{mark}", tuple(several))
            for value, several in points.items()
        ]

    def _label(self, place: Place, without: Sequence[str] = (MEASURE, "group")) -> str:
        """Where a result stands, by the axes that have several values."""
        axes = [axis for axis in (*self._axes, self.columns) if axis.factor not in without]
        several = [axis for axis in axes if axis in self._several] or axes[-1:]
        return ", ".join(axis.named(place[axis.factor]) for axis in several if place[axis.factor])

    def _point(self, label: str, result: Result, beside: Beside | None) -> Point:
        score, scale = result.score, 100 if result.score.unit == "share" else 1
        missing = f" ({score.n_missing} missing)" if score.n_missing else ""
        paper = None if beside is None or score.stand_in else beside.value
        return Point(
            label=f"{self._star(result)}{label}{missing}",
            value=scale * (score.value or 0.0),
            low=scale * score.interval.low if score.interval else None,
            high=scale * score.interval.high if score.interval else None,
            paper=None if paper is None else scale * paper,
        )

    def score_notes(self) -> Iterator[str]:
        """What notes of figures over all items say, and of which where not of all of a measure.

        Of a part only why it has no value.
        """
        whose: dict[tuple[str, str], dict[str, None]] = {}
        several: dict[str, set[str]] = {}
        for place, result in self._places():
            if result is None or result.score.by != ALL:
                continue
            score, label = result.score, self._label(place)
            several.setdefault(measure_of(score), set()).add(label)
            if not score.part or score.value is None:
                for note in score.notes:
                    named = whose.setdefault((measure_of(score), one_line(note)), {})
                    named[label] = None
        for (measure, note), labels in whose.items():
            listed = "" if len(labels) == len(several[measure]) else f" ({'; '.join(labels)})"
            yield f"{measure}: {note}{listed}"

    def ties(self, along: str) -> Iterator[str]:
        """Where all values of an axis come out alike."""
        alike: dict[tuple[str, str], list[float | None]] = {}
        for place, result in self._places():
            if result is not None:
                where = self._label(place, (MEASURE, along))
                alike.setdefault((where, measure_of(result.score)), []).append(result.score.value)
        for (where, measure), values in alike.items():
            if len(values) > 1 and len(set(values)) == 1 and None not in values:
                tie = f"the {along}s tie on {measure}"
                yield f"{where}: {tie}" if where else tie


def _covers(loose: tuple[str, ...], key: tuple[str, ...]) -> bool:
    """Whether what lacks some factors goes with a place that has them."""
    return loose != key and all(a in ("", b) for a, b in zip(loose, key, strict=True))


def measure_of(score: Score) -> str:
    """The metric, with its part if it is of one: "accuracy/epidemiology"."""
    return f"{score.metric}/{score.part}" if score.part else score.metric


def has_figure(score: Score) -> bool:
    """Whether a score is more than that a part of a metric does not apply."""
    return score.value is not None or not score.part


def scored(results: Results, listed: Container[str]) -> list[Result]:
    """The scores over all items of some measures."""
    scores = (one for one in results.scores if one.score.by == ALL)
    return [one for one in scores if measure_of(one.score) in listed]


@dataclass(frozen=True)
class Measures:
    """The metrics of a table: the paper's under its titles, then the run's others."""

    titles: dict[str, str]
    """Of each measure, in order."""
    paper: dict[str, str]
    """Of each that the paper's table has, the name of the metric."""
    changed: frozenset[str]
    """Those of the paper's that were run with options."""


def measures(results: Results, paper: Mapping[str, str]) -> Measures:
    """The paper's metrics by name with their titles, each as the run calls it, then the others.

    Of several of one name that with default options is the paper's. A metric stands for its parts
    where it has a figure of its own.
    """
    first: dict[str, Score] = {}
    for one in results.scores:
        if one.score.by == ALL:
            first.setdefault(measure_of(one.score), one.score)
    choices = {label: results.named("metric", label) for label in results.values("metric")}
    titles: dict[str, str] = {}
    named: dict[str, str] = {}
    for name, title in paper.items():
        same = [choice for choice in choices.values() if choice.name == name]
        # Another metric may be called by its name: that one is not the paper's.
        absent = f"({name})" if name in choices else name
        label = min(same, key=lambda one: bool(one.options)).label if same else absent
        titles[label] = title if label in (name, absent) else f"{title} ({label})"
        named[label] = name
    for measure, score in first.items():
        if not score.part or score.metric not in first:
            unit = " %" if score.unit == "share" else f", {score.unit}"
            arrow = "↑" if score.better == "higher" else "↓"
            titles.setdefault(measure, f"{measure}{unit} {arrow}")
    changed = (label for label in named if label in choices and choices[label].options)
    return Measures(titles, named, frozenset(changed))


def standing(results: Results) -> str:
    """The end of a title: whether the stand-in made all of it, some, or nothing."""
    if not results.stand_in:
        return ""
    return f" ({STAND_IN if results.all_stand_in else PARTLY})"


def run_notes(results: Results) -> Iterator[str]:
    """What could not be made, and who filled each role."""
    stages = results.manifest["stages"].items()
    lost = {name: sum(cell["failed"] for cell in stage["cells"]) for name, stage in stages}
    words = ", ".join(f"{name} {count}" for name, count in lost.items() if count)
    yield f"items that could not be made: {words or 'none'}"
    for role in results.manifest["roles"]:
        label, backbone = role["label"], role["backbone"]
        yield f"{role['role']}: {label}" + ("" if label == backbone else f" ({backbone})")


def difference_notes(chosen: Sequence[Result]) -> Iterator[str]:
    """How to read differences."""
    yield "first minus second, on what both have; 95 % intervals"
    tests = sum(one.score.p_value is not None for one in chosen)
    if tests:
        yield (
            "+b -c of n: of the n that both were asked, only the first was right on b and only the "
            "second on c; then (b - c)/n in per cent, with Bonett and Price's interval"
        )
        yield (
            "p: exact two-sided McNemar test, how often b and c would lie so far apart by chance; "
            f"{tests} tests here, and no p is corrected for their number: of twenty where nothing "
            "differs, one may well fall below 0.05"
        )


def listing(title: str, results: Sequence[Result]) -> Grid:
    """Scores over all items one below the other, with the factors that any has.

    Notes say once for each metric what pins its meaning, and why a part has no figure.
    """
    whole = [one for one in results if one.minus is None and one.score.by == ALL]
    pins: dict[tuple[str, Cell], str] = {}
    for one in whole:
        pins.setdefault((one.score.metric, one.cell), one.score.signature)
    pinned = {f"{metric}: {pin}": None for (metric, _), pin in pins.items() if pin}
    lacking = [one.score for one in whole if not has_figure(one.score)]
    notes = {f"{measure_of(one)}: {note}": None for one in lacking for note in one.notes}
    shown = [one for one in whole if has_figure(one.score)]
    factors = list(dict.fromkeys(name for one in shown for name in one.cell))
    columns = (*map(str.capitalize, factors), "Metric", "Value", "95 % interval", "n", "missing")
    rows = tuple((*map(one.get, factors), *_figures(one.score)) for one in shown)
    return Grid(title, (*columns, "Note"), rows, (*notes, *pinned))


def _figures(score: Score) -> tuple[str, ...]:
    value = "n/a" if score.value is None else f"{score.value:.4f}"
    interval = ""
    if score.interval is not None:
        interval = f"[{score.interval.low:.4f}, {score.interval.high:.4f}]"
    notes = "; ".join((*score.notes, *("stand-in",) * score.stand_in))
    return (measure_of(score), value, interval, str(score.n), str(score.n_missing), notes)
