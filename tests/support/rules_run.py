"""Runs on the rules, for tests of what comes after."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.api.context import Context
from bench.api.failure import Failure
from bench.api.generator import EachCase, Writer
from bench.backbones.prompt import Backbone, Completion, Prompt
from bench.backbones.respondent import Respondent
from bench.backbones.rules.backbone import Rules
from bench.experiments.engine import execute
from bench.experiments.experiment import Experiment
from bench.journal.journal import Journal
from bench.knowledge.cases import Case
from bench.knowledge.library import Library
from bench.records.record import PatientRecord
from bench.runs.folder import RunFolder
from bench.runs.settings import Settings

LIBRARY = Library()


class Seen:
    """The rules, remembering every prompt they were asked."""

    version = ""
    endpoint = "rules"
    reads = "task"

    def __init__(self, name: str = "seen") -> None:
        self.name = name
        self.prompts: list[Prompt[Any]] = []
        self._rules = Rules(library=LIBRARY)

    async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
        self.prompts.append(prompt)
        return await self._rules.complete(prompt, key)

    async def close(self) -> None:
        """Nothing is held."""


@contextmanager
def context(**roles: Backbone | Any) -> Iterator[Context]:
    """A context with backbones by role and a journal of its own."""
    journal = Journal.open(None)
    try:
        answering = {role: Respondent(role, backbone, journal) for role, backbone in roles.items()}
        yield Context(journal, LIBRARY, answering)
    finally:
        asyncio.run(journal.close())


def generate(
    writer: Writer, cases: Sequence[Case], given: Context
) -> list[PatientRecord | Failure]:
    """Everything a writer makes of some cases."""

    async def collect() -> list[PatientRecord | Failure]:
        generator = EachCase(writer, writer.card)
        return [made async for made in generator.generate(cases, given)]

    return asyncio.run(collect())


class Silent:
    """A watch that shows nothing."""

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Any]:
        yield lambda failed=False: None


def run(folder: Path, **settings: Any) -> RunFolder:
    """A small run of the three methods on the rules."""
    experiment = Experiment.model_validate(
        {
            "name": "small",
            "seed": 1,
            "departments": ["Orthopedics", "Urology"],
            "cases_per_department": 4,
            "methods": ["direct", "multi-step", "patient-zero"],
            "roles": {"generator": "rules", "judge": "rules"},
            "metrics": ["accuracy", "bleu", "rouge-l"],
            "tables": ["table3", "rows"],
            **settings,
        }
    )
    made = RunFolder(folder)
    asyncio.run(execute(experiment, made, Settings(), Silent()))
    return made
