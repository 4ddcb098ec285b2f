"""What a metric is and what it gives.

A metric is one class with a `card` and an async `score`; a plug-in needs to import nothing of
ours. `bench.scoring.pairs.PairMetric` does everything for a similarity of two texts but the
similarity.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

from pydantic import FiniteFloat

from bench.api.failure import Failure
from bench.core.schema import Model
from bench.records.dialogue import Dialogue
from bench.records.record import PatientRecord
from bench.scoring.intervals import Interval

if TYPE_CHECKING:
    from bench.api.context import Context

Direction = Literal["higher", "lower"]


@dataclass(frozen=True)
class MetricCard:
    """What a user should know of a metric before running it."""

    name: str
    """Name in tables and on the command line."""
    summary: str
    """One sentence: what it measures, by whose definition."""
    unit: str
    """"share" (0 to 1), "similarity" (0 to 1), "probability" or a unit of its own."""
    better: Direction
    """Which direction is better."""
    needs: tuple[str, ...] = ()
    """Roles it cannot do without, for instance "judge"."""
    uses: tuple[str, ...] = ()
    """Roles without which it gives no value and says so."""
    prompts: tuple[Path, ...] = ()
    """Template files; their hashes go into the manifest."""
    extra: str | None = None
    """Extra of patient-zero-bench that it needs installed."""
    takes: Literal["records", "dialogues"] = "records"
    """What it scores: its `score` is given `Items` or `Talks`."""


class Score(Model):
    """A metric's value with everything that makes it checkable."""

    metric: str
    value: FiniteFloat | None
    """None where nothing could be scored; `notes` says why."""
    unit: str
    better: Direction
    n: int
    """Items scored."""
    n_missing: int
    """Items planned that could not be scored."""
    interval: Interval | None
    roles: tuple[str, ...] = ()
    """Roles that were asked, for instance "judge"."""
    signature: str
    """What pins its meaning, as in sacrebleu: versions, tokenizer, model, view, pairs."""
    bounds: tuple[float, float] | None = None
    """Value if every missing item were worst and if every one were best."""
    notes: tuple[str, ...] = ()
    """What a reader must know, for instance "by construction"."""
    departments: dict[str, float] = {}
    """The value within each department."""
    items: dict[str, FiniteFloat] = {}
    """The value of each item by id; for pair metrics its mean with all others."""
    keys: dict[str, tuple[str, ...]] = {}
    """Journal keys of the answers behind each item."""
    failures: tuple[Failure, ...] = ()
    """Items that were there and could not be scored."""


def no_score(
    card: MetricCard,
    items: "Items | Talks",
    note: str,
    *,
    signature: str = "",
    failures: tuple[Failure, ...] = (),
) -> Score:
    """The score of a metric that could score nothing: every item is missing."""
    return Score(
        metric=card.name,
        value=None,
        unit=card.unit,
        better=card.better,
        n=0,
        n_missing=items.missing + sum(1 for _ in items),
        interval=None,
        signature=signature,
        notes=(note,),
        failures=failures,
    )


class Difference(Model):
    """One metric's value for a method minus that for another, on the cases both have."""

    metric: str
    first: str
    second: str
    value: float
    interval: Interval | None
    n: int
    """Cases both have."""
    p_value: float | None = None
    """Exact McNemar p-value, for shares."""
    discordant: tuple[int, int] | None = None
    """For shares: cases that only the first has, and that only the second has."""


@dataclass(frozen=True)
class Items:
    """Records to score; can be iterated again and again."""

    records: Iterable[PatientRecord]
    """A list, or a file reader that starts anew at each iteration."""
    missing: int = 0
    """Records that were planned and failed."""

    def __iter__(self) -> Iterator[PatientRecord]:
        """The records in file order."""
        return iter(self.records)


@dataclass(frozen=True)
class Talks:
    """Dialogues to score; can be iterated again and again."""

    dialogues: Iterable[Dialogue]
    """A list, or a file reader that starts anew at each iteration."""
    missing: int = 0
    """Dialogues that were planned and failed."""
    answers: int = 1
    """Answers planned of each dialogue; 1 where nobody knows."""

    def __iter__(self) -> Iterator[Dialogue]:
        """The dialogues in file order."""
        return iter(self.dialogues)


class Metric(Protocol):
    """Scores what its card says it takes: `Items` or `Talks`.

    Options are keyword arguments of the constructor, with defaults.
    """

    @property
    def card(self) -> MetricCard:
        """What a user should know of it."""
        ...

    async def score(self, items: Any, context: "Context") -> tuple[Score, ...]:
        """The scores of the items (or talks).

        Raises:
            bench.core.errors.UserError: if something it needs is not given or not installed.
        """
        ...


@runtime_checkable
class Compares(Protocol):
    """The optional ability to compare two methods by something better than per-item values."""

    async def compare(
        self, first: Any, second: Any, context: "Context"
    ) -> tuple[float, Interval | None, int] | None:
        """Value of first minus value of second on shared ids, its interval, and their number.

        None where they share too few.
        """
        ...
