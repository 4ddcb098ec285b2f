"""The one writer of tables: for the screen their grids, in files CSV, Markdown and a page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.api.table import Grid, optional
from bench.core.atomic import write_text
from bench.core.errors import UserError
from bench.core.registry import TABLES, fault_of
from bench.core.text import one_line
from bench.report.page import Chart, html_page
from bench.report.results import Results
from bench.report.text import csv_text, markdown_text


def grids_of(name: str, results: Results) -> Sequence[Grid]:
    """The grids of a table.

    Raises:
        UserError: if there is no such table, or it cannot be made of these results.
    """
    table: Any = TABLES.make(name, {})
    # A table of somebody else's may raise anything; the results are there all the same.
    try:
        grids = table.grids(results)
        if isinstance(grids, Grid | Mapping):
            grids = [grids]
        return [grid if isinstance(grid, Grid) else Grid(**grid) for grid in grids]
    except Exception as error:
        raise _broken(name, error) from error


def table_texts(names: Sequence[str], results: Results) -> dict[str, str]:
    """The files of some tables by name; all of them, before any is written.

    Raises:
        UserError: if there is no such table, or it cannot be made of these results.
    """
    texts: dict[str, str] = {}
    for name in names:
        grids = grids_of(name, results)
        table: Any = TABLES.make(name, {})
        try:
            own = optional(table, "files", results)
            charts = optional(table, "charts", results) or ()
            texts |= _texts(name, grids, charts, results.name) if own is None else own
        except Exception as error:
            raise _broken(name, error) from error
    return texts


def write_texts(folder: Path, texts: Mapping[str, str]) -> list[Path]:
    """Put files in a folder, each whole or not at all, and say which.

    Files of other tables go: one that is asked for no more would keep its old figures.

    Raises:
        UserError: if one cannot be written.
    """
    for name, text in texts.items():
        write_text(folder / name, text)
    for table in TABLES.plugins():
        for name in (f"{table.name}.{kind}" for kind in ("csv", "md", "html")):
            if name not in texts:
                (folder / name).unlink(missing_ok=True)
    return [folder / name for name in texts]


def _texts(
    name: str, grids: Sequence[Grid], charts: Sequence[Chart], title: str
) -> Mapping[str, str]:
    first = {f"{name}.csv": csv_text(grids[0].columns, grids[0].rows)} if grids else {}
    return first | {
        f"{name}.md": "\n".join(map(markdown_text, grids)),
        f"{name}.html": html_page(title, grids, charts),
    }


def _broken(name: str, error: Exception) -> UserError:
    reason = fault_of(error) or one_line(f"{type(error).__name__}: {error}")
    return UserError(
        f"the table {name!r} cannot be made of these results ({reason}): mend it or leave it out; "
        "what was answered is kept"
    )
