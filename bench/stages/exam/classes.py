"""Who is practised on: the same planned patients for every method.

One that a method failed on, or whose record is nearly a test question, is left out for every
method, and a later one takes its place as long as there is one. A method that has no patient of a
department left has no student there, and the others go on without it.
"""

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


@dataclass
class Pool:
    """The records of one cell that may be trained on, and those that are."""

    cell: Cell
    paired: bool
    """Whether they are of planned patients."""
    counts: Mapping[str, int]
    """Records by department, as far as they were looked at."""
    kept: dict[str, list[PatientRecord]] = field(default_factory=dict)
    """By department, in their order."""
    suspects: list[Suspect] = field(default_factory=list)
    patients: dict[str, Sequence[PatientRecord]] = field(default_factory=dict)
    """Who is practised on, by department; nobody where none is left. `deal` says who."""

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


def deal(pools: Sequence[Pool], cases: int, departments: Sequence[str]) -> dict[str, int]:
    """Give the same patients to all that follow the plan, as many to the others; their numbers."""
    sizes = {}
    for name in departments:
        ids = [{r.id for r in pool.kept[name]} for pool in pools if pool.paired and pool.kept[name]]
        shared = set.intersection(*ids) if ids else set()
        for pool in pools:
            records = pool.kept[name]
            pool.patients[name] = [r for r in records if not pool.paired or r.id in shared]
        lengths = [len(pool.patients[name]) for pool in pools if pool.patients[name]]
        sizes[name] = min(cases, *lengths) if lengths else 0
        for pool in pools:
            pool.patients[name] = pool.patients[name][: sizes[name]]
    return sizes
