"""Runs on the rules, for tests of what comes after."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from openai_server import OpenAIServer

from bench.api.context import Context, Unwatched
from bench.api.failure import Failure
from bench.api.generator import EachCase, Writer
from bench.api.score import Score
from bench.backbones.openai.backbone import OpenAI
from bench.backbones.prompt import Backbone, Completion, Prompt
from bench.backbones.respondent import Respondent
from bench.backbones.rules.backbone import Rules
from bench.core.registry import Registry
from bench.experiments.engine import execute
from bench.experiments.experiment import Experiment, experiment_from
from bench.journal.journal import Journal
from bench.knowledge.cases import Case
from bench.knowledge.library import Library
from bench.records.record import PatientRecord
from bench.report.results import Results
from bench.runs.folder import RunFolder
from bench.runs.settings import Settings

LIBRARY = Library()


class Seen:
    """The rules, remembering every prompt they were asked."""

    version = ""
    endpoint = "rules"
    reads = "request"

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


def asked_of(
    server: OpenAIServer, role: str, work: Callable[[Context], Coroutine[Any, Any, Any]]
) -> Any:
    """What some work gives where the model of a server fills a role; nothing is tried twice."""

    async def whole(given: Context, backbone: OpenAI) -> Any:
        try:
            return await work(given)
        finally:
            await backbone.close()

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPENAI_API_KEY", "sk-test")
        backbone = OpenAI("model-1", base_url=server.url, max_retries=0, timeout=20.0)
        with context(**{role: backbone}) as given:
            return asyncio.run(whole(given, backbone))


def generate(
    writer: Writer, cases: Sequence[Case], given: Context
) -> list[PatientRecord | Failure]:
    """Everything a writer makes of some cases."""

    async def collect() -> list[PatientRecord | Failure]:
        generator = EachCase(writer, writer.card)
        return [made async for made in generator.generate(cases, given)]

    return asyncio.run(collect())


SMALL: dict[str, Any] = {
    "name": "small",
    "seed": 1,
    "departments": ["Orthopedics", "Urology"],
    "generate": {"cases_per_department": 4, "methods": ["direct", "multi-step", "patient-zero"]},
    "roles": {"generator": "rules", "judge": "rules"},
    "metrics": ["accuracy", "bleu", "rouge-l"],
    "tables": ["table3", "rows"],
}
"""A small experiment."""


def small(**settings: Any) -> Experiment:
    """The small experiment, settings changed as given.

    Settings of `generate` may stand at the top; a section given as None is left out.
    """
    generate = {
        name: settings.pop(name) for name in ("cases_per_department", "methods") if name in settings
    }
    changed = SMALL | {"generate": SMALL["generate"] | generate} | settings
    return experiment_from({name: given for name, given in changed.items() if given is not None})


def run(folder: Path, **settings: Any) -> RunFolder:
    """A small run on the rules, as `small` has it."""
    results_of(folder, **settings)
    return RunFolder(folder)


def results_of(folder: Path, *, retry_failed: bool = False, **settings: Any) -> Results:
    """The results of a small run on the rules, as `small` has it."""
    how = Settings(retry_failed=retry_failed)
    return asyncio.run(execute(small(**settings), RunFolder(folder), how, Unwatched()))


def install(patch: pytest.MonkeyPatch, registry: Registry, name: str, kind: Any) -> None:
    """Let a plug-in be known by a name, as if another package brought it."""
    load = registry.load
    patch.setattr(registry, "load", lambda wanted: kind if wanted == name else load(wanted))


def score_in(results: Results, metric: str, *place: str, **factors: str) -> Score:
    """A score that must be there; `place` are its part, and what it is by and of."""
    found = results.find(metric, *place, **factors)
    assert found is not None
    return found.score
