"""A similarity of two texts as a metric: the mean over all pairs of items within a group.

Pairs are all unordered pairs within a department (or disease, or the corpus); groups weigh the
same. A kernel gives the similarities in blocks, so memory is O(n) for its own data and one block.
Where a similarity is dear, a metric says how many pairs of a group it asks at most (`budget`): of
more, a sample is drawn (`bench.scoring.sampling`), the same for all cells.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol, overload

import numpy as np
from numpy.typing import NDArray

from bench.api.metric import MetricCard
from bench.records.formats import Text, facts
from bench.records.record import PatientRecord

if TYPE_CHECKING:
    from bench.api.context import Context

Matrix = NDArray[np.float64]
Pairs = NDArray[np.int64]
View = Literal["full", "values"]
Grouping = Literal["department", "disease", "corpus"]
BLOCK = 512


class Kernel(Protocol):
    """Symmetric similarities of the n texts of a group.

    May also have `keys`: for each text the journal keys of what a model computed for it; and
    `moments()`, where there is a shorter way to the sums over all pairs.
    """

    def __len__(self) -> int:
        """Number of texts."""
        ...

    def block(self, rows: slice, columns: slice) -> Matrix:
        """Similarities of two runs of texts, shape (len(rows), len(columns)), float64.

        Where the two are the same, the diagonal is ignored.
        """
        ...


@dataclass(frozen=True)
class Texts(Sequence[str]):
    """The texts of one group of a cell."""

    texts: Sequence[str]
    ids: Sequence[str]
    """Id of the item behind each text."""
    pairs: Pairs = field(default_factory=lambda: np.zeros((0, 2), dtype=np.int64))
    """Shape (m, 2): of a metric that has a budget, the places of the pairs wanted, each once."""
    sampled: bool = False
    """Whether those are a sample. A similarity that differs by direction is then wanted one way
    alone, of the second text given the first; of all pairs it is the mean of both."""

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        """A text, or a run of them."""
        return self.texts[index]

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class MatrixKernel:
    """A kernel held whole, for similarities too dear to compute twice."""

    matrix: Matrix
    """Shape (n, n)."""
    keys: Sequence[tuple[str, ...]] = ()
    """Journal keys behind each row, where a model computed it."""

    def __len__(self) -> int:
        """Number of texts."""
        return len(self.matrix)

    def block(self, rows: slice, columns: slice) -> Matrix:
        """A part of the matrix."""
        return self.matrix[rows, columns]


@dataclass(frozen=True)
class ListedKernel:
    """The similarities of those pairs that were wanted; of a metric that has a budget."""

    values: NDArray[np.float64]
    """Shape (m,): in the order of `Texts.pairs`."""
    keys: Sequence[tuple[str, ...]] = ()
    """Journal keys behind each text."""


def runs(first: int, last: int, length: int = BLOCK) -> Iterator[slice]:
    """Consecutive slices that cover range(first, last)."""
    for start in range(first, last, length):
        yield slice(start, min(start + length, last))


def view_text(record: PatientRecord, view: View) -> str:
    """The text of a record that is compared, without id and name.

    `full` is the plain-text format, headings included; `values` only what the fields hold.
    """
    if view == "full":
        return Text().render(record, identity=False)
    shown = (
        f"{fact.label} {fact.value}" if fact.path.startswith("examination") else fact.value
        for fact in facts(record, identity=False)
    )
    return "\n".join(shown)


def group_of(record: PatientRecord, pairs: Grouping) -> str:
    """The group within which a record is compared."""
    if pairs == "department":
        return record.department
    return "" if pairs == "corpus" else record.planned_disease.lower()


def signature_of(*parts: str, packages: Sequence[str] = ()) -> str:
    """A signature: parts and package versions joined by bars, as in sacrebleu.

    The build of a package (+cpu, +cu128) is left out: machines differ in it, meanings do not.
    """
    versions = (f"{name}:{version(name).partition('+')[0]}" for name in packages)
    return "|".join([*parts, *versions])


class PairMetric(ABC):
    """A diversity metric; subclasses name a card and make a kernel of some texts."""

    card: ClassVar[MetricCard]

    def __init__(self, *, view: View = "full", pairs: Grouping = "department") -> None:
        """Choose the text compared and the groups within which pairs are taken."""
        self.view: View = view
        self.pairs: Grouping = pairs

    @abstractmethod
    async def kernel(self, texts: Texts, context: "Context") -> "Kernel | ListedKernel":
        """The similarities of the texts of one group; a metric with a budget lists them."""

    @abstractmethod
    def method(self, context: "Context") -> tuple[str, ...]:
        """The parts of the signature that say how a similarity is computed, and by which model."""

    def signature(self, context: "Context") -> str:
        """What pins the meaning of the score."""
        return signature_of(
            *self.method(context), f"view:{self.view}", f"pairs:{self.pairs}", "mean:macro"
        )
