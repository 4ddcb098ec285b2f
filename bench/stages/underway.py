"""What one execution holds on to, and what its records and its dialogues are done alike."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from bench.api.context import Context
from bench.api.failure import Failure, guarded
from bench.api.generator import Generator
from bench.api.metric import Difference, Items, Metric, Score, Talks
from bench.experiments.experiment import Choice, Experiment
from bench.runs.folder import NOBODY, RunFolder
from bench.runs.roles import Team
from bench.scoring.comparison import compare
from bench.scoring.scores import score_with
from bench.stages.exam_questions import TestSet


class Watch(Protocol):
    """Is told how far a run is."""

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator["Step"]:
        """A stage of `total` items; the step is called for each."""
        ...


class Step(Protocol):
    """Called when an item is done."""

    def __call__(self, failed: bool = False) -> None:
        """One more item."""
        ...


@dataclass
class Run:
    """What one execution holds on to."""

    experiment: Experiment
    folder: RunFolder
    context: Context
    team: Team
    watch: Watch
    metrics: tuple[Metric, ...]
    methods: dict[str, Generator]
    failures: list[Failure] = field(default_factory=list)
    rewritten: dict[str, int] = field(default_factory=dict)
    """Records that a plausibility check had written anew, by backbone and method."""
    talked: dict[str, dict[str, int]] = field(default_factory=dict)
    """Exchanges of the dialogues and triplet evaluations for them, by backbone and label."""
    test: TestSet | None = None
    """The questions of the exam; none without one."""
    examined: dict[str, Any] = field(default_factory=dict)
    """What the manifest says of the exam."""

    @property
    def departments(self) -> tuple[str, ...]:
        """Departments of the experiment."""
        return self.experiment.departments_of(self.context.outlines.departments)

    @property
    def planned(self) -> int:
        """Records planned for each method."""
        return len(self.departments) * self.experiment.cases_per_department

    @property
    def writers(self) -> dict[str, Choice | None]:
        """Who writes records, by label: backbones, and nobody for what asks no model."""
        asking = {"generator" in method.card.needs for method in self.methods.values()}
        nobody: dict[str, Choice | None] = {NOBODY: None} if False in asking else {}
        chosen = self.experiment.roles.generator if True in asking else ()
        return nobody | {choice.label: choice for choice in chosen}

    def metrics_of(self, taken: Literal["records", "dialogues"]) -> list[Metric]:
        """The metrics that take records, or those that take dialogues."""
        return [metric for metric in self.metrics if metric.card.takes == taken]


@dataclass(frozen=True)
class Done:
    """One cell, written and scored."""

    items: Items | Talks
    scores: tuple[Score, ...]


async def score_cell(
    run: Run, name: str, items: Items | Talks, metrics: Sequence[Metric], context: Context
) -> Done:
    """One cell scored by some metrics; what they could not score is among the run's failures."""
    scores: list[Score] = []
    if metrics:
        with run.watch.stage(f"scoring {name}", len(metrics)) as step:
            for metric in metrics:
                found = await score_with(metric, items, context, name)
                run.failures.extend(failure for score in found for failure in score.failures)
                scores.extend(found)
                step()
    return Done(items, tuple(scores))


async def compare_cells(
    run: Run,
    couples: Iterable[tuple[str, str]],
    done: Mapping[str, Done],
    metrics: Sequence[Metric],
    context: Context,
) -> list[Difference]:
    """The first of each couple minus its second, by every metric."""
    couples = list(couples)
    differences: list[Difference] = []
    if not couples or not metrics:
        return []
    with run.watch.stage("comparing", len(couples) * len(metrics)) as step:
        for first, second in couples:
            ours, theirs = ((name, done[name].items, done[name].scores) for name in (first, second))
            for metric in metrics:
                found = await guarded(
                    compare(metric, ours, theirs, context),
                    f"{first} - {second}",
                    metric.card.name,
                )
                if isinstance(found, Failure):
                    run.failures.append(found)
                elif found is not None:
                    differences.append(found)
                step()
    return differences
