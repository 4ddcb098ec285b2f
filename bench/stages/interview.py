"""`interview`: dialogues with the patients of a run, by interaction and format (paper 4.3)."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field, model_validator

from bench import agents
from bench.agents.interview import QUESTIONS, Setting, converse
from bench.agents.memory import decompose_record
from bench.agents.patient import REGENERATIONS
from bench.agents.styles import PLANNED, style
from bench.agents.triplets import ENGINES, make_engine
from bench.api.cell import Cell, differing
from bench.api.choice import refuse_twice
from bench.api.context import Context
from bench.api.failure import Failure, guarded
from bench.api.item import About, Items, about
from bench.api.stage import GROWS, Scope, Stage, StageCard, StageSettings, Trial, one_apart
from bench.core.concurrency import ordered_map
from bench.core.errors import UserError
from bench.core.registry import FORMATS, nearest
from bench.core.schema import Model
from bench.records.dialogue import Dialogue
from bench.records.dialogue_files import transcript
from bench.records.record import PatientRecord
from bench.runs.roles import GENERATOR, spread

DEALT = 10
"""Patients of a department in the paper, whose styles are dealt over all departments."""
TRIED = 2
"""Patients whose dialogues a plan tries."""
OURS = "atomic"
"""The format that the others are compared with: the paper's own."""
_HERE = Path(agents.__file__).parent
PROMPTS = (*sorted(_HERE.glob("*.j2")), _HERE / "styles.yaml")
"""What doctor, patient and labeller are told."""


class Interaction(Model):
    """How often a patient is seen, and whether memory is updated."""

    name: str
    """What tables call it."""
    rounds: int = Field(ge=1)
    update: bool


USUAL = {
    "single-with": Interaction(name="single-with", rounds=1, update=True),
    "single-without": Interaction(name="single-without", rounds=1, update=False),
    "cross-with": Interaction(name="cross-with", rounds=2, update=True),
    "cross-without": Interaction(name="cross-without", rounds=2, update=False),
}
"""The paper's, and the fourth."""


def _interaction(value: object) -> object:
    """One of the usual by name, or a mapping with a name, a number of rounds and `update`."""
    if isinstance(value, str):
        if value not in USUAL:
            known = ", ".join(USUAL)
            raise ValueError(f"{value!r} is none of {known}; others are {{name, rounds, update}}")
        return USUAL[value]
    return value


class InterviewSettings(StageSettings):
    """The section `interview` of an experiment file."""

    patients_per_department: Annotated[int, GROWS] = Field(default=DEALT, gt=0)
    """The first so many records of each department are interviewed, as far as there are."""
    questions: int = Field(default=QUESTIONS, gt=0)
    """Questions of each round."""
    formats: Annotated[tuple[str, ...], GROWS] = Field(default=("json", "text", OURS), min_length=1)
    """How the patients hold their records; each is interviewed with every one."""
    interactions: Annotated[
        tuple[Annotated[Interaction, BeforeValidator(_interaction)], ...], GROWS
    ] = Field(
        default=(USUAL["single-with"], USUAL["cross-without"], USUAL["cross-with"]), min_length=1
    )
    """Rounds and memory update; each patient is interviewed in every one."""
    triplets: str = "batched"
    """Triplet engine: "batched", "per-fact" or "nli/MODEL"."""
    updating: Literal["strict", "algorithm"] = "strict"
    """What memory update means: a new fact is neutral to all, or contradicts none."""
    decomposition: Literal["rules", "model"] = "rules"
    """Who takes a record apart into facts: rules by its fields, or the patient's model."""
    styles: tuple[str, ...] = Field(default=PLANNED, min_length=1)
    """Styles dealt to the patients in turn, over all departments, the same for every format."""

    @model_validator(mode="after")
    def _told_apart(self) -> "InterviewSettings":
        refuse_twice("interview.formats", list(self.formats))
        refuse_twice("interview.styles", list(self.styles))
        refuse_twice("interview.interactions", [one.name for one in self.interactions])
        return self


class Interview(Stage):
    """Every patient in every interaction, with every format of its record."""

    card: ClassVar[StageCard] = StageCard(
        name="interview",
        summary="Dialogues of a doctor agent with a patient agent that holds a record.",
        makes="dialogues",
        takes="records",
        roles={"patient": GENERATOR, "doctor": "patient", "triplets": "patient"},
        prompts=PROMPTS,
    )
    settings = InterviewSettings
    flags: ClassVar[Mapping[str, str]] = {
        "patients": "patients_per_department",
        "triplet-engine": "triplets",
    }
    item = Dialogue

    own: InterviewSettings

    def __init__(self, settings: InterviewSettings, scope: Scope) -> None:
        """Find every style, format and engine, before anything is asked.

        Raises:
            UserError: naming the first that there is not, with the nearest.
        """
        super().__init__(settings, scope)
        for name in settings.styles:
            style(name)
        for form in settings.formats:
            FORMATS.load(form)
        engine = settings.triplets
        if engine not in ENGINES and not engine.startswith("nli/"):
            raise UserError(
                f"there is no triplet engine {engine!r}{nearest(engine, list(ENGINES))}"
            )
        self._interactions = {one.name: one for one in settings.interactions}
        self._calls: dict[str, Counter[str]] = {}

    def cells(self, given: Sequence[Cell]) -> Sequence[Cell]:
        """Interactions first, then formats."""
        own = (
            cell.and_(interaction=interaction, format=form)
            for cell in given
            for interaction in self._interactions
            for form in self.own.formats
        )
        return list(spread(own, self.card.roles, self.scope.roles))

    def asks(self, cell: Cell) -> Sequence[str]:
        """The labeller only where memory is updated, by a model."""
        local = self.own.triplets.startswith("nli/")
        labelled = self._interactions[cell["interaction"]].update and not local
        return tuple(self.card.roles) if labelled else ("patient", "doctor")

    def ready(self, context: Context) -> None:
        """Load a local labeller.

        Raises:
            UserError: if it cannot be had.
        """
        updated = any(one.update for one in self._interactions.values())
        if updated and self.own.triplets.startswith("nli/"):
            make_engine(self.own.triplets, context)

    def setting(self, cell: Cell, place: int) -> Setting:
        """How the patient of a place, over all departments, is interviewed in a cell."""
        interaction = self._interactions[cell["interaction"]]
        of = (value for name, value in cell.items() if name not in ("interaction", "format"))
        return Setting(
            format=cell["format"],
            updating=self.own.updating if interaction.update else "none",
            rounds=interaction.rounds,
            questions=self.own.questions,
            manner={"style": self.own.styles[place % len(self.own.styles)]},
            triplets=self.own.triplets,
            decomposition=self.own.decomposition,
            replicate="/".join(of),
        )

    def patients(self, records: Iterable[PatientRecord]) -> Iterator[tuple[int, PatientRecord]]:
        """The first records of each department, each with its place over the paper's patients.

        A place, so a style, changes neither with the number of patients nor with a record that is
        missing in another department. Departments that nobody planned come last, as they are met.
        """
        counts: Counter[str] = Counter()
        places = {name: number for number, name in enumerate(self.scope.departments)}
        for record in records:
            place = places.setdefault(record.department, len(places))
            if counts[record.department] < self.own.patients_per_department:
                yield place * DEALT + counts[record.department], record
                counts[record.department] += 1

    def expected(self, cell: Cell, given: Mapping[Cell, Items]) -> Iterable[About]:
        """The records that are there, then those that their departments should have had."""
        items = given[_source(cell, given)]
        counts: Counter[str] = Counter()
        for _, record in self.patients(items):
            counts[record.department] += 1
            yield about(record)
        for who, number in items.lacking.items():
            room = self.own.patients_per_department - counts[who.department]
            for _ in range(min(number, max(room, 0))):
                counts[who.department] += 1
                yield who

    async def make(
        self, cell: Cell, given: Mapping[Cell, Items], context: Context
    ) -> AsyncIterator[Dialogue | Failure]:
        """The dialogues in the records' order."""
        counted = self._calls.setdefault(str(cell), Counter())

        async def one(patient: tuple[int, PatientRecord]) -> Dialogue | Failure:
            place, record = patient
            work = converse(record, self.setting(cell, place), context)
            return await guarded(work, record.id, self.card.name)

        patients = self.patients(given[_source(cell, given)])
        async for dialogue in ordered_map(one, patients, context.at_once):
            if isinstance(dialogue, Dialogue):
                counted["exchanges"] += len(dialogue.exchanges())
                counted["calls"] += sum(exchange.calls for exchange in dialogue.exchanges())
            yield dialogue

    def compared(self, cells: Sequence[Cell]) -> Iterable[tuple[Cell, Cell]]:
        """Formats within an interaction, ours minus each other; and methods and backbones."""
        for second, first in one_apart(cells):
            (factor,) = differing(first, second)
            if factor == "interaction":
                continue
            if factor != "format" or OURS not in self.own.formats:
                yield second, first
            elif OURS in (first["format"], second["format"]):
                yield (first, second) if first["format"] == OURS else (second, first)

    def answers(self, cell: Cell) -> int:
        """Of each dialogue."""
        return self._interactions[cell["interaction"]].rounds * self.own.questions

    def describe(self, item: Any, form: str = "text") -> str:
        """A dialogue as it was spoken."""
        return transcript(item)

    def details(self) -> Mapping[str, Any]:
        """How dialogues were held, and by cell their exchanges and triplet evaluations."""
        names = ("questions", "triplets", "updating", "decomposition", "styles")
        own = self.own.model_dump(mode="json", include=set(names))
        counts = {name: dict(counted) for name, counted in self._calls.items()}
        return {"settings": own, "counts": counts}

    async def plan(self, cells: Sequence[Cell], given: Mapping[Cell, Items], trial: Trial) -> None:
        """Hold the dialogues of a few patients. No local labeller is loaded; it asks nobody."""
        local = self.own.triplets.startswith("nli/")
        engine = "batched" if local else self.own.triplets
        stage = Interview(self.own.model_copy(update={"triplets": engine}), self.scope)
        for cell in cells:
            source = _source(cell, given)
            expected = list(self.expected(cell, given))
            few = {source: Items(list(given[source])[:TRIED])}
            dialogues = await trial.run(stage, cell, few, expected, self.asks(cell))
            spare = Counter[str]()
            for dialogue in dialogues:
                spare += _spare(dialogue, engine)
            for role, number in spare.items() if dialogues else ():
                if role in self.asks(cell):
                    trial.again(self, cell, role, number * len(expected) / len(dialogues))


def _source(cell: Cell, given: Iterable[Cell]) -> Cell:
    """The cell whose patients are interviewed."""
    return next(other for other in given if other.within(cell))


def _spare(dialogue: Dialogue, engine: str) -> Counter[str]:
    """Exchanges more by role, if every checked reply were made anew as often as may be."""
    spare: Counter[str] = Counter()
    if dialogue.updating == "none" or dialogue.record is None:
        return spare
    known = len(dialogue.facts or decompose_record(dialogue.record))
    for exchange in dialogue.exchanges():
        left = 1 + REGENERATIONS - len(exchange.attempts)
        spare["patient"] += left
        spare["triplets"] += left * (known if engine == "per-fact" else 1)
        known += len(exchange.learned)
    return spare
