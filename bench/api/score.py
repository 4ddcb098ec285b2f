"""A figure with everything that makes it checkable."""

from typing import Literal

from pydantic import FiniteFloat

from bench.core.schema import Model

Direction = Literal["higher", "lower"]
ALL = "all"
"""The group of all items."""


class Interval(Model):
    """A confidence interval."""

    low: float
    high: float
    level: float = 0.95
    """Nominal coverage."""
    method: str
    """How it was made, for instance "wilson"."""

    def within(self, ends: tuple[float, float] | None) -> "Interval":
        """The interval without what lies beyond the ends of the scale, if it has any."""
        if ends is None:
            return self
        low, high = max(self.low, ends[0]), min(self.high, ends[1])
        return self.model_copy(update={"low": low, "high": high})


class Score(Model):
    """One part of a metric in one group, or the difference of two such figures."""

    metric: str
    part: str = ""
    """For instance "epidemiology" of accuracy; empty for the metric itself."""
    by: str = ALL
    """What the group is made by: "all", "department", "sex" or "age"."""
    group: str = ALL
    """For instance "Urology"."""
    value: FiniteFloat | None
    """None where nothing could be scored; `notes` says why."""
    unit: str
    better: Direction
    n: int
    """Values behind it; of a difference, the items (or patients) that both sides have."""
    n_missing: int = 0
    """Values planned that could not be had; of a difference, items (or patients) of which one side
    has none."""
    interval: Interval | None = None
    bounds: tuple[float, float] | None = None
    """Value if every missing one were worst and if every one were best."""
    p_value: float | None = None
    """Of a difference of shares: exact McNemar."""
    discordant: tuple[int, int] | None = None
    """Of a difference of shares: items that only the first has, and that only the second has."""
    signature: str = ""
    """What pins its meaning, as in sacrebleu: versions, tokenizer, model, view, pairs."""
    notes: tuple[str, ...] = ()
    """What a reader must know, for instance "by construction"."""
    stand_in: bool = False
    """Whether the embedded stand-in wrote, judged or answered any of it; it never ranks."""
