"""A table as one HTML file that needs nothing else: no script, no font, no request.

All text is escaped by the template engine, so a model's words cannot become markup.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.api.table import Grid
from bench.report.text import printable

TEMPLATE = Path(__file__).with_name("page.html.j2")
WIDTH = 360.0
"""Length of a chart's axis, in SVG units."""
LETTERS = 52
"""Letters of a label for which there is room above its axis; more are pressed together."""


@dataclass(frozen=True)
class Point:
    """One line of a chart."""

    label: str
    value: float
    low: float | None = None
    """Ends of the interval; none where there is no interval."""
    high: float | None = None
    paper: float | None = None
    """The paper's figure; none where it has none."""


@dataclass(frozen=True)
class Chart:
    """Values with their intervals on one axis."""

    title: str
    points: tuple[Point, ...]

    def _known(self) -> list[float]:
        ends = (v for p in self.points for v in (p.value, p.low, p.high, p.paper))
        return [value for value in ends if value is not None]

    @property
    def ends(self) -> tuple[float, float]:
        """First and last value of the axis: those of the data, which no scale ends before."""
        return min(self._known()), max(self._known())

    def place(self, value: float) -> float:
        """Where a value lies on the axis, in SVG units; in the middle where all are alike."""
        low, high = self.ends
        return round(WIDTH * (value - low) / (high - low), 2) if high > low else WIDTH / 2


def html_page(title: str, grids: Sequence[Grid], charts: Sequence[Chart]) -> str:
    """The page of some grids and charts; charts without points are left out."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: printable(value) if isinstance(value, str) else value,
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    shown = [chart for chart in charts if chart.points]
    paper = any(point.paper is not None for chart in shown for point in chart.points)
    sizes = {"width": WIDTH, "letters": LETTERS}
    return template.render(title=title, grids=grids, charts=shown, paper=paper, **sizes)
