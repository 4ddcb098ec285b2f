"""The stage `exam` (paper section 4.4): students answer the same questions.

One student for each department, trained on that department's records alone, as the departments of
Agent Hospital (arXiv 2405.02957) are; its memory grows record by record, in their order. A method's
figure is that of its students together. Every student gets a question in the same words, so that
answers differ by what memory shows and by nothing else.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any, ClassVar

from bench import students
from bench.api.cell import Cell
from bench.api.context import Context
from bench.api.failure import Failure, guarded
from bench.api.item import About, Items
from bench.api.stage import Scope, Stage, StageCard, Trial
from bench.core.atomic import write_text
from bench.core.concurrency import ordered_map
from bench.core.errors import UserError
from bench.core.schema import Model
from bench.medqa.question import Question
from bench.runs.roles import GENERATOR, spread
from bench.stages.exam.classes import Pool, deal, pool_of
from bench.stages.exam.questions import read_test
from bench.stages.exam.settings import ExamSettings
from bench.students.answer import ROLE, Answered, answer, choose
from bench.students.experience import Experience
from bench.students.training import Training, train

ZERO_SHOT = "zero-shot"
"""The method of a student who practised on nothing."""
PATIENTS = "patients"
"""The factor that tells after how many patients of each department a student is asked."""
UNTRAINED = "0"
REPLICATE = "exam"
"""Of the questions, alike for all students: the same words are one exchange."""
TRIED = 6
"""Test questions that a plan tries."""
PRACTICE = 2
"""Practice questions of a record, mostly."""
WRONG = 0.5
"""Share of practice questions taken to be answered wrong: each costs a rule and two more tries."""
TOKENS_OF_WORD = 1.4
"""Tokens of a word of memory, roughly."""
Taught = Mapping[str, Training | Failure]
"""What the student of each department learned, or why there is none."""


class Exam(Stage):
    """Questions to students: untrained, after each point of the curve, and at the end."""

    card: ClassVar[StageCard] = StageCard(
        name="exam",
        summary="Answers of doctor agents to MedQA questions, untrained and trained on records.",
        makes="answers",
        takes="records",
        roles={ROLE: GENERATOR},
        prompts=tuple(sorted(Path(students.__file__).parent.glob("*.j2"))),
    )
    settings = ExamSettings
    flags: ClassVar[Mapping[str, str]] = {"medqa": "questions"}
    item = Answered

    own: ExamSettings

    def __init__(self, settings: ExamSettings, scope: Scope) -> None:
        """Read the questions, and know them by their digest.

        Raises:
            UserError: if they cannot be read, are others than the digest says, or none belongs to
                the departments.
        """
        self.test = read_test(settings, scope.departments)
        # Points that are never come to are not written down: a file that names them is refused.
        curve = tuple(point for point in settings.curve if point <= settings.cases)
        found_out: dict[str, Any] = {"digest": self.test.digest, "curve": curve}
        if settings.questions and Path(settings.questions).exists():
            found_out["questions"] = str(Path(settings.questions).absolute())
        super().__init__(settings.model_copy(update=found_out), scope)
        self._pools: list[Pool] = []
        self._sizes: Mapping[str, int] = {}
        """Patients of each department that students practise on."""
        self._trainings: dict[Cell, asyncio.Task[Taught]] = {}
        """By cell, the number of patients left out: all points of a curve have one."""
        self._taught: dict[Cell, Taught] = {}
        """What came of those that are done."""
        self._pins: dict[Cell, tuple[str, str]] = {}
        self._cells: list[Cell] = []

    def cells(self, given: Sequence[Cell]) -> Sequence[Cell]:
        """For each backbone the untrained student, then those of each method along the curve."""
        if any(cell.get("method") == ZERO_SHOT for cell in given):
            raise UserError(f"no method can be called {ZERO_SHOT!r}: the untrained student is")
        points = [point for point in sorted(self.own.curve) if point < self.own.cases]
        backbones = dict.fromkeys(cell.without("method") for cell in given)
        cells: list[Cell] = []
        for backbone in backbones:
            cells.append(_untrained(backbone, given))
            for cell in given:
                if cell.without("method") == backbone:
                    cells += [cell.and_({PATIENTS: str(n)}) for n in (*points, self.own.cases)]
        self._cells = list(spread(cells, (ROLE,), self.scope.roles))
        return self._cells

    def expected(self, cell: Cell, given: Mapping[Cell, Items]) -> Iterable[About]:
        """Every question; none at a point that not all students have come to."""
        if self._reached(cell):
            for department, questions in self.test.questions.items():
                yield from (About(question.id, "", department) for question in questions)

    def ready(self, context: Context) -> None:
        """Load the encoder, and see that the student can answer by letters if it is to.

        Raises:
            UserError: if there is none, or the student cannot.
        """
        context.encoder()
        if self.own.answering == "letters":
            context.role(ROLE).scoring()

    async def prepare(self, given: Mapping[Cell, Items], context: Context) -> None:
        """Choose the patients, the same for every method."""
        # At once, which is much faster than one by one.
        await context.encoder().embed([question.question for question in self.test.all])
        for cell, items in given.items():
            pool = await pool_of(cell, items, self.own, self.test, context)
            self._pools.append(pool)
            _keep(context, cell, "suspects", pool.suspects)
        self._sizes = deal(self._pools, self.own.cases, list(self.test.questions))

    def _pool(self, cell: Cell) -> Pool:
        """The records that the students of a cell are taught by."""
        return next(pool for pool in self._pools if pool.cell.within(cell))

    async def make(
        self, cell: Cell, given: Mapping[Cell, Items], context: Context
    ) -> AsyncIterator[Answered | Failure]:
        """The answers, department by department; what training lost comes with the last."""
        self._pins[cell] = context.role(ROLE).pinned, context.encoder().signature
        taught = await self._learn(cell, context)
        if cell[PATIENTS] == str(self.own.cases):
            for failure in _lost(taught):
                yield failure
        if not self._reached(cell):
            return
        known = {
            name: learned.experience.after(int(cell[PATIENTS]))
            if isinstance(learned, Training)
            else learned
            for name, learned in taught.items()
        }
        places = [
            (question, name, known.get(name, Experience()))
            for name, questions in self.test.questions.items()
            for question in questions
        ]

        async def one(place: tuple[Question, str, Experience | Failure]) -> Answered:
            return await answer(*place, self.own.limits, context, REPLICATE, self.own.answering)

        async for given_answer in ordered_map(one, places, context.at_once):
            yield given_answer

    async def _learn(self, cell: Cell, context: Context) -> Taught:
        """What a cell's students learned, trained if they are not yet."""
        trained = cell.without(PATIENTS)
        if cell[PATIENTS] == UNTRAINED:
            return {}
        if trained not in self._trainings:
            self._trainings[trained] = asyncio.create_task(self._train(trained, context))
        return await self._trainings[trained]

    async def _train(self, cell: Cell, context: Context) -> Taught:
        """Train the students of all departments, side by side."""
        pool = self._pool(cell)

        async def one(name: str) -> Training | Failure:
            records = pool.patients[name]
            if not records:
                return pool.nobody(name)
            condition = "/".join(cell.values())
            work = train(
                records,
                context,
                self.own.limits,
                seed=self.scope.seed,
                condition=condition,
                answering=self.own.answering,
            )
            return await guarded(work, name, self.card.name)

        taught: dict[str, Training | Failure] = {}
        names = list(pool.patients)
        with context.watch.stage(f"training: {cell}", len(names)) as step:
            async for learned in ordered_map(one, names, context.at_once):
                taught[names[len(taught)]] = learned
                step(failed=isinstance(learned, Failure))
        known = [learned for learned in taught.values() if isinstance(learned, Training)]
        _keep(context, cell, "steps", [step for training in known for step in training.steps])
        entries = [entry for training in known for entry in training.experience.entries]
        _keep(context, cell, "memory", entries)
        self._taught[cell] = taught
        return taught

    def _reached(self, cell: Cell) -> bool:
        """Whether all students have practised on as many patients as the cell says."""
        if cell[PATIENTS] in (UNTRAINED, str(self.own.cases)):
            return True
        point = int(cell[PATIENTS])
        return all(
            isinstance(learned, Training) and point < learned.practised
            for learned in self._taught.get(cell.without(PATIENTS), {}).values()
        )

    def compared(self, cells: Sequence[Cell]) -> Iterable[tuple[Cell, Cell]]:
        """Students at the end, each after the earlier ones of its backbone, untrained first."""
        final = {UNTRAINED, str(self.own.cases)}
        ends = [cell for cell in cells if cell[PATIENTS] in final]
        for first, second in combinations(ends, 2):
            if first.without("method", PATIENTS) == second.without("method", PATIENTS):
                yield second, first

    def signature(self, cell: Cell) -> str:
        """The questions, the student, and how it was trained."""
        own = self.own
        student, encoder = self._pins[cell]
        parts = [f"set:{self.test.digest[:12]}", f"options:{self.test.options}"]
        parts.append(f"student:{student}")
        parts.append(f"answering:{own.answering}")
        if cell[PATIENTS] == UNTRAINED:
            return "|".join((*parts, "cases:0"))
        numbers = {len(records) for records in self._pool(cell).patients.values() if records}
        parts += [
            f"cases:{'-'.join(map(str, sorted(numbers)))}",
            f"k:{own.k_cases}+{own.k_rules}",
            f"words:{own.budget}",
            f"guard:{'yes' if own.guard else 'no'}",
            f"encoder:{encoder}",
        ]
        return "|".join(parts)

    def notes(self, cell: Cell) -> Sequence[str]:
        """What is to be said of the questions, and of students that are not there."""
        notes = list(self.test.notes)
        taught = self._taught.get(cell.without(PATIENTS), {}).values()
        lost = [learned.reason for learned in taught if isinstance(learned, Failure)]
        if lost:
            notes.append(f"no student: {'; '.join(lost)}")
        if not self._reached(cell):
            notes.append(f"not all departments have a student after {cell[PATIENTS]} patients")
        return notes

    def details(self) -> Mapping[str, Any]:
        """The questions, the patients, and what training came to, by cell."""
        return {
            "set": self.test.described,
            "patients": self._sizes,
            "settings": self.own.model_dump(
                mode="json", exclude={"questions", "labels", "digest", "roles"}
            ),
            "training": {
                str(cell): {"factors": dict(cell), **self._counts(cell, taught)}
                # In the cells' order, whichever training ended first.
                for cell in dict.fromkeys(cell.without(PATIENTS) for cell in self._cells)
                if (taught := self._taught.get(cell))
            },
        }

    def _counts(self, cell: Cell, taught: Taught) -> dict[str, int]:
        known = [learned for learned in taught.values() if isinstance(learned, Training)]
        totals = Counter(Training().count())
        for learned in known:
            totals.update(learned.count())
        return {
            "patients": sum(learned.practised for learned in known),
            **totals,
            "records near a test question": len(self._pool(cell).suspects),
        }

    def describe(self, item: Answered, form: str = "text") -> str:
        """The question with its options, the right one marked, and what the student answered."""
        question = next((one for one in self.test.all if one.id == item.id), None)
        lines = [f"Department: {item.department}"]
        if question is None:
            lines.append("(the questions no longer hold this one)")
        else:
            lines.append(question.question)
            for letter, text in question.options.items():
                lines.append(f"{'*' if question.accepts(letter) else ' '} {letter}. {text}")
        lines.append(f"Answer: {item.letter or 'none'} ({item.outcome})")
        if item.reason:
            lines.append(f"Reasons: {item.reason}")
        if item.retrieved:
            shown = ", ".join(item.retrieved)
            lines.append(f"Shown from memory ({item.words} words): {shown}")
        return "\n".join(lines)

    async def plan(self, cells: Sequence[Cell], given: Mapping[Cell, Items], trial: Trial) -> None:
        """Put some test questions, to which practice questions are much alike; without memory."""
        tried = self.test.all[:TRIED]
        for cell in cells:
            context = trial.context(self, cell)
            for question in tried:
                asked = (question.question, question.options, (), question.id)
                await choose(context.role(ROLE), *asked, self.own.answering)
            exchanges = float(len(self.test.all))
            if cell[PATIENTS] == str(self.own.cases):
                records = next(items for other, items in given.items() if other.within(cell))
                planned = sum(1 for _ in records) + records.missing
                patients = min(planned, len(self.test.questions) * self.own.cases)
                exchanges += patients * PRACTICE * (1 + 3 * WRONG)
            words = 0 if cell[PATIENTS] == UNTRAINED else self.own.budget
            # Each letter's log-probability is an exchange that shows the question and the memory.
            each = self.test.options if self.own.answering == "letters" else 1
            shown = {ROLE: words * TOKENS_OF_WORD * exchanges * each}
            scale = exchanges / len(tried)
            trial.count(self, cell, context, scale, tokens_in=shown, guessed=True)


def _untrained(backbone: Cell, given: Sequence[Cell]) -> Cell:
    """The cell of the untrained student, its factors in the order of the others."""
    factors = next(list(cell) for cell in given if cell.without("method") == backbone)
    if "method" not in factors:
        factors.append("method")
    return Cell({name: backbone.get(name, ZERO_SHOT) for name in factors} | {PATIENTS: UNTRAINED})


def _lost(taught: Taught) -> Iterator[Failure]:
    """What training lost: whole students, and practice questions that were rejected."""
    for learned in taught.values():
        if isinstance(learned, Failure):
            yield learned
            continue
        for step in learned.steps:
            if "error" in (step.outcome, step.rule):
                yield Failure(
                    item=step.record,
                    stage=Exam.card.name,
                    outcome="error",
                    reason=f"practice: {step.reason}",
                    keys=step.keys,
                )


def _keep(context: Context, cell: Cell, kind: str, rows: Sequence[Model]) -> None:
    """Write down what is no item: for each method the steps of its training, its memory, ..."""
    if context.folder is not None:
        text = "".join(f"{row.model_dump_json()}\n" for row in rows)
        write_text(context.folder / cell.path("") / f"{kind}.jsonl", text)
