"""What a run will ask, said before it asks.

Measured on a sample of the cases: the rules answer in the models' stead, and the exchanges, the
characters of the real prompts and those of the rules' answers are counted and scaled up.
"""

import asyncio
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Literal

from bench.agents.interview import converse
from bench.agents.memory import decompose_record
from bench.agents.patient import REGENERATIONS
from bench.api.adapters import Line, as_line, make_generator, make_metric
from bench.api.context import Context
from bench.api.failure import guarded
from bench.api.generator import Generator, subject_of
from bench.api.metric import Items, Metric, Talks
from bench.backbones.prompt import Completion, Prompt
from bench.backbones.requests import Write
from bench.backbones.respondent import Respondent
from bench.backbones.rules.backbone import Rules
from bench.backbones.rules.writer import write
from bench.backbones.structured import schema_of
from bench.experiments.experiment import Choice, Experiment, Interviews
from bench.journal.journal import Journal
from bench.knowledge.cases import Case, plan
from bench.knowledge.library import Library
from bench.records.dialogue import Dialogue
from bench.records.record import SECTIONS, PatientRecord
from bench.runs.folder import Cell, talks_of
from bench.scoring.scores import score_with
from bench.stages.exam_questions import TestSet, with_test
from bench.stages.interview import check_talks, setting_of
from bench.stages.register import yielded
from bench.students.choice import choose
from bench.students.practice import Practice

SAMPLE = 12
"""Cases on which tokens are measured, about."""
INTERVIEWED = 2
"""Patients whose dialogues are tried."""
TESTED = 6
"""Test questions that are tried."""
WRONG = 0.5
"""Share of practice questions taken to be answered wrong: each costs a rule and two more tries."""
TOKENS_OF_WORD = 1.4
"""Tokens of a word of memory, roughly."""
COUNTED = ("generator", "patient", "doctor", "triplets", "judge", "scorer", "rater", "student")
"""Roles that are counted, in the order in which they are told."""
CHARACTERS = 4
"""Characters of a token of English, roughly."""


@dataclass(frozen=True)
class Cost:
    """What one role will be asked."""

    role: str
    backbone: str
    label: str
    exchanges: int
    """Exchanges, repairs not counted; what the journal holds is not asked again."""
    input_tokens: int
    """Estimate; zero where nothing could be measured."""
    output_tokens: int
    """Estimate."""
    again: int = 0
    """Exchanges more if every checked reply were made anew as often as may be."""
    guessed: bool = False
    """Whether the number of exchanges depends on the answers."""

    def __add__(self, other: "Cost") -> "Cost":
        """Both for the role of the first."""
        return replace(
            self,
            exchanges=self.exchanges + other.exchanges,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            again=self.again + other.again,
            guessed=self.guessed or other.guessed,
        )

    def __str__(self) -> str:
        """One line for the user."""
        tokens = f"about {self.input_tokens:,} tokens in and {self.output_tokens:,} out"
        named = self.backbone if self.label == self.backbone else f"{self.label} ({self.backbone})"
        about = "about " if self.guessed else ""
        told = f"{self.role} {named}: {about}{self.exchanges:,} exchanges, {tokens}"
        if not self.again:
            return told
        most = self.exchanges + self.again
        return f"{told}; more where replies are made anew, at most about {most:,} exchanges"


class _Counted:
    """The rules in a model's stead, counting characters."""

    name = "counted"
    version = ""
    endpoint = "rules"
    reads: Literal["task", "messages"] = "task"

    def __init__(self, library: Library) -> None:
        self._rules = Rules(library=library)
        self.asked = self.characters_in = self.characters_out = self.again = 0

    async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
        """As the rules answer."""
        completion = await self._rules.complete(prompt, key)
        self.asked += 1
        self.characters_in += sum(len(message.content) for message in prompt.messages)
        self.characters_in += len(str(schema_of(prompt.answer) or ""))
        self.characters_out += len(completion.text)
        return completion

    async def logprobs(self, context: str, text: str) -> tuple[float, ...]:
        """Nothing is computed: only the length of the text counts."""
        self.asked += 1
        self.characters_in += len(context) + len(text)
        return (0.0,)

    async def close(self) -> None:
        """Nothing is held."""

    def cost(self, role: str, choice: Choice, scale: float) -> Cost:
        """What was counted, scaled up."""
        return Cost(
            role,
            choice.name,
            choice.label,
            round(self.asked * scale),
            round(self.characters_in * scale / CHARACTERS),
            round(self.characters_out * scale / CHARACTERS),
            round(self.again * scale),
        )


class _Crew:
    """One counter for each role, and a context in which they answer."""

    def __init__(self, library: Library, journal: Journal) -> None:
        self._counted = {role: _Counted(library) for role in COUNTED}
        roles = {role: Respondent(role, one, journal) for role, one in self._counted.items()}
        self.context = Context(journal, library, roles)

    def spare(self, dialogue: Dialogue, engine: str) -> None:
        """Count what the checked replies of a dialogue might yet be made anew."""
        known = len(dialogue.facts or decompose_record(dialogue.record)) if dialogue.record else 0
        for exchange in dialogue.exchanges():
            spare = 1 + REGENERATIONS - len(exchange.attempts)
            self._counted["patient"].again += spare
            self._counted["triplets"].again += spare * (known if engine == "per-fact" else 1)
            known += len(exchange.learned)

    def cost(self, role: str, choice: Choice, scale: float) -> Cost:
        """What one role was asked, scaled up."""
        return self._counted[role].cost(role, choice, scale)


def estimate(experiment: Experiment) -> list[Cost]:
    """The cost of each model that an experiment names, the stand-in left out.

    Raises:
        UserError: if the experiment names something unknown.
    """
    return asyncio.run(_estimate(experiment))


async def _estimate(experiment: Experiment) -> list[Cost]:
    library = experiment.library()
    experiment, test = with_test(experiment, library.departments)
    methods = [make_generator(choice) for choice in experiment.methods]
    metrics = [make_metric(choice) for choice in experiment.metrics]
    check_talks(experiment.dialogues, metrics)
    names = experiment.departments_of(library.departments)
    each = min(experiment.cases_per_department, max(2, SAMPLE // len(names)))
    cases = list(plan(library, names, each, experiment.seed))
    journal = Journal.open(None)
    try:
        writing, talking, *school = (_Crew(library, journal) for _ in range(4))
        written: list[PatientRecord] = []
        for method in methods:
            written = await _try(method, cases, _taking("records", metrics), writing.context)
        if experiment.dialogues is not None:
            listeners = _taking("dialogues", metrics)
            sample = written[:INTERVIEWED]
            await _interview(experiment.dialogues, sample, listeners, talking)
        if test is not None:
            await _practise(written, test, school[0], school[1])
    finally:
        await journal.close()
    costs = _costs_of_records(experiment, writing, each)
    if experiment.dialogues is not None and written:
        patients = len(names) * experiment.dialogues.patients_per_department
        scale = patients / min(len(written), INTERVIEWED)
        asks_model = any("generator" in method.card.needs for method in methods)
        costs += _costs_of_dialogues(experiment, talking, scale, asks_model)
    if test is not None and written:
        costs += _costs_of_exam(experiment, test, (school[0], school[1]), len(written))
    return [cost for cost in _summed(costs) if cost.exchanges and cost.backbone != "rules"]


def _taking(taken: str, metrics: Sequence[Metric]) -> list[Metric]:
    """The metrics that take it and ask somebody."""
    asking = (metric for metric in metrics if {*metric.card.needs, *metric.card.uses})
    return [metric for metric in asking if metric.card.takes == taken]


def _costs_of_records(experiment: Experiment, crew: _Crew, each: int) -> list[Cost]:
    named, planned = experiment.roles, experiment.cases_per_department
    backbones = len(named.generator)
    # Judges read records; scorers read ordered pairs of records of a department.
    records = planned / each
    pairs = planned * (planned - 1) / max(each * (each - 1), 1)
    costs = [crew.cost("generator", one, records) for one in named.generator]
    for role, choice, scale in (
        ("judge", named.judge, records * backbones),
        ("scorer", named.scorer, pairs * backbones),
    ):
        if choice is not None:
            costs.append(crew.cost(role, choice, scale))
    return costs


def _costs_of_dialogues(
    experiment: Experiment, crew: _Crew, scale: float, asks_model: bool
) -> list[Cost]:
    """What talking and listening cost, for the patients of each backbone or of nobody."""
    roles, interviews = experiment.roles, experiment.dialogues
    writers = roles.generator if asks_model else (None,)
    costs = []
    for writer in writers:
        talking = roles.talking(writer)
        for role in interviews.asked() if interviews else ():
            costs.append(crew.cost(role, talking[role], scale))
        for role, choice in roles.named().items():
            if role in ("judge", "rater"):
                costs.append(crew.cost(role, choice, scale))
    return costs


async def _practise(
    records: Sequence[PatientRecord], test: TestSet, practising: _Crew, sitting: _Crew
) -> None:
    """Put the practice questions of some records, and some test questions.

    Without memory, so that no encoder is loaded for a plan.
    """
    practice = Practice(records, practising.context.outlines, 0)
    for record in records:
        for item in practice.items(record):
            asked = (item.question, item.options, (), record.id)
            await choose(practising.context.role("student"), *asked)
    for one in test.all[:TESTED]:
        asked = (one.question, one.options, (), one.id)
        await choose(sitting.context.role("student"), *asked)


def _costs_of_exam(
    experiment: Experiment, test: TestSet, crews: tuple[_Crew, _Crew], tried: int
) -> Iterator[Cost]:
    """What training and the exam cost, with as much memory shown as there may be at most."""
    exam, roles = experiment.medqa, experiment.roles
    if exam is None:
        return
    students = [roles.student] * len(roles.generator) if roles.student else roles.generator
    questions, methods = len(test.all), len(experiment.methods)
    patients = methods * len(test.questions) * exam.cases * (1 + 3 * WRONG)
    points = 1 + sum(point < exam.cases for point in exam.curve)
    memory = exam.budget * TOKENS_OF_WORD
    for number, student in enumerate(filter(None, students)):
        # One student is asked untrained but once, whoever wrote the records.
        untrained = 0 if roles.student and number else questions
        put = untrained + questions * methods * points
        practice = crews[0].cost("student", student, patients / tried)
        sat = crews[1].cost("student", student, put / min(questions, TESTED))
        whole = practice + sat
        shown = round(memory * (whole.exchanges - untrained))
        yield replace(whole, input_tokens=whole.input_tokens + shown, guessed=True)


def _summed(costs: Iterable[Cost]) -> list[Cost]:
    """One line for each role and backbone."""
    found: dict[tuple[str, str], Cost] = {}
    for cost in costs:
        known = found.get((cost.role, cost.label))
        found[cost.role, cost.label] = cost if known is None else known + cost
    return sorted(found.values(), key=lambda cost: COUNTED.index(cost.role))


async def _interview(
    interviews: Interviews,
    records: Sequence[PatientRecord],
    metrics: Sequence[Metric],
    crew: _Crew,
) -> None:
    """Hold the dialogues of some patients and have the metrics that ask somebody score them."""
    # No neural labeller is loaded for a plan; who labels is not counted there.
    engine = interviews.triplets
    told = interviews.model_copy(
        update={"triplets": "batched" if engine.startswith("nli/") else engine}
    )
    for cell in talks_of(Cell(backbone="counted", method="counted"), told):
        held: list[Dialogue] = []
        for index, record in enumerate(records):
            work = converse(record, setting_of(told, cell, index), crew.context)
            dialogue = await guarded(work, record.id, "plan")
            if isinstance(dialogue, Dialogue):
                held.append(dialogue)
                if dialogue.updating != "none":
                    crew.spare(dialogue, told.triplets)
        for metric in metrics:
            await score_with(metric, Talks(held), crew.context, "*")


async def _try(
    method: Generator, cases: Sequence[Case], metrics: Sequence[Metric], context: Context
) -> list[PatientRecord]:
    """Have a method write the sample and the metrics that ask somebody score it."""
    if "generator" in method.card.needs:
        lines = [as_line(given, "") async for given in yielded(method, cases, context)]
        texts = [line.text for line in lines if isinstance(line, Line)]
        records = [PatientRecord.model_validate_json(text) for text in texts]
    else:
        # What it does is not for a plan to start: records of the rules stand for its own.
        records = [_stand_in(case, context.outlines) for case in cases]
    for metric in metrics:
        await score_with(metric, Items(records), context, "*")
    return records


def _stand_in(case: Case, outlines: Library) -> PatientRecord:
    task = Write(wanted=SECTIONS, subject=subject_of(case))
    sections = write(task, outlines, Random(case.seed))
    return PatientRecord.compose(dict(sections), id=case.id, department=case.department)
