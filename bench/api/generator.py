"""What a generator is, and what most of them share.

A generator is one class with a `card` and either `write`, which makes the record of one case, or
`generate`, which yields those of all; a plug-in needs to import nothing of ours.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import TYPE_CHECKING, Protocol

from bench.api.failure import Failure, guarded
from bench.backbones.prompt import Doubtful, OffPlan
from bench.backbones.requests import Subject
from bench.core.concurrency import ordered_map
from bench.core.text import folded
from bench.knowledge.cases import Case
from bench.knowledge.library import Library
from bench.records.record import BasicSections, PatientRecord

if TYPE_CHECKING:
    from bench.api.context import Context

NAMED = 100
"""Most characters of a stated disease that a fault repeats."""


@dataclass(frozen=True)
class GeneratorCard:
    """What a user should know of a generator before running it."""

    name: str
    """Name in tables and on the command line."""
    summary: str
    """One sentence: how it makes records, by whose description."""
    needs: tuple[str, ...] = ("generator",)
    """Roles it asks."""
    paired: bool = True
    """Whether it follows the planned cases, one record each; else it gets no paired test."""
    prompts: tuple[Path, ...] = ()
    """Template files; their hashes go into the manifest."""


class Writer(Protocol):
    """Writes each case on its own; many are written side by side.

    Options are keyword arguments of the constructor, with defaults.
    """

    @property
    def card(self) -> GeneratorCard:
        """What a user should know of it."""
        ...

    async def write(self, case: Case, context: "Context") -> PatientRecord:
        """The record of one case; whatever it raises is that case's failure."""
        ...


class Generator(Protocol):
    """Yields a record or a failure for each case, in case order.

    Options are keyword arguments of the constructor, with defaults.
    """

    @property
    def card(self) -> GeneratorCard:
        """What a user should know of it."""
        ...

    def generate(
        self, cases: Iterable[Case], context: "Context"
    ) -> AsyncIterator[PatientRecord | Failure]:
        """The records of the cases, one after the other."""
        ...


def subject_of(case: Case) -> Subject:
    """What a writer is told of a case."""
    return Subject(
        department=case.department, disease=case.disease, gender=case.gender, age=case.age
    )


def plan_check(case: Case, outlines: Library) -> Callable[[BasicSections], None]:
    """A prompt's check: are the sections of the planned patient, with the planned disease?

    It raises `OffPlan` for another gender, another age in years, or a disease that the knowledge
    knows as another one; `Doubtful` for a disease whose name the knowledge does not know.
    """

    planned = outlines.listing(case.disease)

    def check(sections: BasicSections) -> None:
        who = sections.basic_information
        stated = sections.disease_information.disease.strip(" .")
        listing = outlines.listing(stated)
        faults = []
        if other_patient := (who.gender, who.age) != (case.gender, case.age):
            faults.append(
                f"the patient is to have gender {case.gender} and age {case.age}, and the answer "
                f"has gender {who.gender} and age {who.age}"
            )
        same = listing and planned and listing.id == planned.id
        if not same and folded(stated) != folded(case.disease):
            faults.append(
                f"the disease is to be {case.disease!r}, named exactly so, and the answer names "
                f"{shorten(stated, NAMED)!r}, "
                + ("which is another" if listing else "which is not known to be the same")
            )
        if faults:
            raise (OffPlan if other_patient or listing else Doubtful)("; ".join(faults))

    return check


@dataclass
class EachCase:
    """A writer as a generator: many cases at once, in case order, a failing one a `Failure`."""

    writer: Writer
    card: GeneratorCard

    async def generate(
        self, cases: Iterable[Case], context: "Context"
    ) -> AsyncIterator[PatientRecord | Failure]:
        """The records of the cases, one after the other."""

        async def attempt(case: Case) -> PatientRecord | Failure:
            return await guarded(self.writer.write(case, context), case.id, self.card.name)

        async for made in ordered_map(attempt, cases, context.at_once):
            yield made
