"""Table 4 of the paper: dialogues with patients, for each interaction and format of the record."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import Any, ClassVar

from bench.api.metric import Difference, Score
from bench.report.page import Chart, Point, html_page
from bench.report.tables import Grid, Named, Result, Results, Value, csv_text, markdown_text
from leaderboards.cells import (
    bound_cells,
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
from leaderboards.paper_figures import interview_figure, share_of

DIGITS = 2
"""As the paper prints its ratings."""
REASON = 120
"""Characters of a cell's reason at most."""
FORMATS = {"json": "JSON", "text": "plain text", "atomic": "atomic facts"}
INTERACTIONS = {
    "single-with": "single, with update",
    "single-without": "single, without update",
    "cross-without": "cross, without update",
    "cross-with": "cross, with update",
}
ANSWERS = {"single-with": 780, "cross-without": 1560, "cross-with": 1560}
"""Answers behind a figure of the paper: 60 patients, 13 questions, one round or two."""
CSV_COLUMNS = (
    "backbone",
    "interaction",
    "format",
    "metric",
    "value",
    "ci_low",
    "ci_high",
    "ci_method",
    "bound_low",
    "bound_high",
    "n",
    "n_missing",
    "paper_value",
    "comparable",
    "stand_in",
    "signature",
    "notes",
)
DIFFERENCE_COLUMNS = (
    "backbone",
    "interaction",
    "first",
    "second",
    "metric",
    "value",
    "ci_low",
    "ci_high",
    "ci_method",
    "n_shared",
    "p_mcnemar",
    "stand_in",
)


@dataclass(frozen=True)
class Line:
    """One metric of the table."""

    metric: str
    """What the experiment calls it."""
    title: str
    paper: str | None = None
    """Its row in the paper's file; none if the paper's table has no such metric."""
    percent: bool = False


PAPER = (
    Line("dialogue-consistency", "dialogue consistency % ↑", "dialogue_consistency_pct", True),
    Line("emotional-consistency", "emotional consistency, 1-7 ↑", "emotional_consistency_7pt"),
    Line("fluency", "conversational fluency, 1-7 ↑", "conversational_fluency_7pt"),
)
"""The paper's own."""


def lines_of(results: Results) -> tuple[Line, ...]:
    """The paper's metrics, each as the run calls it, then whatever else scored the dialogues."""
    lines: list[Line] = []
    for line in PAPER:
        found = results.metric(line.metric)
        if found is not None:
            aside = "" if found.label == found.name else f" ({found.label})"
            lines.append(Line(found.label, f"{line.title}{aside}", line.paper, line.percent))
    known = {line.metric for line in lines}
    for result in results.results:
        score = result.score
        if _place(result.method) is not None and score.metric not in known:
            known.add(score.metric)
            lines.append(_further(score))
    return tuple(lines)


def _further(score: Score) -> Line:
    share = score.unit == "share"
    unit = " %" if share else f", {score.unit}"
    arrow = "↑" if score.better == "higher" else "↓"
    return Line(score.metric, f"{score.metric}{unit} {arrow}", percent=share)


def _place(method: Named) -> tuple[str, str] | None:
    """Interaction and format of dialogues; none for anything else."""
    interaction, _, form = method.label.partition("/")
    return (interaction, form) if interaction in INTERACTIONS and form in FORMATS else None


class Table4:
    """Ours with intervals, the paper's figure beside each, and the formats' paired differences."""

    name: ClassVar[str] = "table4"
    preset: ClassVar[Path] = Path(__file__).parent / "presets" / "table4.yaml"

    def grids(self, results: Results) -> tuple[Grid, ...]:
        """The table, the differences, and what no model was needed to see."""
        talks = results.of("dialogues")
        grids = (_main(talks), _differences(talks), _further_grid(talks))
        return tuple(grid for grid in grids if grid.rows)

    def files(self, results: Results) -> dict[str, str]:
        """table4.csv, table4_differences.csv, table4.md and the page table4.html."""
        grids, talks = self.grids(results), results.of("dialogues")
        return {
            "table4.csv": csv_text(CSV_COLUMNS, _csv_rows(talks)),
            "table4_differences.csv": csv_text(DIFFERENCE_COLUMNS, _difference_rows(talks)),
            "table4.md": "\n".join(markdown_text(grid) for grid in grids),
            "table4.html": html_page(results.name, grids, list(_charts(talks))),
        }


def _blocks(results: Results) -> Iterator[tuple[Named, str]]:
    """Each backbone with each interaction that was held, in the paper's order."""
    held = {(backbone, _place(method)) for backbone, method in results.systems()}
    for backbone in results.backbones:
        for interaction in INTERACTIONS:
            if any((backbone, (interaction, form)) in held for form in FORMATS):
                yield backbone, interaction


def _found(
    results: Results, backbone: Named, interaction: str, form: str, line: Line
) -> Result | None:
    return results.find(backbone.label, f"{interaction}/{form}", line.metric)


def _forms(results: Results) -> list[str]:
    places = [_place(method) for method in results.methods]
    return [form for form in FORMATS if any(place and place[1] == form for place in places)]


def _main(results: Results) -> Grid:
    notes = tuple(_notes(results))
    return _grid(results, f"Table 4{standing(results)}", _listed(results), notes)


def _further_grid(results: Results) -> Grid:
    """What the paper's table does not have."""
    lines = [line for line in lines_of(results) if line.paper is None]
    return _grid(results, f"Table 4, further metrics{standing(results)}", lines, ())


def _listed(results: Results) -> list[Line]:
    return [line for line in lines_of(results) if line.paper is not None]


def _grid(results: Results, title: str, lines: list[Line], notes: tuple[str, ...]) -> Grid:
    forms = _forms(results)
    rows = tuple(
        (
            backbone.label,
            INTERACTIONS[interaction],
            line.title,
            *(_cell(results, backbone, interaction, form, line) for form in forms),
        )
        for backbone, interaction in _blocks(results)
        for line in lines
    )
    heads = ("Backbone", "Dialogues", "Metric", *(FORMATS[form] for form in forms))
    return Grid(title, heads, rows, notes)


def _cell(results: Results, backbone: Named, interaction: str, form: str, line: Line) -> str:
    """Ours with its interval over the paper's figure."""
    result = _found(results, backbone, interaction, form, line)
    ours = "not asked for" if result is None else _shown(result.score, line)
    ours = starred(results, result) + ours
    paper = interview_figure(interaction, form, line.paper)
    if paper is None:
        return ours
    return f"{ours}\npaper: {number(paper, percent=line.percent, digits=DIGITS)}†"


def _shown(score: Score, line: Line) -> str:
    """A value with its interval, what is missing of it, and why where there is none."""
    lines = ["n/a"]
    if score.value is not None:
        value = number(score.value, percent=line.percent, digits=DIGITS)
        lines = [value + bracketed(score.interval, percent=line.percent, digits=DIGITS)]
    if score.n_missing:
        lines.append(f"n {score.n}, {score.n_missing} missing")
        if score.value is not None and score.bounds is not None:
            ends = (number(end, percent=line.percent, digits=DIGITS) for end in score.bounds)
            lines.append(f"bounds {' to '.join(ends)}")
    if score.value is None and score.notes:
        lines.append(shorten(score.notes[-1], REASON, placeholder=" ..."))
    return "\n".join(lines)


def _compared(results: Results) -> Iterator[tuple[str, tuple[str, str, str], Difference]]:
    """Differences within an interaction: backbone, interaction with both formats, difference."""
    for backbone, difference in results.differences:
        places = [label.partition("/") for label in (difference.first, difference.second)]
        (interaction, _, first), (other, _, second) = places
        if interaction == other and interaction in INTERACTIONS:
            yield backbone, (interaction, first, second), difference


def _differences(results: Results) -> Grid:
    """Each pair of formats within an interaction, for the metrics that can be compared."""
    found: dict[tuple[str, str, str, str], dict[str, Difference]] = {}
    compared: set[str] = set()
    couples: dict[tuple[str, str], None] = {}
    for backbone, (interaction, first, second), difference in _compared(results):
        found.setdefault((backbone, interaction, first, second), {})[difference.metric] = difference
        compared.add(difference.metric)
        couples[first, second] = None
    blocks = [(backbone.label, interaction) for backbone, interaction in _blocks(results)]
    compared_lines = [line for line in lines_of(results) if line.metric in compared]

    def cells(block: tuple[str, str], line: Line) -> Iterator[str]:
        for couple in couples:
            difference = found.get((*block, *couple), {}).get(line.metric)
            yield _difference(results, block[0], difference, line)

    rows = tuple(
        (block[0], INTERACTIONS[block[1]], line.title, *cells(block, line))
        for block in blocks
        for line in compared_lines
    )
    named = (f"{FORMATS[first]} - {FORMATS[second]}" for first, second in couples)
    title = f"Table 4, paired differences between formats{standing(results)}"
    notes = ("on the patients both have; 95 % intervals as above",)
    return Grid(title, ("Backbone", "Dialogues", "Metric", *named), rows, notes)


def _difference(results: Results, backbone: str, difference: Difference | None, line: Line) -> str:
    if difference is None:
        return "n/a"
    star = starred(results, *_sides(results, backbone, difference))
    value = signed(difference.value, percent=line.percent, digits=DIGITS)
    interval = bracketed(difference.interval, percent=line.percent, digits=DIGITS)
    return f"{star}{value}{interval}"


def _sides(results: Results, backbone: str, difference: Difference) -> list[Result | None]:
    sides = (difference.first, difference.second)
    return [results.find(backbone, side, difference.metric) for side in sides]


def _difference_rows(results: Results) -> Iterator[list[Value]]:
    for backbone, place, difference in _compared(results):
        yield [
            backbone,
            *place,
            difference.metric,
            difference.value,
            *interval_cells(difference.interval),
            difference.n,
            difference.p_value,
            any(side and side.stand_in for side in _sides(results, backbone, difference)),
        ]


def _csv_rows(results: Results) -> Iterator[list[Value]]:
    for backbone, interaction in _blocks(results):
        for line in lines_of(results):
            for form in FORMATS:
                result = _found(results, backbone, interaction, form, line)
                if result is not None:
                    yield _csv_row(result, interaction, form, line)


def _csv_row(result: Result, interaction: str, form: str, line: Line) -> list[Value]:
    score, paper = result.score, interview_figure(interaction, form, line.paper)
    return [
        result.backbone.label,
        interaction,
        form,
        score.metric,
        score.value,
        *interval_cells(score.interval),
        *bound_cells(score.bounds),
        score.n,
        score.n_missing,
        paper,
        False,
        result.stand_in,
        score.signature,
        "; ".join(score.notes),
    ]


def _notes(results: Results) -> Iterator[str]:
    yield (
        "† the paper names neither the backbone of its patients nor the judge of consistency "
        "(GPT-4o rated), and gives no rubric: not comparable with ours"
    )
    yield from _denominators()
    yield from _settings(results)
    yield (
        "95 % intervals from whole patients drawn again; of shares where fewer than five patients "
        "differ from most, Wilson's (of differences Bonett and Price's) for as many answers as "
        "there are patients"
    )
    yield from _by_construction(results)
    yield from score_notes(results, sum(1 for _ in results.systems()))
    yield from _ties(results)
    yield f"failures: {failure_words(results)}"
    yield from role_notes(results)


def _denominators() -> Iterator[str]:
    """Which of the paper's shares of answers can be no share of its answers."""
    never: dict[int, list[str]] = {}
    cut: dict[int, list[str]] = {}
    for interaction, n in ANSWERS.items():
        for form in FORMATS:
            share = interview_figure(interaction, form, PAPER[0].paper)
            if share is not None:
                kind = share_of(100 * share, n)
                for wanted, found in (("never", never), ("cut", cut)):
                    if kind == wanted:
                        found.setdefault(n, []).append(f"{100 * share:.2f}")
    said = [f"{', '.join(found)} are no k/{n}" for n, found in never.items()]
    said += [f"{', '.join(found)} k/{n} only cut off, not rounded" for n, found in cut.items()]
    if said:
        yield (
            "the paper asks 60 patients 13 questions in one round (780 answers) or two (1,560); "
            f"of its consistencies {'; '.join(said)}: it counts something else, and does not say "
            "what"
        )


def _settings(results: Results) -> Iterator[str]:
    """How the dialogues were held."""
    talks = [method for method in results.methods if _place(method) is not None]
    if not talks:
        return
    options: dict[str, Any] = json.loads(talks[0].options or "{}")
    yield (
        f"{options.get('questions')} questions a round; triplets {options.get('triplets')}; "
        f"update {options.get('updating')}"
    )
    calls = [
        f"{whose} {counted['calls'] / counted['exchanges']:.2f}"
        for whose, counted in results.manifest.get("dialogues", {}).items()
        if counted["calls"]
    ]
    if calls:
        yield f"triplet evaluations for an answer, in calls: {', '.join(calls)}"


def _by_construction(results: Results) -> Iterator[str]:
    alike = {role["role"] for role in results.manifest["roles"] if role["stand_in"]}
    if "patient" in alike:
        for role, does in (("judge", "judge"), ("rater", "rate")):
            if role in alike:
                yield f"by construction: the rules answer and {does}, with one knowledge"
    filled: dict[tuple[str, str], None] = {
        (role["backbone"], role["role"]): None
        for role in results.manifest["roles"]
        if not role["stand_in"]
    }
    for role, does in (("judge", "judges"), ("rater", "rates")):
        for backbone, named in filled:
            if named == role and (backbone, "patient") in filled:
                yield f"{backbone} {does} its own talk: it is both patient and {role}"


def _ties(results: Results) -> Iterator[str]:
    forms = _forms(results)
    for backbone, interaction in _blocks(results):
        for line in _listed(results):
            found = [_found(results, backbone, interaction, form, line) for form in forms]
            values = [None if result is None else result.score.value for result in found]
            if len(values) > 1 and None not in values and len(set(values)) == 1:
                where = f"{backbone.label}, {INTERACTIONS[interaction]}"
                yield f"{where}: the formats tie on {line.metric}, so it says nothing about them"


def _charts(results: Results) -> Iterator[Chart]:
    mark = " (stand-in)" if results.all_stand_in else ""
    for line in lines_of(results):
        yield Chart(line.title + mark, tuple(_points(results, line)))


def _points(results: Results, line: Line) -> Iterator[Point]:
    scale = 100 if line.percent else 1
    blocks = list(_blocks(results))
    several = len({backbone for backbone, _ in blocks}) > 1
    for backbone, interaction in blocks:
        for form in FORMATS:
            result = _found(results, backbone, interaction, form, line)
            if result is None or result.score.value is None:
                continue
            interval = result.score.interval
            label = f"{interaction} {form}"
            label = f"{backbone.label} {label}" if several else label
            yield Point(
                label=starred(results, result) + label,
                value=scale * result.score.value,
                low=scale * interval.low if interval else None,
                high=scale * interval.high if interval else None,
            )
