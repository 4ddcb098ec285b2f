"""Table 3 of the paper: accuracy and diversity of three methods, for each backbone."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

from bench.api.table import Grid
from bench.report import pivot
from bench.report.page import Chart
from bench.report.pivot import MEASURE, Axis, Beside, Measures, Pivot, Place
from bench.report.results import Results
from bench.runs.roles import NOBODY
from leaderboards.paper_figures import METHODS, NOT_IN_PAPER, paper_backbone, printed

PAPER = {
    "accuracy": ("Accuracy % ↑", "accuracy_pct"),
    "bleu": ("BLEU ↓", "bleu"),
    "rouge-l": ("ROUGE-L ↓", "rouge_l"),
    "cosine": ("cosine† ↓", "cosine"),
    "gptscore": ("GPTScore† ↓", "gptscore"),
}
"""The paper's metrics: title, and column of its file; †: the paper does not name its model."""
DIGITS = 4


class Table3:
    """Table 3: accuracy and diversity of records, the paper's figure beside each of ours."""

    preset: ClassVar[Path] = Path(__file__).parent / "presets" / "table3.yaml"

    def grids(self, results: Results) -> Sequence[Grid]:
        """The table and the differences."""
        records = results.of("records")
        main = _main(records)
        differences = main.apart("method")
        return [
            main.grid("Table 3", [*_notes(records, main)]),
            *differences.grids("Table 3, paired differences between methods"),
        ]

    def charts(self, results: Results) -> Sequence[Chart]:
        """One for each metric."""
        return _main(results.of("records")).charts(MEASURE)


def _main(records: Results) -> Pivot:
    known = pivot.measures(records, {name: title for name, (title, _) in PAPER.items()})
    chosen = pivot.scored(records, known.titles)
    columns = Axis(MEASURE, titles=known.titles, whole=True)
    paper = partial(_paper, records, known)
    rows = (Axis("backbone", "Backbone"), Axis("method", "Method"))
    return Pivot(records, chosen, rows, columns, paper=paper, digits=DIGITS)


def _paper(records: Results, known: Measures, place: Place) -> Beside | None:
    """The figure of the same backbone, or else another's with its name."""
    title, column = PAPER.get(known.paper.get(place[MEASURE], ""), ("", ""))
    method = records.named("method", place.get("method", NOBODY))
    backbone = paper_backbone(records.named("backbone", place.get("backbone", NOBODY)))
    named = {"backbone": backbone or NOT_IN_PAPER, "method": METHODS.get(method.name, "")}
    figure = printed(3, column, **named)
    if figure is None or method.options:
        return None
    if "†" in title:
        return Beside(f"{figure}†")
    if place[MEASURE] in known.changed:
        return Beside(f"{figure} (not comparable)")
    if backbone is None:
        return Beside(f"{figure} ({NOT_IN_PAPER})")
    return Beside(figure, float(figure) / (100 if column.endswith("_pct") else 1))


def _notes(records: Results, main: Pivot) -> Iterator[str]:
    used = records.values("backbone")
    strangers = [one for one in used if paper_backbone(records.named("backbone", one)) is None]
    strangers = [one for one in strangers if one != NOBODY]
    if strangers:
        yield f"{', '.join(strangers)}: not in the paper, whose {NOT_IN_PAPER} figures stand beside"
    yield "† the paper names neither its embedding model nor its LM: not comparable with ours"
    yield from main.score_notes()
    yield from main.ties("method")
    stages = records.manifest["stages"].values()
    planned = sorted({cell["planned"] for stage in stages for cell in stage["cells"]})
    yield f"{'-'.join(map(str, planned))} cases for each method"
    for stage in stages:
        for whose, count in stage.get("rewritten", {}).items():
            yield f"{whose}: its plausibility check had {count} records written anew"
    yield from pivot.run_notes(records)
