"""What a run will ask, said before it asks.

Measured on a sample of the cases: the rules answer in the models' stead, and the exchanges, the
characters of the real prompts and those of the rules' answers are counted and scaled up.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Literal

from bench.backbones.asking import Respondent
from bench.backbones.prompt import Completion, Prompt
from bench.backbones.rules.backbone import Rules
from bench.backbones.structured import schema_of
from bench.context import Context
from bench.failure import Failure, guarded
from bench.generating import Generator
from bench.journal.journal import Journal
from bench.knowledge.cases import Case, plan
from bench.knowledge.library import Library
from bench.records.record import PatientRecord
from bench.runs.experiment import Experiment
from bench.runs.plugged import as_line, make_generator, make_metric
from bench.scoring import Items, Metric

SAMPLE = 12
"""Cases on which tokens are measured."""
CHARACTERS = 4
"""Characters of a token of English, roughly."""


@dataclass(frozen=True)
class Cost:
    """What one role will be asked."""

    role: str
    backbone: str
    exchanges: int
    """Exchanges, repairs not counted; what the journal holds is not asked again."""
    input_tokens: int
    """Estimate; zero where nothing could be measured."""
    output_tokens: int
    """Estimate."""

    def __str__(self) -> str:
        """One line for the user."""
        tokens = f"about {self.input_tokens:,} tokens in and {self.output_tokens:,} out"
        return f"{self.role} {self.backbone}: {self.exchanges:,} exchanges, {tokens}"


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

    async def close(self) -> None:
        """Nothing is held."""

    def cost(self, role: str, backbone: str, scale: float) -> Cost:
        """What was counted, scaled up."""
        return Cost(
            role,
            backbone,
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
    library = Library()
    methods = [make_generator(choice) for choice in experiment.methods]
    metrics = [make_metric(choice) for choice in experiment.metrics]
    departments = experiment.departments
    names = library.departments if departments == ("all",) else departments
    planned = len(names) * experiment.cases_per_department
    each = min(experiment.cases_per_department, max(1, SAMPLE // len(names)))
    cases = list(islice(plan(library, names, each, experiment.seed), SAMPLE))
    writer, judge = _Counted(library), _Counted(library)
    journal = Journal.open(None)
    try:
        roles = {
            role: Respondent(role, backbone, journal)
            for role, backbone in (("generator", writer), ("judge", judge))
        }
        context = Context(journal, library, roles)
        for method in methods:
            records = [made async for made in _records(method, cases, context)]
            await _judged(metrics, records, context)
    finally:
        await journal.close()
    scale = planned / len(cases)
    backbones = [choice.name for choice in experiment.roles.generator if choice.name != "rules"]
    costs = [writer.cost("generator", name, scale) for name in backbones]
    judging = experiment.roles.judge
    if judging is not None and judging.name != "rules":
        grid = len(experiment.roles.generator)
        costs.append(judge.cost("judge", judging.name, scale * grid))
    return [cost for cost in costs if cost.exchanges]


async def _records(
    method: Generator, cases: Sequence[Case], context: Context
) -> AsyncIterator[PatientRecord]:
    if not method.card.paired:
        return
    async for given in method.generate(cases, context):
        line = as_line(given, method.card.name)
        if not isinstance(line, Failure):
            yield PatientRecord.model_validate_json(line)


async def _judged(metrics: list[Metric], records: list[PatientRecord], context: Context) -> None:
    for metric in metrics:
        if set(metric.card.needs) == {"judge"}:
            await guarded(metric.score(Items(records), context), "*", metric.card.name)
