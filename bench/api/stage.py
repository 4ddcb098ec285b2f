"""What a stage is: one step of an experiment, that takes items and makes items.

A stage is one class, named in the entry-point group `pzbench.stages`; its name is its section of
the experiment file. It is made once for a run as `Target(settings, scope)`. It may build on `Stage`
below, or be any class with the same names and import nothing of ours: what it lacks is taken from
there.
"""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import BaseModel

from bench.api.cell import Cell, differing
from bench.api.choice import Choice
from bench.api.item import About, Items, PlainItem
from bench.core.schema import Model
from bench.knowledge.library import Library

if TYPE_CHECKING:
    from bench.api.context import Context

FREE = "free"
"""Annotation of a setting that may change when a run is resumed: it changes no answer."""
GROWS = "grows"
"""Annotation of a setting that may grow: a longer list, a greater number, something for nothing."""


@dataclass(frozen=True)
class StageCard:
    """What a user should know of a stage."""

    name: str
    """Its section of the experiment file."""
    summary: str
    """One sentence: what it makes of what."""
    makes: str
    """The kind of its items, for instance "records"."""
    takes: str | None = None
    """The kind of items it is made from; none for one that begins."""
    roles: Mapping[str, str | None] = field(default_factory=dict)
    """Roles it may ask, each with the role whose backbone stands in where nobody is named."""
    prompts: tuple[Path, ...] = ()
    """Files that say what is asked; their hashes go into the manifest."""


class StageSettings(Model):
    """What the section of every stage may say."""

    roles: dict[str, str] = {}
    """The experiment's role that fills each of the stage's, where it has another name."""


@dataclass(frozen=True)
class Scope:
    """What all stages of an experiment share."""

    seed: int
    departments: tuple[str, ...]
    outlines: Library
    roles: Mapping[str, tuple[Choice, ...]]
    """The backbones named for each role, by the names that the stage has for them."""


class Trial(Protocol):
    """What a stage tells a plan: what making its cells would ask, measured on a few items.

    The stand-in answers in the models' stead, and every exchange is counted by role.
    """

    few: int
    """Items of a cell that are tried, about."""

    async def run(
        self,
        stage: "Stage",
        cell: Cell,
        given: Mapping[Cell, Items],
        expected: Sequence[About],
        roles: Sequence[str] | None = None,
    ) -> Sequence[Any]:
        """Make a few items of a cell, count what they ask, and scale it to all that are expected.

        The items are what later stages and metrics are tried on. `roles` are those counted, if
        they are not all that the stage asks in the cell.
        """
        ...

    def context(self, stage: "Stage", cell: Cell) -> "Context":
        """A context whose backbones count; `count` tells what they were asked."""
        ...

    def count(
        self,
        stage: "Stage",
        cell: Cell,
        context: "Context",
        scale: float,
        *,
        tokens_in: Mapping[str, float] | None = None,
        guessed: bool = False,
    ) -> None:
        """Add what a context's backbones were asked, scaled; and further tokens in, by role."""
        ...

    def again(self, stage: "Stage", cell: Cell, role: str, exchanges: float) -> None:
        """Exchanges that a role may be asked more, if replies are made anew."""
        ...

    def made(self, cell: Cell, items: Sequence[Any], expected: Sequence[About]) -> None:
        """Items of a cell, as a sample of all that are expected."""
        ...


class Stage:
    """One step of an experiment; what is not written here a stage must bring."""

    card: ClassVar[StageCard]
    settings: ClassVar[type[BaseModel]]
    """Model of its section. An annotation says what a resumed run may change: `Annotated[T, FREE]`,
    `Annotated[T, GROWS]`; the others may not."""
    flags: ClassVar[Mapping[str, str]] = {}
    """Options of `pzbench reproduce`: the setting that each sets, for instance {"cases": "cases"}.
    Every other setting has one of its own name, a list of the singular."""
    item: ClassVar[type[BaseModel]] = PlainItem
    """Model of its items; each has an `id`."""

    def __init__(self, settings: Any, scope: Scope) -> None:
        """Made once for a run.

        Raises:
            UserError: for settings that cannot be.
        """
        self.own = settings
        self.scope = scope

    def cells(self, given: Sequence[Cell]) -> Sequence[Cell]:
        """Its cells, from those of the items that it takes: it adds its factors."""
        raise NotImplementedError

    def asks(self, cell: Cell) -> Sequence[str]:
        """The roles it asks in a cell."""
        return tuple(self.card.roles)

    def expected(self, cell: Cell, given: Mapping[Cell, Items]) -> Iterable[About]:
        """The items it means to make in a cell; nothing where that is not known beforehand.

        One that makes an item of each that it is given has `Items.everyone` of those.
        """
        return ()

    def ready(self, context: "Context") -> None:
        """Find out what would stop the stage later, before anything is asked.

        Raises:
            UserError: for instance if a local model is not there.
        """

    async def prepare(self, given: Mapping[Cell, Items], context: "Context") -> None:
        """Whatever is done once, before any cell is made; the items given are all there."""

    def make(
        self, cell: Cell, given: Mapping[Cell, Items], context: "Context"
    ) -> AsyncIterator[Any]:
        """The items of a cell in order, and a `Failure` for each that cannot be made."""
        raise NotImplementedError

    def compared(self, cells: Sequence[Cell]) -> Iterable[tuple[Cell, Cell]]:
        """The cells to compare, the first minus the second: those that differ in one factor."""
        return one_apart(cells)

    def levels(self) -> Mapping[str, Mapping[str, Choice]]:
        """What the values of its factors stand for, where a value is a label; by factor."""
        return {}

    def answers(self, cell: Cell) -> int:
        """Answers planned of each item of a cell; 1 for items that are one answer."""
        return 1

    def signature(self, cell: Cell) -> str:
        """What pins how the items of a cell are made; joins the signatures of their scores."""
        return ""

    def by_stand_in(self, cell: Cell) -> bool:
        """Whether the stand-in made items of a cell elsewhere, in no role of the experiment."""
        return False

    def notes(self, cell: Cell) -> Sequence[str]:
        """What a reader of a cell's scores must know."""
        return ()

    def prompts(self) -> Iterable[tuple[str, Path]]:
        """The files that say what is asked, each with whose it is."""
        return ((self.card.name, path) for path in self.card.prompts)

    def details(self) -> Mapping[str, Any]:
        """What the manifest says of what was made."""
        return {}

    def describe(self, item: Any, form: str = "text") -> str:
        """An item in words, for instance a record in a format; JSON if a stage has no better."""
        data = item.model_dump(mode="json", exclude_none=True)
        return json.dumps(data, indent=2, ensure_ascii=False)

    def plan_of(self, identity: str) -> Mapping[str, Any]:
        """What was planned under an id before anything was made; empty where nothing was."""
        return {}

    async def plan(self, cells: Sequence[Cell], given: Mapping[Cell, Items], trial: Trial) -> None:
        """Tell a trial what making the cells will ask; `given` are a few items of each cell.

        What those lack of all that is planned is in their `lacking`.
        """
        for cell in cells:
            await trial.run(self, cell, given, list(self.expected(cell, given)))


def one_apart(cells: Sequence[Cell]) -> Iterator[tuple[Cell, Cell]]:
    """Each cell with every earlier one from which it differs in one factor."""
    for first, second in combinations(cells, 2):
        if set(first) == set(second) and len(differing(first, second)) == 1:
            yield second, first
