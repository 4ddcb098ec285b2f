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
from leaderboards.paper_figures import printed

PAPER = {
    "dialogue-consistency": ("dialogue consistency % ↑", "dialogue_consistency_pct"),
    "emotional-consistency": ("emotional consistency, 1-7 ↑", "emotional_consistency_7pt"),
    "fluency": ("conversational fluency, 1-7 ↑", "conversational_fluency_7pt"),
}
"""The paper's metrics: title, and row of its file."""
FORMATS = {"json": "JSON", "text": "plain text", "atomic": "atomic facts"}
PAPER_FORMATS = {"json": "json", "text": "plain_text", "atomic": "atomic"}
"""The paper's column of each."""
INTERACTIONS = {
    "single-with": "single, with update",
    "single-without": "single, without update",
    "cross-without": "cross, without update",
    "cross-with": "cross, with update",
}


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
    _, metric = PAPER.get(known.paper.get(place[MEASURE], ""), ("", ""))
    interaction, _, update = place["interaction"].partition("-")
    row = {"interaction": interaction, "memory_update": update, "metric": metric}
    figure = printed(4, PAPER_FORMATS.get(place["format"], ""), **row)
    return None if figure is None else Beside(f"{figure}†")


def _notes(dialogues: Results, main: Pivot) -> Iterator[str]:
    yield (
        "† the paper names neither the backbone of its patients nor the judge of consistency "
        "(GPT-4o rated), and gives no rubric: not comparable with ours"
    )
    yield (
        "the paper's consistencies are no shares of its 780 answers (or 1,560 in two rounds): it "
        "counts something else, and does not say what (docs/notes-on-the-paper.md)"
    )
    for stage in dialogues.manifest["stages"].values():
        held = stage.get("settings", {})
        if held.keys() >= {"questions", "triplets", "updating"}:  # the stage may be another's
            yield (
                f"{held['questions']} questions a round; triplets {held['triplets']}; "
                f"update {held['updating']}"
            )
    yield (
        "95 % intervals from whole patients drawn again; of shares where fewer than five patients "
        "differ from most, Wilson's (of differences Bonett and Price's) for as many answers as "
        "there are patients"
    )
    yield from _own_talk(dialogues)
    yield from main.score_notes()
    yield from main.ties("format")
    yield from pivot.run_notes(dialogues)


def _own_talk(dialogues: Results) -> Iterator[str]:
    """Who judges or rates what it said itself, or rates nothing."""
    roles = dialogues.manifest["roles"]
    patients = {role["backbone"] for role in roles if role["role"] == "patient"}
    for one in roles:
        role, own = one["role"], one["backbone"] in patients
        if one["stand_in"] and role == "rater":
            yield "by construction: the rules rate no dialogue, and give a constant"
        elif role in ("judge", "rater") and own:
            mark = "by construction: " if one["stand_in"] else ""
            yield f"{mark}{one['backbone']} is both patient and {role} of its own talk"
