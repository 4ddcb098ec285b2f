"""The exam of a run: students trained on each method's records answer the same questions.

One student for each department, trained on that department's records alone, as the departments of
Agent Hospital (arXiv 2405.02957) are; its memory grows record by record, in their order. A method's
figure is that of its students together. All methods of a run train on the same planned patients:
one that a method failed on, or whose record is nearly a test question, is left out for every
method, and a later one takes its place as long as there is one. A method that has no patient of a
department left has no student there, and the others go on without it. Every student gets a question
in the same words, so that answers differ by what memory shows and by nothing else.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from bench.api.context import Context
from bench.api.failure import Failure, guarded
from bench.api.metric import Difference
from bench.backbones.respondent import Respondent
from bench.core.atomic import write_text
from bench.core.concurrency import ordered_map
from bench.core.errors import UserError
from bench.core.schema import Model
from bench.experiments.experiment import ZERO_SHOT, Choice, Exam
from bench.medqa.question import Question
from bench.records.record import PatientRecord
from bench.records.record_files import RecordFile
from bench.runs.folder import NOBODY, Cell, Scored
from bench.stages.exam_questions import TestSet
from bench.stages.exam_scores import Sheet, differences, grade, outcomes
from bench.stages.underway import Run
from bench.students.answer import OF_FAILURE, Answered, answer
from bench.students.choice import ROLE
from bench.students.contamination import Suspect, guard, without
from bench.students.training import Learned, train

RESERVE = 2
"""Records read for each that is trained on: what is there to replace those left out."""
TEST = "exam"
"""Replicate of the questions, alike for all students: the same words are one exchange."""
OUTCOMES = {ours: theirs for theirs, ours in OF_FAILURE.items()}
"""A failure's name of the outcome of a question."""
Classes = Mapping[str, Sequence[PatientRecord] | Failure]
"""The patients to practise on, by department, or why there are none."""
Taught = Mapping[str, Learned | Failure]
"""What the student of each department learned."""


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
    made: Mapping[str, int]
    """Records by department, as far as they were looked at."""
    kept: dict[str, list[PatientRecord]] = field(default_factory=dict)
    """By department, in their order."""
    suspects: list[Suspect] = field(default_factory=list)

    def nobody(self, department: str) -> Failure:
        """Why there is no patient to practise on."""
        if self.kept[department]:
            reason = "none of its records is of a patient that the other methods have, too"
        elif self.made[department]:
            reason = (
                f"all {self.made[department]} records are nearly test questions: see suspects.jsonl"
            )
        else:
            reason = "there are no records"
        return Failure(
            item=department,
            stage=f"training on {self.cell.method}",
            outcome="error",
            reason=f"nobody of {department} to practise on: {reason}",
        )


async def examine(
    run: Run, contexts: Mapping[str, Context], written: Mapping[str, Sequence[str]]
) -> dict[str, list[Difference]]:
    """Train, examine and score all students; the differences between them by backbone.

    `written` are the methods with records by each backbone.
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
    classes = _classes(pools, exam, test)
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
    taken: dict[str, list[PatientRecord]] = {name: [] for name in test.questions}
    for record in RecordFile(run.folder.records(cell.model_copy(update={"examined": False}))):
        several = taken.get(record.department)
        if several is not None and len(several) < RESERVE * exam.cases:
            several.append(record)
    made = {name: len(records) for name, records in taken.items()}
    pool = _Pool(cell, run.methods[cell.method].card.paired, made)
    for name, records in taken.items():
        found = await guard(records, test.all, run.context)
        pool.suspects += found
        pool.kept[name] = without(records, found) if exam.guard else records
    _write(run, cell, "suspects", pool.suspects)
    return pool


def _classes(pools: Sequence[_Pool], exam: Exam, test: TestSet) -> Mapping[Cell, Classes]:
    """The same patients for all that follow the plan, and as many for the others."""
    classes: dict[Cell, dict[str, Sequence[PatientRecord] | Failure]]
    classes = {pool.cell: {} for pool in pools}
    for name in test.questions:
        able = [pool for pool in pools if pool.kept[name]]
        planned = [{one.id for one in pool.kept[name]} for pool in able if pool.paired]
        shared = set.intersection(*planned) if planned else set()
        able = [pool for pool in able if not pool.paired or shared]
        kept = {
            pool.cell: [one for one in pool.kept[name] if not pool.paired or one.id in shared]
            for pool in able
        }
        size = min((exam.cases, *map(len, kept.values())))
        for pool in pools:
            mine = kept.get(pool.cell)
            classes[pool.cell][name] = mine[:size] if mine else pool.nobody(name)
    return classes


def _sizes(classes: Mapping[Cell, Classes]) -> dict[str, int]:
    """Patients of each department; all cells that have any have as many."""
    sizes: Counter[str] = Counter()
    for own in classes.values():
        sizes |= Counter({name: len(one) for name, one in _patients(own).items()})
    return {name: sizes[name] for name in next(iter(classes.values()), {})}


def _patients(classes: Classes) -> dict[str, Sequence[PatientRecord]]:
    return {name: one for name, one in classes.items() if not isinstance(one, Failure)}


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
        points, notes = self._points(learned)
        sheets = await self._answer(cell, learned, points)
        final = sheets.pop(None)
        curve = {cases: sheet for cases, sheet in sheets.items() if cases is not None}
        notes = [*self.test.notes, *notes]
        scores = grade(final, curve, self._signature(classes), notes)
        self.run.folder.save_scores(Scored(cell=cell, scores=scores))
        self._describe(cell, final, learned)
        return final

    async def _train(self, cell: Cell, classes: Classes) -> Taught:
        """What the student of each department learned; written."""

        async def one(name: str) -> Learned | Failure:
            records = classes[name]
            if isinstance(records, Failure):
                return records
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
        steps = [step for one in known for step in one.steps]
        self.run.failures += [
            Failure(
                item=one.record,
                stage=f"training on {cell.method}",
                outcome="error",
                reason=one.reason,
                keys=one.keys,
            )
            for one in steps
            if "error" in (one.outcome, one.rule)
        ]
        _write(self.run, cell, "steps", steps)
        _write(self.run, cell, "memory", [entry for one in known for entry in one.memory.entries])
        return found

    def _points(self, learned: Taught) -> tuple[list[int], list[str]]:
        """The points of the curve that all students have before their end, and what to say."""
        known = [one for one in learned.values() if isinstance(one, Learned)]
        lost = [one.reason for one in learned.values() if isinstance(one, Failure)]
        notes = [f"no student: {'; '.join(lost)}"] if lost else []
        inner = [set(one.curve[:-1]) for one in known]
        points = set.intersection(*inner) if inner and not lost else set()
        unread = sorted(set().union(*inner) - points)
        if unread:
            numbers = ", ".join(map(str, unread))
            notes.append(f"not all departments have a student after so many patients: {numbers}")
        return sorted(points), notes

    async def _answer(
        self, cell: Cell, learned: Taught, points: Sequence[int]
    ) -> dict[int | None, dict[str, list[Answered]]]:
        """All answers, at the end (none) and at the points of the curve before it; written."""
        places = [
            (point, name, question, known)
            for name, questions in self.test.questions.items()
            for point, known in _stages(learned.get(name), points)
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
        for point, sheet in sheets.items():
            lines = (one for answers in sheet.values() for one in answers)
            write_text(self.run.folder.answers(cell, point), _lines(lines))
        return sheets

    async def _put(self, question: Question, known: Learned | Failure | None) -> Answered:
        """One question; a student whose training failed is not asked."""
        if isinstance(known, Failure):
            outcome = OF_FAILURE[known.outcome]
            return Answered(question=question.id, outcome=outcome, reason=known.reason)
        settings = known.settings if known else self.exam.training("", 0, 0)
        work = answer(question, known, self.context, settings, TEST)
        given = await guarded(work, question.id, TEST)
        if isinstance(given, Failure):
            outcome = OF_FAILURE[given.outcome]
            return Answered(question=question.id, outcome=outcome, reason=given.reason)
        return given

    def _signature(self, classes: Classes | None) -> str:
        exam = self.exam
        parts = [
            f"medqa-accuracy|set:{self.test.digest[:12]}|options:{self.test.options}",
            f"student:{self.context.role(ROLE).pinned}",
        ]
        if classes is None:
            return "|".join((*parts, "cases:0"))
        sizes = sorted({len(records) for records in _patients(classes).values()})
        parts += [
            f"cases:{'-'.join(map(str, sizes))}",
            f"k:{exam.k_cases}+{exam.k_rules}",
            f"words:{exam.budget}",
            f"guard:{'yes' if exam.guard else 'no'}",
            f"encoder:{self.context.encoder().signature}",
        ]
        return "|".join(parts)

    def _describe(self, cell: Cell, final: Sheet, learned: Taught) -> None:
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
    known: Learned | Failure | None, points: Sequence[int]
) -> Iterator[tuple[int | None, Learned | Failure | None]]:
    """What a student knew at the points of the curve, then (none) at the end."""
    if isinstance(known, Learned):
        yield from ((point, known.after(point)) for point in points)
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
