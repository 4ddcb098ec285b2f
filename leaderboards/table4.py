"""Table 4 of the paper: dialogues with patients, for each interaction and format of the record."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import ClassVar

from bench.api.table import Grid
from bench.report import pivot
from bench.report.page import Chart
from bench.report.pivot import MEASURE, Axis, Beside, Measures, Pivot, Place
from bench.report.results import Results
from bench.report.text import number
from leaderboards.denominators import percentage, share_of
from leaderboards.paper_figures import interview_figure

PAPER = {
    "dialogue-consistency": ("dialogue consistency % ↑", "dialogue_consistency_pct"),
    "emotional-consistency": ("emotional consistency, 1-7 ↑", "emotional_consistency_7pt"),
    "fluency": ("conversational fluency, 1-7 ↑", "conversational_fluency_7pt"),
}
"""The paper's metrics: title, and row of its file."""
FORMATS = {"json": "JSON", "text": "plain text", "atomic": "atomic facts"}
INTERACTIONS = {
    "single-with": "single, with update",
    "single-without": "single, without update",
    "cross-without": "cross, without update",
    "cross-with": "cross, with update",
}
ANSWERS = {"single-with": 780, "cross-without": 1560, "cross-with": 1560}
"""Answers behind a figure of the paper: 60 patients, 13 questions, one round or two."""


class Table4:
    """Table 4: how consistent dialogues are, the paper's figure beside each of ours."""

    preset: ClassVar[Path] = Path(__file__).parent / "presets" / "table4.yaml"

    def grids(self, results: Results) -> Sequence[Grid]:
        """The table, the differences, and what the paper's table does not have."""
        dialogues = results.of("dialogues")
        known, main = _main(dialogues)
        others = pivot.scored(dialogues, known.titles.keys() - known.paper.keys())
        further = replace(main, chosen=others)
        grids = [main.grid("Table 4", [*_notes(dialogues, main)])]
        for factor in ("format", "method", "backbone"):
            title = f"Table 4, paired differences between {factor}s"
            grids += main.apart(factor).grids(title)
        grids.append(further.grid("Table 4, further metrics", [*further.score_notes()]))
        return [grid for grid in grids if grid.rows] or grids[:1]

    def charts(self, results: Results) -> Sequence[Chart]:
        """One for each metric."""
        dialogues = results.of("dialogues")
        known, main = _main(dialogues)
        return replace(main, chosen=pivot.scored(dialogues, known.titles)).charts(MEASURE)


def _main(dialogues: Results) -> tuple[Measures, Pivot]:
    known = pivot.measures(dialogues, {name: title for name, (title, _) in PAPER.items()})
    rows = (
        Axis("backbone", "Backbone"),
        Axis("method", "Method", optional=True),
        Axis("interaction", "Dialogues", INTERACTIONS),
        Axis(MEASURE, "Metric", known.titles),
    )
    chosen = pivot.scored(dialogues, known.paper)
    paper = partial(_paper, known)
    return known, Pivot(dialogues, chosen, rows, Axis("format", titles=FORMATS), paper=paper)


def _paper(known: Measures, place: Place) -> Beside | None:
    _, row = PAPER.get(known.paper.get(place[MEASURE], ""), ("", ""))
    paper = interview_figure(place["interaction"], place["format"], row)
    return None if paper is None else Beside(f"{number(paper, percent='pct' in row, digits=2)}†")


def _notes(dialogues: Results, main: Pivot) -> Iterator[str]:
    yield (
        "† the paper names neither the backbone of its patients nor the judge of consistency "
        "(GPT-4o rated), and gives no rubric: not comparable with ours"
    )
    yield _denominators()
    for stage in dialogues.manifest["stages"].values():
        held = stage.get("settings", {})
        if held.keys() >= {"questions", "triplets", "updating"}:  # the stage may be another's
            yield (
                f"{held['questions']} questions a round; triplets {held['triplets']}; "
                f"update {held['updating']}"
            )
        calls = [
            f"{whose} {counted['calls'] / counted['exchanges']:.2f}"
            for whose, counted in stage.get("counts", {}).items()
            if counted.get("calls")
        ]
        if calls:
            yield f"triplet evaluations for an answer, in calls: {', '.join(calls)}"
    yield (
        "95 % intervals from whole patients drawn again; of shares where fewer than five patients "
        "differ from most, Wilson's (of differences Bonett and Price's) for as many answers as "
        "there are patients"
    )
    yield from _own_talk(dialogues)
    yield from main.score_notes()
    yield from main.ties("format")
    yield from pivot.run_notes(dialogues)


def _denominators() -> str:
    """Which of the paper's shares of answers can be no share of its answers."""
    listed: dict[tuple[str, int], list[str]] = {}
    for interaction, n in ANSWERS.items():
        for form in FORMATS:
            share = interview_figure(interaction, form, "dialogue_consistency_pct")
            printed = f"{100 * (share or 0):.2f}"
            listed.setdefault((share_of(percentage(printed), n), n), []).append(printed)
    misfits = [
        f"{', '.join(those)} are no k/{n}" for (how, n), those in listed.items() if how == "never"
    ]
    misfits += [
        f"{', '.join(those)} k/{n} only cut off, not rounded"
        for (how, n), those in listed.items()
        if how == "cut"
    ]
    return (
        "the paper asks 60 patients 13 questions in one round (780 answers) or two (1,560); of its "
        f"consistencies {'; '.join(misfits)}: it counts something else, and does not say what"
    )


def _own_talk(dialogues: Results) -> Iterator[str]:
    """Who judges or rates what it said itself."""
    roles = dialogues.manifest["roles"]
    patients = {role["backbone"] for role in roles if role["role"] == "patient"}
    for role, does in (("judge", "judge"), ("rater", "rate")):
        for one in roles:
            if one["role"] == role and one["backbone"] in patients:
                if one["stand_in"]:
                    yield f"by construction: the rules answer and {does}, with one knowledge"
                else:
                    named = f"{one['backbone']} {does}s its own talk"
                    yield f"{named}: it is both patient and {role}"
