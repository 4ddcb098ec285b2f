"""What a run will ask, said before it asks.

Measured on a sample of the cases: the rules answer in the models' stead, and the exchanges, the
characters of the real prompts and those of the rules' answers are counted and scaled up.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from bench.backbones.asking import Respondent
from bench.backbones.prompt import Completion, Prompt
from bench.backbones.rules.backbone import Rules
from bench.backbones.rules.writer import write
from bench.backbones.structured import schema_of
from bench.backbones.tasks import Write
from bench.context import Context
from bench.generating import Generator, subject_of
from bench.journal.journal import Journal
from bench.knowledge.cases import Case, plan
from bench.knowledge.library import Library
from bench.records.record import SECTIONS, PatientRecord
from bench.runs.experiment import Choice, Experiment
from bench.runs.plugged import Line, as_line, make_generator, make_metric
from bench.runs.register import yielded
from bench.runs.scoring import score_with
from bench.scoring import Items, Metric

SAMPLE = 12
"""Cases on which tokens are measured, about."""
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

    def __str__(self) -> str:
        """One line for the user."""
        tokens = f"about {self.input_tokens:,} tokens in and {self.output_tokens:,} out"
        named = self.backbone if self.label == self.backbone else f"{self.label} ({self.backbone})"
        return f"{self.role} {named}: {self.exchanges:,} exchanges, {tokens}"


class _Counted:
    """The rules in a model's stead, counting characters."""

    name = "counted"
    version = ""
    endpoint = "rules"
    reads: Literal["task", "messages"] = "task"

    def __init__(self, library: Library) -> None:
        self._rules = Rules(library=library)
        self.asked = self.characters_in = self.characters_out = 0

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
        )


def estimate(experiment: Experiment) -> list[Cost]:
    """The cost of each model that an experiment names, the stand-in left out.

    Raises:
        UserError: if the experiment names something unknown.
    """
    return asyncio.run(_estimate(experiment))


async def _estimate(experiment: Experiment) -> list[Cost]:
    library = experiment.library()
    methods = [make_generator(choice) for choice in experiment.methods]
    metrics = [make_metric(choice) for choice in experiment.metrics]
    names = experiment.departments_of(library.departments)
    planned = experiment.cases_per_department
    each = min(planned, max(2, SAMPLE // len(names)))
    cases = list(plan(library, names, each, experiment.seed))
    counted = {role: _Counted(library) for role in ("generator", "judge", "scorer")}
    journal = Journal.open(None)
    try:
        roles = {role: Respondent(role, one, journal) for role, one in counted.items()}
        context = Context(journal, library, roles)
        for method in methods:
            await _try(method, cases, metrics, context)
    finally:
        await journal.close()
    named = experiment.roles
    backbones = len(named.generator)
    # Judges read records; scorers read ordered pairs of records of a department.
    records = planned / each
    pairs = planned * (planned - 1) / max(each * (each - 1), 1)
    costs = [counted["generator"].cost("generator", one, records) for one in named.generator]
    for role, choice, scale in (
        ("judge", named.judge, records * backbones),
        ("scorer", named.scorer, pairs * backbones),
    ):
        if choice is not None:
            costs.append(counted[role].cost(role, choice, scale))
    return [cost for cost in costs if cost.exchanges and cost.backbone != "rules"]


async def _try(
    method: Generator, cases: Sequence[Case], metrics: Sequence[Metric], context: Context
) -> None:
    """Have a method write the sample and the metrics that ask somebody score it."""
    if "generator" in method.card.needs:
        lines = [as_line(given, "") async for given in yielded(method, cases, context)]
        texts = [line.text for line in lines if isinstance(line, Line)]
        records = [PatientRecord.model_validate_json(text) for text in texts]
    else:
        # What it does is not for a plan to start: records of the rules stand for its own.
        records = [_stand_in(case, context.outlines) for case in cases]
    for metric in metrics:
        if {*metric.card.needs, *metric.card.uses}:
            await score_with(metric, Items(records), context, "*")


def _stand_in(case: Case, outlines: Library) -> PatientRecord:
    task = Write(wanted=SECTIONS, subject=subject_of(case))
    sections = write(task, outlines, Random(case.seed))
    return PatientRecord.compose(dict(sections), id=case.id, department=case.department)
