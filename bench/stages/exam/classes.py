"""Who is practised on: the same planned patients for every method.

One that a method failed on, or whose record is nearly a test question, is left out for every
method, and a later one takes its place as long as there is one. A method that has no patient of a
department left has no student there, and the others go on without it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench.api.cell import Cell
from bench.api.context import Context
from bench.api.failure import Failure
from bench.api.item import Items
from bench.records.record import PatientRecord
from bench.stages.exam.questions import TestSet
from bench.stages.exam.settings import ExamSettings
from bench.students.contamination import Suspect, guard, without

RESERVE = 2
"""Records read for each that is trained on: what is there to replace those left out."""
Class = Mapping[str, Sequence[PatientRecord] | Failure]
"""The patients to practise on, by department, or why there are none."""


@dataclass
class Pool:
    """The records of one cell that may be trained on."""

    cell: Cell
    paired: bool
    """Whether they are of planned patients."""
    counts: Mapping[str, int]
    """Records by department, as far as they were looked at."""
    kept: dict[str, list[PatientRecord]] = field(default_factory=dict)
    """By department, in their order."""
    suspects: list[Suspect] = field(default_factory=list)

    def nobody(self, department: str) -> Failure:
        """Why there is no patient to practise on."""
        if self.kept[department]:
            reason = "none of its records is of a patient that the other methods have, too"
        elif self.counts[department]:
            reason = (
                f"all {self.counts[department]} records are nearly test questions: see "
                "suspects.jsonl"
            )
        else:
            reason = "there are no records"
        return Failure(
            item=department,
            stage="exam",
            outcome="error",
            reason=f"nobody of {department} to practise on: {reason}",
        )


async def pool_of(
    cell: Cell, items: Items, exam: ExamSettings, test: TestSet, context: Context
) -> Pool:
    """The first records of a cell's departments, without those that are nearly questions."""
    taken: dict[str, list[PatientRecord]] = {name: [] for name in test.questions}
    for record in items:
        several = taken.get(record.department)
        if several is not None and len(several) < RESERVE * exam.cases:
            several.append(record)
    counts = {name: len(records) for name, records in taken.items()}
    pool = Pool(cell, items.planned, counts)
    for name, records in taken.items():
        suspects = await guard(records, test.all, context)
        pool.suspects += suspects
        pool.kept[name] = without(records, suspects) if exam.guard else records
    return pool


def classes_of(pools: Sequence[Pool], exam: ExamSettings, test: TestSet) -> Mapping[Cell, Class]:
    """The same patients for all that follow the plan, and as many for the others."""
    classes: dict[Cell, dict[str, Sequence[PatientRecord] | Failure]]
    classes = {pool.cell: {} for pool in pools}
    for name in test.questions:
        able = [pool for pool in pools if pool.kept[name]]
        planned = [{record.id for record in pool.kept[name]} for pool in able if pool.paired]
        shared = set.intersection(*planned) if planned else set()
        able = [pool for pool in able if not pool.paired or shared]
        kept = {
            pool.cell: [
                record for record in pool.kept[name] if not pool.paired or record.id in shared
            ]
            for pool in able
        }
        size = min((exam.cases, *map(len, kept.values())))
        for pool in pools:
            own = kept.get(pool.cell)
            classes[pool.cell][name] = own[:size] if own else pool.nobody(name)
    return classes


def sizes(classes: Mapping[Cell, Class]) -> dict[str, int]:
    """Patients of each department; all cells that have any have as many."""
    counts: Counter[str] = Counter()
    for own in classes.values():
        counts |= Counter({name: len(one) for name, one in patients(own).items()})
    return {name: counts[name] for name in next(iter(classes.values()), {})}


def patients(own: Class) -> dict[str, Sequence[PatientRecord]]:
    """The departments that have somebody to practise on."""
    return {name: records for name, records in own.items() if not isinstance(records, Failure)}
