"""Mean similarity over all pairs of records: what every diversity metric shares.

Pairs are all unordered pairs within a department; departments weigh the same. A kernel gives the
similarities in blocks, so memory is O(n) for the kernel's own data plus one block.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from bench.api.metric import Items, MetricCard, Score
from bench.records.formats import Text, facts
from bench.records.record import PatientRecord
from bench.scoring.intervals import Interval, PairMoments, macro_pair_mean

if TYPE_CHECKING:
    from bench.api.context import Context

BLOCK = 512
FEW = 10
"""Records of a group below which simulated coverage of the 95 % interval falls under 0.9."""
Matrix = NDArray[np.float64]
View = Literal["full", "values"]
Grouping = Literal["department", "disease", "corpus"]


class Kernel(Protocol):
    """Symmetric similarities of n texts.

    May also have `moments()`, where there is a shorter way to them, and `keys`: for each text the
    journal keys of what a model computed for it.
    """

    def __len__(self) -> int:
        """Number of texts."""
        ...

    def block(self, rows: slice, columns: slice) -> Matrix:
        """Similarities of two runs of texts, shape (len(rows), len(columns)), float64.

        Where both runs are the same, the diagonal is ignored.
        """
        ...


@dataclass(frozen=True)
class MatrixKernel:
    """A kernel held whole, for similarities too dear to compute twice."""

    matrix: Matrix
    keys: tuple[tuple[str, ...], ...] = ()
    """Journal keys behind each text's row, where a model computed it."""

    def __len__(self) -> int:
        """Number of texts."""
        return len(self.matrix)

    def block(self, rows: slice, columns: slice) -> Matrix:
        """A part of the matrix."""
        return self.matrix[rows, columns]


@dataclass(frozen=True)
class KernelDifference:
    """One kernel minus another over the same items."""

    first: Kernel
    second: Kernel

    def __len__(self) -> int:
        """Number of items."""
        return len(self.first)

    def block(self, rows: slice, columns: slice) -> Matrix:
        """The difference of the two blocks."""
        return self.first.block(rows, columns) - self.second.block(rows, columns)


def runs(n: int, length: int = BLOCK) -> Iterator[slice]:
    """Consecutive slices that cover range(n)."""
    for start in range(0, n, length):
        yield slice(start, min(start + length, n))


def moments(kernel: Kernel) -> PairMoments:
    """Row sums and sum of squares of a kernel, upper blocks only: O(n^2) time, O(n) memory."""
    own = getattr(kernel, "moments", None)
    if own is not None:
        given: PairMoments = own()
        return given
    row_sums = np.zeros(len(kernel))
    squares = 0.0
    for rows in runs(len(kernel)):
        for columns in runs(len(kernel)):
            if columns.start < rows.start:
                continue
            block = np.array(kernel.block(rows, columns), dtype=np.float64)
            if columns == rows:
                np.fill_diagonal(block, 0.0)
                squares += float(np.sum(block * block))
            else:
                row_sums[columns] += block.sum(axis=0)
                squares += 2 * float(np.sum(block * block))
            row_sums[rows] += block.sum(axis=1)
    return PairMoments(row_sums=row_sums, sum_of_squares=squares)


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


def signature_of(*parts: str, packages: Sequence[str] = ()) -> str:
    """A signature: parts and package versions joined by bars, as in sacrebleu.

    The build of a package (+cpu, +cu128) is left out: machines differ in it, meanings do not.
    """
    versions = (f"{name}:{version(name).partition('+')[0]}" for name in packages)
    return "|".join([*parts, *versions])


class PairMetric(ABC):
    """A diversity metric: the mean of a symmetric similarity over pairs of records.

    Subclasses name a card and make a kernel of some texts.
    """

    card: ClassVar[MetricCard]

    def __init__(self, *, view: View = "full", pairs: Grouping = "department") -> None:
        """Choose the text compared and the groups within which pairs are taken."""
        self.view: View = view
        self.pairs: Grouping = pairs

    @abstractmethod
    async def kernel(self, texts: Sequence[str], context: "Context") -> Kernel:
        """The similarities of some texts."""

    @abstractmethod
    def method(self, context: "Context") -> tuple[str, ...]:
        """The parts of the signature that say how a similarity is computed, and by which model."""

    def signature(self, context: "Context") -> str:
        """What pins the meaning of the score."""
        return signature_of(
            *self.method(context), f"view:{self.view}", f"pairs:{self.pairs}", "mean:macro"
        )

    def group(self, record: PatientRecord) -> str:
        """The group within which a record is compared."""
        if self.pairs == "department":
            return record.department
        if self.pairs == "corpus":
            return ""
        # What was planned: models write one disease under many names.
        planned = record.origin.disease if record.origin else None
        return (planned or record.disease_information.disease).lower()

    def _groups(self, items: Items) -> dict[str, list[PatientRecord]]:
        groups: dict[str, list[PatientRecord]] = {}
        for record in items:
            groups.setdefault(self.group(record), []).append(record)
        return groups

    async def _kernel(self, records: Sequence[PatientRecord], context: "Context") -> Kernel:
        return await self.kernel([view_text(record, self.view) for record in records], context)

    async def score(self, items: Items, context: "Context") -> tuple[Score, ...]:
        """Macro mean over groups of the mean similarity of their pairs; each group O(n^2)."""
        strata: dict[str, PairMoments] = {}
        means: dict[str, float] = {}
        keys: dict[str, tuple[str, ...]] = {}
        alone = 0
        for name, records in self._groups(items).items():
            if len(records) < 2:
                alone += 1
                continue
            kernel = await self._kernel(records, context)
            strata[name] = await asyncio.to_thread(moments, kernel)
            ids = [record.id for record in records]
            keys.update(zip(ids, getattr(kernel, "keys", ()), strict=False))
            per_record = strata[name].row_sums / (len(records) - 1)
            means.update(zip(ids, per_record.tolist(), strict=True))
        value, interval = macro_pair_mean(list(strata.values())) if strata else (None, None)
        notes: tuple[str, ...] = (f"{alone} group(s) of one record left out",) if alone else ()
        if interval is not None and min(found.n for found in strata.values()) < FEW:
            notes += (f"a group has fewer than {FEW} records: the interval may be too narrow",)
        score = Score(
            metric=self.card.name,
            value=value,
            unit=self.card.unit,
            better=self.card.better,
            n=len(means),
            n_missing=items.missing + alone,
            interval=interval,
            signature=self.signature(context),
            notes=notes if strata else (*notes, "no two records to compare"),
            departments={name: found.mean for name, found in strata.items()},
            items=means,
            keys=keys,
        )
        return (score,)

    async def compare(
        self, first: Items, second: Items, context: "Context"
    ) -> tuple[float, Interval | None, int] | None:
        """Difference of the macro means on shared ids: a U-statistic of the kernels' difference.

        None where no group shares two ids.
        """
        ours, theirs = self._groups(first), self._groups(second)
        strata: list[PairMoments] = []
        n = 0
        for name in (name for name in ours if name in theirs):
            left = {record.id: record for record in ours[name]}
            right = {record.id: record for record in theirs[name]}
            shared = [identity for identity in left if identity in right]
            if len(shared) < 2:
                continue
            n += len(shared)
            a = await self._kernel([left[identity] for identity in shared], context)
            b = await self._kernel([right[identity] for identity in shared], context)
            strata.append(await asyncio.to_thread(moments, KernelDifference(a, b)))
        if not strata:
            return None
        value, interval = macro_pair_mean(strata)
        return value, interval, n
