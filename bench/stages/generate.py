"""`generate`: patient records by every method with every backbone, of the same planned cases."""

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import asdict
from itertools import combinations
from pathlib import Path
from random import Random
from typing import Annotated, Any, ClassVar

from pydantic import Field, model_validator

from bench.api.adapters import as_item, make_generator
from bench.api.cell import Cell
from bench.api.choice import Choice, Choices, refuse_twice
from bench.api.context import Context, nobody
from bench.api.failure import Failure
from bench.api.generator import Generator, subject_of
from bench.api.item import About, Items, age_band, drafts_note
from bench.api.stage import GROWS, Scope, Stage, StageCard, StageSettings, Trial
from bench.backbones.requests import Write
from bench.backbones.rules.writer import write
from bench.core.errors import UserError
from bench.core.registry import FORMATS
from bench.knowledge.cases import Case, plan
from bench.knowledge.library import Library
from bench.records.record import SECTIONS, PatientRecord
from bench.runs.roles import GENERATOR, NOBODY


class GenerateSettings(StageSettings):
    """The section `generate` of an experiment file."""

    cases_per_department: Annotated[int, GROWS] = Field(gt=0)
    """Planned cases of each department."""
    methods: Annotated[Choices, GROWS, Field(min_length=1)]
    """Generators; every one is run with every backbone of the role `generator`."""

    @model_validator(mode="after")
    def _told_apart(self) -> "GenerateSettings":
        labels = [choice.label for choice in self.methods]
        refuse_twice("generate.methods", labels, "; tell them apart with `as:`")
        return self


class Generate(Stage):
    """Records of planned cases. A generator that asks no model runs once, by nobody ("none")."""

    card: ClassVar[StageCard] = StageCard(
        name="generate",
        summary="Patient records of planned cases, by every method with every backbone.",
        makes="records",
        roles={GENERATOR: None},
    )
    settings = GenerateSettings
    flags: ClassVar[Mapping[str, str]] = {
        "cases": "cases_per_department",
        "patients": "cases_per_department",
    }
    item = PatientRecord

    own: GenerateSettings

    def __init__(self, settings: GenerateSettings, scope: Scope) -> None:
        """Find every generator, before anything is asked.

        Raises:
            UserError: for an unknown generator or department.
        """
        super().__init__(settings, scope)
        self.methods: dict[str, Generator] = {
            choice.label: make_generator(choice) for choice in settings.methods
        }
        self.rewritten: Counter[str] = Counter()
        self.written: Counter[str] = Counter()
        self.unknown_disease: Counter[str] = Counter()
        for department in scope.departments:
            scope.outlines.diseases(department)

    def cells(self, given: Sequence[Cell]) -> Sequence[Cell]:
        """What asks nobody first, then every backbone with every method.

        Raises:
            UserError: if a method asks a model and none is named, or one has a name that is taken.
        """
        named = [choice.label for choice in self.scope.roles.get(GENERATOR, ())]
        if NOBODY in named:
            raise UserError(f"no backbone can be called {NOBODY!r}: that is what asks no model")
        asking = any(GENERATOR in generator.card.needs for generator in self.methods.values())
        if asking and not named:
            raise nobody(GENERATOR)
        return [
            Cell(backbone=backbone, method=method)
            for backbone in (NOBODY, *named)
            for method, generator in self.methods.items()
            if (GENERATOR in generator.card.needs) == (backbone != NOBODY)
        ]

    def asks(self, cell: Cell) -> Sequence[str]:
        """The roles that the method names."""
        return self.methods[cell["method"]].card.needs

    def _cases(self) -> Iterator[Case]:
        scope = self.scope
        each = self.own.cases_per_department
        return plan(scope.outlines, scope.departments, each, scope.seed)

    def expected(self, cell: Cell, given: Mapping[Cell, Items]) -> Iterable[About]:
        """The planned cases, of a method that follows them."""
        if self.methods[cell["method"]].card.paired:
            yield from map(_about, self._cases())

    async def make(
        self, cell: Cell, given: Mapping[Cell, Items], context: Context
    ) -> AsyncIterator[PatientRecord | Failure]:
        """The records in case order; one that is not planned, or stands twice, is a failure."""
        generator = self.methods[cell["method"]]
        cases = Handout(self._cases(), paired=generator.card.paired)
        records: Any = generator.generate(cases, context)
        async with aclosing(records):
            async for record in records:
                yield self._taken(record, cases, cell)

    def _taken(self, given: Any, cases: "Handout", cell: Cell) -> PatientRecord | Failure:
        """A record of a case that waits for one; whatever else it is, a failure."""
        item = as_item(given, PatientRecord, self.card.name)
        if isinstance(item, Failure):
            cases.failed(item.item)
            return item
        record: PatientRecord | Failure = cases.taken(item, self.card.name)
        if isinstance(record, PatientRecord):
            self._count(record, cell)
        return record

    def _count(self, record: PatientRecord, cell: Cell) -> None:
        """What is to be said of a cell's records; of those that a model wrote to a plan, more."""
        card, name = self.methods[cell["method"]].card, str(cell)
        if record.origin and record.origin.rewritten:
            self.rewritten[name] += 1
        if card.paired and card.needs:
            self.written[name] += 1
            disease = record.disease_information.disease
            if self.scope.outlines.listing(disease) is None:
                self.unknown_disease[name] += 1

    def compared(self, cells: Sequence[Cell]) -> Iterable[tuple[Cell, Cell]]:
        """Every method after the earlier ones of its backbone, and those that ask nobody."""
        paired = [cell for cell in cells if self.methods[cell["method"]].card.paired]
        backbones = dict.fromkeys(cell["backbone"] for cell in paired)
        order = list(self.methods)
        for backbone in backbones:
            together = [cell for cell in paired if cell["backbone"] in (NOBODY, backbone)]
            together.sort(key=lambda cell: order.index(cell["method"]))
            for first, second in combinations(together, 2):
                if backbone in (first["backbone"], second["backbone"]):
                    yield second, first

    def levels(self) -> Mapping[str, Mapping[str, Choice]]:
        """The generators behind the labels."""
        return {"method": {choice.label: choice for choice in self.own.methods}}

    def describe(self, item: Any, form: str = "text") -> str:
        """A record in a format."""
        return str(FORMATS.make(form, {}).render(item))

    def prompts(self) -> Iterator[tuple[str, Path]]:
        """The template files of the methods, with whose they are."""
        for label, generator in self.methods.items():
            yield from ((label, path) for path in generator.card.prompts)

    def details(self) -> Mapping[str, Any]:
        """By cell, how many records a plausibility check had written anew, and in how many the
        disease has a name that the knowledge does not know."""
        return {"rewritten": dict(self.rewritten), "unknown_disease": dict(self.unknown_disease)}

    def notes(self, cell: Cell) -> Sequence[str]:
        """On which unapproved drafts the cases rest; how many diseases have an unknown name."""
        scope, each = self.scope, self.own.cases_per_department
        planned = (
            listing
            for department in scope.departments
            for listing in scope.outlines.diseases(department)[:each]
        )
        drafts = drafts_note(sorted(listing.id for listing in planned if listing.draft))
        name = str(cell)
        if not self.unknown_disease[name]:
            return drafts
        count = f"{self.unknown_disease[name]} of {self.written[name]}"
        unknown = f"in {count} records the disease has a name that the knowledge does not know"
        return (*drafts, unknown)

    def plan_of(self, identity: str) -> Mapping[str, Any]:
        """The planned case of an id."""
        case = next((case for case in self._cases() if case.id == identity), None)
        return {} if case is None else asdict(case)

    async def plan(self, cells: Sequence[Cell], given: Mapping[Cell, Items], trial: Trial) -> None:
        """Write a few cases of each department; what asks no model is not started for a plan."""
        each = min(self.own.cases_per_department, max(2, trial.few // len(self.scope.departments)))
        smaller = Generate(self.own.model_copy(update={"cases_per_department": each}), self.scope)
        for cell in cells:
            expected = [_about(case) for case in self._cases()]
            if cell["backbone"] != NOBODY:
                await trial.run(smaller, cell, given, expected)
                continue
            cases = smaller._cases()
            trial.made(cell, [_stand_in(case, self.scope.outlines) for case in cases], expected)


def _about(case: Case) -> About:
    """What is known of a case before its record is there."""
    return About(case.id, "", case.department, case.gender, age_band(case.age))


def _stand_in(case: Case, outlines: Library) -> PatientRecord:
    """A record by the rules: its text is about as long as another would be."""
    request = Write(wanted=SECTIONS, subject=subject_of(case))
    sections = write(request, outlines, Random(case.seed))
    return PatientRecord.compose(dict(sections), id=case.id, department=case.department)


class Handout:
    """Hands out the cases, and knows which of them are still without a record.

    A paired generator holds no more cases than it works on at once; of an unpaired one every id
    is kept, to find one that stands twice.
    """

    def __init__(self, cases: Iterable[Case], *, paired: bool) -> None:
        """Nothing is handed out yet."""
        self._cases = cases
        self._paired = paired
        self._open: set[str] = set()
        self._seen: set[str] = set()

    def __iter__(self) -> Iterator[Case]:
        """The cases, for the generator."""
        for case in self._cases:
            self._open.add(case.id)
            yield case

    def failed(self, identity: str) -> None:
        """No record of the case is to come."""
        self._open.discard(identity)

    def taken(self, record: PatientRecord, stage: str) -> PatientRecord | Failure:
        """The record, or the failure that its id makes of it."""
        reason = ""
        if self._paired and record.id not in self._open:
            reason = f"no planned case is waiting for a record {record.id!r}"
        if not self._paired and record.id in self._seen:
            reason = f"a second record {record.id!r}"
        if reason:
            return Failure(item=record.id, stage=stage, outcome="invalid", reason=reason)
        self._open.discard(record.id)
        if not self._paired:
            self._seen.add(record.id)
        return record
