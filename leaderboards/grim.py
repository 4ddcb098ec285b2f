"""The GRIM test on the paper's tables: which N can stand behind the printed figures.

    python -m leaderboards.grim

A share of N items is k/N with a whole k, and so is a mean of N whole ratings. Printed with so many
decimals, it fits some N and not others (Brown and Heathers 2017, doi:10.1177/1948550616673876):
81.03 % is 47/58 and no k/60. The test is sharp below as many N as the decimals tell values apart
(10,000 for a percentage with two, 100 for a rating with two); above, every N fits. It says which N
can stand behind a figure, not which did. `docs/notes-on-the-paper.md` says what was found.
"""

import math
from collections.abc import Iterable, Sequence
from fractions import Fraction

from bench.api.table import Grid
from bench.report.text import markdown_text
from bench.scoring.intervals import mcnemar
from leaderboards.paper_figures import rows

LIMIT = 300
"""Largest N asked for behind a department of Table 5."""
BASELINE, GENERATED, OURS = "gpt4o", "gpt4o_with_generated", "gpt4o_with_patient_zero"
FORMATS = ("json", "plain_text", "atomic")


def numerator(printed: str, n: int, *, whole: int = 100, cut: bool = False) -> int | None:
    """The least k for which `whole` * k/n is printed so, rounded half up, or None.

    `whole` is 100 for a percentage and 1 for a mean; `cut` takes further digits as cut off instead.
    """
    digit = Fraction(1, 10 ** len(printed.partition(".")[2]))
    low = Fraction(printed) if cut else Fraction(printed) - digit / 2
    k = max(math.ceil(low * n / whole), 0)
    return k if k * whole < (low + digit) * n else None


def fitting(printed: Iterable[str], up_to: int, *, whole: int = 100) -> list[int]:
    """Every N up to a limit that fits all of some figures."""
    figures = tuple(printed)
    return [
        n
        for n in range(1, up_to + 1)
        if all(numerator(figure, n, whole=whole) is not None for figure in figures)
    ]


def smallest(printed: str, n: int | None = None) -> str:
    """The counts behind a percentage at an N, or at the smallest that fits: "47/58"."""
    at = n or next(n for n in range(1, 10_001) if numerator(printed, n) is not None)
    return f"{numerator(printed, at)}/{at}"


def without_common_n() -> list[str]:
    """Departments whose three figures of Table 5 fit no one N up to `LIMIT`."""
    columns = (BASELINE, GENERATED, OURS)
    return [
        row["department"]
        for row in rows(5)
        if not fitting((row[column] for column in columns), LIMIT)
    ]


def methods() -> list[str]:
    """The methods of Table 3."""
    return list(dict.fromkeys(row["method"] for row in rows(3)))


def accuracies(method: str) -> dict[str, str]:
    """A method's accuracies of Table 3, by backbone."""
    return {row["backbone"]: row["accuracy_pct"] for row in rows(3) if row["method"] == method}


def dialogues(unit: str) -> list[str]:
    """Table 4's figures of a unit: "pct" or "7pt"."""
    return [row[form] for row in rows(4) for form in FORMATS if row["metric"].endswith(unit)]


def grids() -> tuple[Grid, ...]:
    """What is found: figures together, then those of Tables 3 and 5 one by one."""
    return _together(), _accuracies(), _departments()


def _together() -> Grid:
    *departments, _ = rows(2)
    groups = [
        ("Table 1, accuracy", [row["accuracy_pct"] for row in rows(1)], 300),
        ("Table 2, accuracy", [share for row in departments for share in [*row.values()][1:]], 300),
        *((f"Table 3, {method}", list(accuracies(method).values()), 3000) for method in methods()),
        ("Table 4, consistency", dialogues("pct"), 1560),
        ("Table 4, ratings", dialogues("7pt"), 99),
    ]
    cells = []
    for title, figures, limit in groups:
        whole = 1 if title.endswith("ratings") else 100
        found = _listed(fitting(figures, limit, whole=whole))
        cells.append((title, str(len(figures)), str(limit), found))
    return Grid("Which N fit", ("Of", "Figures", "Up to", "N that fit all"), tuple(cells))


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "") or "none"


def _accuracies() -> Grid:
    ns = (100, 500, 600)
    cells = []
    for method in methods():
        for backbone, printed in accuracies(method).items():
            at = (smallest(printed, n) if numerator(printed, n) else "no" for n in ns)
            cells.append((method, backbone, printed, smallest(printed), *at))
    heads = ("Method", "Backbone", "Printed", "Smallest k/N", *(f"N = {n}" for n in ns))
    return Grid("Table 3, accuracy", heads, tuple(cells))


def _departments() -> Grid:
    """With the p-value of the trained two if no question went the other way: the least there is."""
    cells = []
    for row in rows(5):
        figures = [row[column] for column in (BASELINE, GENERATED, OURS)]
        n = fitting(figures[1:], LIMIT)[0]
        generated, ours = (numerator(figure, n) or 0 for figure in figures[1:])
        p = mcnemar(ours - generated, 0)
        shown = (f"{figure} = {smallest(figure)}" for figure in figures)
        listed = _listed(fitting(figures, LIMIT))
        cells.append((row["department"], *shown, listed, f"{ours} - {generated} of {n}", f"{p:g}"))
    columns = ("GPT-4o", "with Generated", "with Patient-Zero")
    heads = ("Department", *columns, f"N of all three up to {LIMIT}", "Trained two", "Best case p")
    return Grid("Table 5, accuracy", heads, tuple(cells))


if __name__ == "__main__":
    import typer

    typer.echo("\n".join(map(markdown_text, grids())))
