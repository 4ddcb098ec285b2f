"""The exam of a run: students trained on each method's records answer the same questions.

One student for each department, trained on that department's records alone, as the departments of
Agent Hospital (arXiv 2405.02957) are; its memory grows record by record, in their order. A method's
figure is that of its students together. All methods of a run train on the same planned patients:
one that a method failed on, or whose record is nearly a test question, is left out for every
method, and a later one takes its place as long as there is one. Every student gets a question in
the same words, so that answers differ by what memory shows and by nothing else.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from bench.backbones.asking import Respondent
from bench.context import Context
from bench.errors import UserError
from bench.failure import Failure, guarded
from bench.files import write_text
from bench.flow import ordered_map
from bench.medqa.question import Question
from bench.model import Model
from bench.records.files import RecordFile
from bench.records.record import PatientRecord
from bench.runs.experiment import ZERO_SHOT, Choice, Exam
from bench.runs.folder import NOBODY, Cell, Scored
from bench.runs.grading import Sheet, differences, grade, outcomes
from bench.runs.testset import TestSet
from bench.runs.underway import Run
from bench.scoring import Difference
from bench.training.answering import Answered, answer
from bench.training.choosing import ROLE
from bench.training.contamination import Suspect, guard, without
from bench.training.learning import Learned, train

RESERVE = 2
"""Records read for each that is trained on: what is there to replace those left out."""
TEST = "medqa"
"""Replicate of the questions, alike for all students: the same words are one exchange."""
OUTCOMES = {"refused": "refusal", "invalid": "invalid", "unreachable": "unreachable"}
Classes = Mapping[str, Sequence[PatientRecord]]
"""The patients to practise on, by department."""


def students(run: Run) -> dict[str, Context]:
    """The student for the records of each backbone; none without an exam.

    Raises:
        UserError: if nobody is named and no model wrote the records, or there is no encoder.
    """
    if run.test is None:
        return {}
    run.context.encoder()  # once for all, and its fault before anything is asked
    return {
        label: replace(run.context, roles={**run.context.roles, ROLE: _student(run, writer)})
        for label, writer in run.writers.items()
    }


def _student(run: Run, writer: Choice | None) -> Respondent:
    named = run.context.roles.get(ROLE)
    if named is not None:
        return named
    if writer is None:
        raise UserError(
            "the records are written by no model, so nobody is named for the role 'student': "
            "add --student BACKBONE, or `student:` under `roles` in the experiment file"
        )
    return run.team.engage(ROLE, writer)


@dataclass
class _Pool:
    """The records of one cell that may be trained on."""

    cell: Cell
    paired: bool
    kept: dict[str, list[PatientRecord]] = field(default_factory=dict)
    """By department, in their order."""
    suspects: list[Suspect] = field(default_factory=list)


async def examine(
    run: Run, contexts: Mapping[str, Context], written: Mapping[str, Sequence[str]]
) -> dict[str, list[Difference]]:
    """Train, examine and score all students; the differences between them by backbone.

    `written` are the methods with records by each backbone.

    Raises:
        UserError: if a department has no patient that all methods have.
    """
    exam, test = run.experiment.medqa, run.test
    if exam is None or test is None:
        return {}
    # At once, which is much faster than one by one.
    await run.context.encoder().embed([question.question for question in test.all])
    pools = [
        await _pool(run, Cell(backbone=label, method=name, examined=True), exam, test)
        for label in contexts
        for name in written[label]
    ]
    classes = {pool.cell: found for pool, found in _classes(run, pools, exam, test)}
    run.examined |= {
        "set": test.described(),
        "patients": _sizes(classes),
        "budget": exam.budget,
        "guard": exam.guard,
        "conditions": {},
    }
    alone: dict[str, Sheet] = {}
    found: dict[str, list[Difference]] = {}
    for label, context in contexts.items():
        sitting = _Sitting(run, exam, test, context, {pool.cell: pool for pool in pools})
        untrained = Cell(backbone=label, method=ZERO_SHOT, examined=True)
        own = {ZERO_SHOT: await sitting.hold(untrained, None)}
        for name in written[label]:
            cell = Cell(backbone=label, method=name, examined=True)
            own[name] = await sitting.hold(cell, classes[cell])
        found[label] = list(_compared({ZERO_SHOT: own[ZERO_SHOT], **alone, **own}, own))
        if label == NOBODY:
            alone = {name: sheet for name, sheet in own.items() if name != ZERO_SHOT}
    return found


def _compared(every: Mapping[str, Sheet], own: Mapping[str, Sheet]) -> Iterator[Difference]:
    """Every student against each before it; those of another label only against these."""
    for before, after in combinations(every, 2):
        if {before, after} & set(own):
            yield from differences((after, every[after]), (before, every[before]))


async def _pool(run: Run, cell: Cell, exam: Exam, test: TestSet) -> _Pool:
    """The first records of a cell's departments, without those that are nearly questions."""
    pool = _Pool(cell, run.methods[cell.method].card.paired)
    taken: dict[str, list[PatientRecord]] = {name: [] for name in test.questions}
    for record in RecordFile(run.folder.records(cell.model_copy(update={"examined": False}))):
        several = taken.get(record.department)
        if several is not None and len(several) < RESERVE * exam.cases:
            several.append(record)
    for name, records in taken.items():
        found = await guard(records, test.all, run.context)
        pool.suspects += found
        pool.kept[name] = without(records, found) if exam.guard else records
    _write(run, cell, "suspects", pool.suspects)
    return pool


def _classes(
    run: Run, pools: Sequence[_Pool], exam: Exam, test: TestSet
) -> Iterator[tuple[_Pool, dict[str, Sequence[PatientRecord]]]]:
    """The same patients for all that follow the plan, and as many for the others."""
    shared: dict[str, set[str]] = {}
    sizes: dict[str, int] = {}
    for name in test.questions:
        planned = [{one.id for one in pool.kept[name]} for pool in pools if pool.paired]
        shared[name] = set.intersection(*planned) if planned else set()
        others = [len(pool.kept[name]) for pool in pools if not pool.paired]
        sizes[name] = min([exam.cases, *([len(shared[name])] if planned else []), *others])
        if pools and not sizes[name]:
            run.folder.save_failures(run.failures)
            raise UserError(
                f"no patient of {name} is left for all methods to train on: see "
                f"{run.folder.path}/failures.jsonl, and run again or name fewer methods"
            )
    for pool in pools:
        yield (
            pool,
            {
                name: [one for one in records if not pool.paired or one.id in shared[name]][
                    : sizes[name]
                ]
                for name, records in pool.kept.items()
            },
        )


def _sizes(classes: Mapping[Cell, Classes]) -> dict[str, int]:
    """Patients of each department; all cells have as many."""
    first: Classes = next(iter(classes.values()), {})
    return {name: len(records) for name, records in first.items()}


@dataclass(frozen=True)
class _Sitting:
    """The exam of the students of one backbone's records."""

    run: Run
    exam: Exam
    test: TestSet
    context: Context
    pools: Mapping[Cell, _Pool]

    async def hold(self, cell: Cell, classes: Classes | None) -> Sheet:
        """The answers of a condition, written and scored; without classes nothing is learned."""
        learned = {} if classes is None else await self._train(cell, classes)
        sheets = await self._answer(cell, learned)
        final = sheets.pop(None)
        points = {cases: sheet for cases, sheet in sheets.items() if cases is not None}
        scores = grade(final, points, self._signature(classes), self.test.notes)
        self.run.folder.save_scores(Scored(cell=cell, scores=scores))
        self._describe(cell, final, learned)
        return final

    async def _train(self, cell: Cell, classes: Classes) -> dict[str, Learned | Failure]:
        """What the student of each department learned."""

        async def one(name: str) -> Learned | Failure:
            records = classes[name]
            condition = f"{cell.backbone}/{cell.method}"
            seed = self.run.experiment.seed
            settings = self.exam.training(condition, len(records), seed)
            work = train(records, self.context, settings)
            return await guarded(work, name, f"training on {cell.method}")

        found: dict[str, Learned | Failure] = {}
        title = f"training on {cell.method} by {cell.backbone}"
        with self.run.watch.stage(title, len(classes)) as step:
            names = list(classes)
            made = ordered_map(one, names, self.context.at_once)
            async for given in made:
                found[names[len(found)]] = given
                step(failed=isinstance(given, Failure))
        self.run.failures += [one for one in found.values() if isinstance(one, Failure)]
        known = [one for one in found.values() if isinstance(one, Learned)]
        _write(self.run, cell, "steps", [step for one in known for step in one.steps])
        _write(self.run, cell, "memory", [entry for one in known for entry in one.memory.entries])
        return found

    async def _answer(
        self, cell: Cell, learned: Mapping[str, Learned | Failure]
    ) -> dict[int | None, dict[str, list[Answered]]]:
        """All answers, at the end (none) and at the points of the curve before it; written."""
        places = [
            (point, name, question, known)
            for name, questions in self.test.questions.items()
            for point, known in _stages(learned.get(name))
            for question in questions
        ]

        async def one(
            place: tuple[int | None, str, Question, Learned | Failure | None],
        ) -> Answered:
            return await self._put(place[2], place[3])

        sheets: dict[int | None, dict[str, list[Answered]]] = {None: {}}
        title = f"exam after {cell.method}" if learned else "exam without training"
        with self.run.watch.stage(f"{title} by {cell.backbone}", len(places)) as step:
            made = ordered_map(one, places, self.context.at_once)
            waiting = iter(places)
            async for given in made:
                point, name, _, known = next(waiting)
                sheets.setdefault(point, {}).setdefault(name, []).append(given)
                lost = given.outcome in OUTCOMES
                step(failed=lost)
                if lost and not isinstance(known, Failure):
                    self.run.failures.append(_failure(cell, point, given))
        whole = {p: sheet for p, sheet in sheets.items() if len(sheet) == len(self.test.questions)}
        for point, sheet in whole.items():
            lines = (one for answers in sheet.values() for one in answers)
            write_text(self.run.folder.answers(cell, point), _lines(lines))
        return whole

    async def _put(self, question: Question, known: Learned | Failure | None) -> Answered:
        """One question; a student whose training failed is not asked."""
        if isinstance(known, Failure):
            reason = f"the training failed: {known.reason}"
            return Answered(question=question.id, outcome="unreachable", reason=reason)
        settings = known.settings if known else self.exam.training("", 0, 0)
        work = answer(question, known, self.context, settings, TEST)
        given = await guarded(work, question.id, TEST)
        if isinstance(given, Failure):
            return Answered(question=question.id, outcome="unreachable", reason=given.reason)
        return given

    def _signature(self, classes: Classes | None) -> str:
        exam = self.exam
        parts = [
            f"medqa-accuracy|set:{self.test.digest[:12]}|options:{self.test.options}",
            f"student:{self.context.role(ROLE).pinned}",
        ]
        if classes is None:
            return "|".join((*parts, "cases:0"))
        sizes = sorted({len(records) for records in classes.values()})
        parts += [
            f"cases:{'-'.join(map(str, sizes))}",
            f"k:{exam.k_cases}+{exam.k_rules}",
            f"words:{exam.budget}",
            f"guard:{'yes' if exam.guard else 'no'}",
            f"encoder:{self.context.encoder().signature}",
        ]
        return "|".join(parts)

    def _describe(self, cell: Cell, final: Sheet, learned: Mapping[str, Learned | Failure]) -> None:
        """Note for the manifest what the scores do not hold."""
        known = [one for one in learned.values() if isinstance(one, Learned)]
        counts = [one.count() for one in known]
        every = [one for answers in final.values() for one in answers]
        told = {
            "backbone": cell.backbone,
            "condition": cell.method,
            "student": self.context.role(ROLE).name,
            "outcomes": {name: outcomes(answers) for name, answers in final.items()},
            "words": sum(one.words for one in every),
        }
        if cell.method != ZERO_SHOT:
            told["training"] = {
                "patients": sum(one.practised for one in known),
                **{name: sum(one[name] for one in counts) for name in (counts or [{}])[0]},
                "suspects": len(self.pools[cell].suspects),
            }
        self.run.examined["conditions"][f"{cell.backbone} {cell.method}"] = told


def _stages(
    known: Learned | Failure | None,
) -> Iterator[tuple[int | None, Learned | Failure | None]]:
    """What a student knew at the points of its curve, then (none) at the end."""
    if isinstance(known, Learned):
        yield from ((point, known.after(point)) for point in known.curve[:-1])
    yield None, known


def _failure(cell: Cell, point: int | None, given: Answered) -> Failure:
    stage = f"{TEST}/{cell.method}" + ("" if point is None else f"@{point}")
    outcome = OUTCOMES[given.outcome]
    return Failure(
        item=given.question, stage=stage, outcome=outcome, reason=given.reason, keys=given.keys
    )


def _write(run: Run, cell: Cell, kind: str, rows: Sequence[Model]) -> None:
    write_text(run.folder.training(cell, kind), _lines(rows))


def _lines(rows: "Iterator[Model] | Sequence[Model]") -> str:
    return "".join(f"{row.model_dump_json()}\n" for row in rows)
