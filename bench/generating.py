"""What a generator is, and what most of them share.

A generator is one class with a `card` and a `generate`; a plug-in needs to import nothing of ours.
One that writes each case on its own can hand its `write` to `each_case`.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bench.backbones.tasks import Subject
from bench.failure import Failure, guarded
from bench.flow import ordered_map
from bench.knowledge.cases import Case
from bench.records.record import PatientRecord

if TYPE_CHECKING:
    from bench.context import Context


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
    calls: int = 1
    """Exchanges for one case, repairs not counted."""
    prompts: tuple[Path, ...] = ()
    """Template files; their hashes go into the manifest."""
    extra: str | None = None
    """Extra of patient-zero-bench that it needs installed."""


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


async def each_case(
    write: Callable[[Case, "Context"], Awaitable[PatientRecord]],
    cases: Iterable[Case],
    context: "Context",
    stage: str,
) -> AsyncIterator[PatientRecord | Failure]:
    """Write the cases side by side, in case order; a case that fails is a `Failure`."""

    async def attempt(case: Case) -> PatientRecord | Failure:
        return await guarded(write(case, context), case.id, stage)

    async for made in ordered_map(attempt, cases, context.at_once):
        yield made
