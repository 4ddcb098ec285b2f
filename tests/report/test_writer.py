"""The one writer: tables of ours and of strangers, on screen and in files."""

import csv
import io
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bench.api.cell import Cell
from bench.api.score import Score
from bench.api.table import Grid
from bench.core.errors import UserError
from bench.core.registry import TABLES
from bench.report.page import Chart
from bench.report.pivot import MEASURE, Axis, Pivot
from bench.report.results import Result, Results
from bench.report.text import csv_text, markdown_text
from bench.report.writer import grids_of, table_texts, write_texts

EVIL = "<script>alert(1)</script>"


class Plain:
    """Of a stranger, who knows none of ours but the results' names."""

    preset: ClassVar[Path | None] = None

    def grids(self, results: Any) -> list[Any]:
        cells = [(one.cell["method"], str(one.score.value)) for one in results.scores]
        return [Grid(EVIL, ("Method", "Value"), tuple(cells), ("a note",)), Grid("more", (), ())]


class Few:
    """A pivot in a few lines."""

    preset: ClassVar[Path | None] = None

    def grids(self, results: Results) -> list[Grid]:
        return [self._pivot(results).grid("Few")]

    def charts(self, results: Results) -> list[Chart]:
        return self._pivot(results).charts(MEASURE)

    def _pivot(self, results: Results) -> Pivot:
        rows = (Axis("method", "Method"),)
        return Pivot(results, [*results.select("bleu")], rows, Axis(MEASURE), digits=3)


class Own:
    """Files of its own."""

    preset: ClassVar[Path | None] = None

    def grids(self, results: Any) -> list[Any]:
        return []

    def files(self, results: Any) -> dict[str, str]:
        return {"own.csv": "a\n"}


@pytest.fixture(autouse=True)
def tables(monkeypatch: pytest.MonkeyPatch) -> None:
    kinds = {"plain": Plain, "few": Few, "own": Own}
    usual = TABLES.make

    def make(name: str, options: dict[str, Any], *more: Any) -> Any:
        return kinds[name]() if name in kinds else usual(name, options, *more)

    monkeypatch.setattr(TABLES, "make", make)


def results() -> Results:
    score = Score(metric="bleu", value=0.5, unit="similarity", better="lower", n=2)
    cells = (Cell(method="direct"), Cell(method=EVIL))
    found = tuple(Result("generate", cell, score) for cell in cells)
    return Results("r", found, {"roles": [], "stages": {}})


def test_every_table_gives_its_grid_as_csv_markdown_and_page(tmp_path: Path) -> None:
    written = write_texts(tmp_path, table_texts(["plain", "few", "own"], results()))
    assert [path.name for path in written] == [
        *("plain.csv", "plain.md", "plain.html"),
        *("few.csv", "few.md", "few.html"),
        "own.csv",
    ]
    assert (tmp_path / "few.csv").read_text() == f"Method,bleu\ndirect,0.500\n{EVIL},0.500\n"
    page = (tmp_path / "few.html").read_text()
    assert page.count("<circle") == 2
    assert (tmp_path / "plain.md").read_text().count("# ") == 2
    for path in written:
        if path.suffix != ".csv":
            assert EVIL not in path.read_text()


def test_the_screen_shows_the_grids_of_the_files() -> None:
    (grid,) = grids_of("few", results())
    assert grid.rows == (("direct", "0.500"), (EVIL, "0.500"))


def test_a_table_there_is_not_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="table3"):
        write_texts(tmp_path, table_texts(["tabel3"], results()))


def test_foreign_text_is_neutralised() -> None:
    text = csv_text(("a", "b", "c"), [("=1+1", "@x", "-2"), ("-cmd", 'say "hi",\nplease', "+")])
    cells = list(csv.reader(io.StringIO(text)))[1:]
    assert cells == [["'=1+1", "'@x", "'-2"], ["'-cmd", 'say "hi",\nplease', "'+"]]
    assert csv_text(("v",), [(-0.5,), (None,), (True,), (3,)]).splitlines() == [
        "v",
        "-0.500000",
        '""',
        "true",
        "3",
    ]
    shown = markdown_text(Grid("<b>t</b>", ("a|b",), (("x|y\n<script>",),), ("n\\",)))
    assert "<script>" not in shown
    assert "<b>" not in shown
    assert "x\\|y<br>&lt;script&gt;" in shown
