"""What a metric is: a class with a `card` and one of three methods; it need import nothing of ours.

- `evaluate(item, context)` says what one item is worth; the score is the mean (`ItemMetric`).
- `kernel(texts, context)` gives the similarity of two texts; the score is the mean over pairs
  (`bench.api.pair_metric.PairMetric` to build on).
- `score(items, context)` gives whole scores itself, for what fits neither: one or several mappings
  with `value` and `n`; `items` in one (value by item id) and `keys` (journal keys by item id) are
  kept as evaluations, and compared between cells.

Options are keyword arguments of the constructor, with defaults. `signature(context)`, where there
is one, says what pins the meaning of the scores.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from bench.api.score import Direction

if TYPE_CHECKING:
    from bench.api.context import Context
    from bench.api.evaluation import Evaluation


UNIT = ("share", "similarity", "probability")
"""Units of values from 0 to 1."""


@dataclass(frozen=True)
class PartCard:
    """A part of a metric that has a score of its own, for instance one section of accuracy."""

    name: str
    """Its name; "" is the metric itself."""
    unit: str = "share"
    better: Direction = "higher"
    range: tuple[float, float] | None = None
    """Least and greatest value: bounds follow from it, and no interval goes beyond. Of a share, a
    similarity and a probability 0 and 1."""
    per: Literal["item", "answer"] = "item"
    """Whether an item has one value, or one for each of its answers."""
    pins: str = ""
    """What else pins its meaning, for the signature."""

    @property
    def ends(self) -> tuple[float, float] | None:
        """Least and greatest value; none where nobody knows."""
        return (0.0, 1.0) if self.range is None and self.unit in UNIT else self.range


@dataclass(frozen=True)
class MetricCard:
    """What a user should know of a metric before running it."""

    name: str
    """Name in tables and on the command line."""
    summary: str
    """One sentence: what it measures, by whose definition."""
    unit: str
    """"share" (0 to 1), "similarity" (0 to 1), "probability", "points" or a unit of its own."""
    better: Direction
    """Which direction is better."""
    needs: tuple[str, ...] = ()
    """Roles it cannot do without, for instance "judge"; each is a factor of its scores."""
    uses: Mapping[str, str] = field(default_factory=dict)
    """Roles without which it gives no value, and what to say then."""
    prompts: tuple[Path, ...] = ()
    """Template files; their hashes go into the manifest."""
    extra: str | None = None
    """Extra of patient-zero-bench that it needs installed."""
    takes: str = "records"
    """The kind of items it scores."""
    range: tuple[float, float] | None = None
    """As for a part."""
    per: Literal["item", "answer"] = "item"
    """As for a part."""
    parts: tuple[PartCard, ...] = ()
    """Its further scores, in order."""
    whole: bool = True
    """Whether there is a figure of the metric itself beside those of its parts."""

    @property
    def roles(self) -> tuple[str, ...]:
        """Every role it asks."""
        return (*self.needs, *self.uses)

    @property
    def every_part(self) -> tuple[PartCard, ...]:
        """The metric itself, then its parts."""
        own = PartCard("", self.unit, self.better, self.range, self.per)
        return (own, *self.parts) if self.whole else self.parts


class ItemMetric(Protocol):
    """The mean over items of what `evaluate` gives."""

    card: ClassVar[MetricCard]

    async def evaluate(self, item: Any, context: "Context") -> "Evaluation":
        """What an item is worth: a number, an `Evaluation`, or a mapping of one's fields.

        What it raises is this item's failure and no more.

        Raises:
            bench.core.errors.UserError: the run cannot go on.
        """
        ...
