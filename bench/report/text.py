"""Text of tables: for the terminal, as CSV and as Markdown; foreign text is shown and never run."""

import csv
import io
import re
from collections.abc import Iterable, Sequence

from bench.api.score import Interval, Score
from bench.api.table import Grid
from bench.core.text import one_line

Value = str | int | float | bool | None
# Those of terminals, and those that turn the direction of text, so that it reads otherwise.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
DIGITS = 6
"""Of a number in a CSV that people read."""


def printable(text: str) -> str:
    r"""Text that is shown and not obeyed: control characters become "\x1b" or "\u202e".

    Line ends and tabs stay.
    """
    return _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)


def csv_text(
    columns: Sequence[str], rows: Iterable[Sequence[Value]], digits: int | None = DIGITS
) -> str:
    """CSV with "\\n" line ends; text that a spreadsheet would run gets a quote mark before it.

    Numbers have so many digits, or all they have.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value, digits) for value in row] for row in rows)
    return out.getvalue()


def _cell(value: Value, digits: int | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(value) if digits is None else f"{value:.{digits}f}"
    if isinstance(value, int):
        return str(value)
    shown = printable(value)
    return f"'{shown}" if _runs(shown) else shown


def _runs(text: str) -> bool:
    """Whether a spreadsheet would run it, or it looks as if quoted against that."""
    return text.lstrip("'").startswith(_FORMULA)


def plain_cell(cell: str | None) -> str:
    """The text behind a cell that `csv_text` wrote."""
    text = cell or ""
    return text[1:] if text.startswith("'") and _runs(text) else text


def markdown_text(grid: Grid) -> str:
    """A grid as Markdown; pipes and angle brackets of foreign text are escaped."""

    def row(cells: Iterable[str]) -> str:
        return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"

    lines = [f"# {_escaped(grid.title)}", "", row(grid.columns)]
    lines.append("|" + "---|" * len(grid.columns))
    lines += [row(cells) for cells in grid.rows]
    if grid.notes:
        lines += ["", *(f"- {_escaped(note)}" for note in grid.notes)]
    return "\n".join(lines) + "\n"


def _escaped(text: str) -> str:
    marked = re.sub(r"([\\|`*_\[\]!#])", r"\\\1", printable(text))
    safe = marked.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "<br>".join(one_line(line) for line in safe.splitlines())


def number(value: float, *, percent: bool, digits: int) -> str:
    """Per cent with two digits, else so many digits; never "-0"."""
    shown = f"{100 * value:.2f}" if percent else f"{value:.{digits}f}"
    return shown.lstrip("-") if float(shown) == 0 else shown


def score_text(
    score: Score, *, digits: int = DIGITS, counted: bool = False, missing: str = ""
) -> str:
    """A score on lines of their own: value, interval, what is missing and the bounds of that.

    Shares are per cent; `counted` puts how many of how many before. `missing` replaces the line
    that says what is missing.
    """
    percent = score.unit == "share"
    lines = ["not scored"]
    if score.value is not None:
        shown = number(score.value, percent=percent, digits=digits)
        count = f"{round(score.value * score.n)}/{score.n} = " if counted else ""
        lines = [count + shown, *_bracketed(score.interval, percent, digits)]
    if score.n_missing:
        lines.append(missing or f"n {score.n}, {score.n_missing} missing")
        if score.value is not None and score.bounds is not None:
            ends = (number(end, percent=percent, digits=digits) for end in score.bounds)
            lines.append(f"bounds {' to '.join(ends)}")
    return "\n".join(lines)


def difference_text(score: Score, *, digits: int = DIGITS) -> str:
    """A difference with its sign and interval; of yes and no also who was right alone, and p."""
    percent = score.unit == "share"
    if score.value is None:
        return "n/a"
    shown = number(score.value, percent=percent, digits=digits)
    signed = shown if shown.startswith("-") else f"+{shown}"
    if score.discordant is not None:
        first, second = score.discordant
        signed = f"+{first} -{second} of {score.n} = {signed}"
    p = [] if score.p_value is None else [f"p = {score.p_value:.2g}"]
    return "\n".join((signed, *_bracketed(score.interval, percent, digits), *p))


def _bracketed(interval: Interval | None, percent: bool, digits: int) -> list[str]:
    """An interval, as a line or none."""
    if interval is None:
        return []
    ends = (number(end, percent=percent, digits=digits) for end in (interval.low, interval.high))
    return [f"[{', '.join(ends)}]"]
