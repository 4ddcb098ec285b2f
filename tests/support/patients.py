"""Records, contexts and scores outside a run, for tests of metrics."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from bench.api.adapters import method_of
from bench.api.cell import Cell
from bench.api.context import Context
from bench.api.evaluation import Evaluation
from bench.api.failure import Failure
from bench.api.item import About, Items
from bench.api.score import Interval, Score
from bench.backbones.respondent import Respondent
from bench.journal.journal import Journal
from bench.records.record import (
    BasicInformation,
    DiseaseInformation,
    Epidemiology,
    PatientRecord,
)
from bench.scoring.evaluations import evaluate
from bench.scoring.pairs import PairScores, score_pairs, signature
from bench.scoring.scores import differences_of, scores_of


def patient(identity: str, department: str, text: str, disease: str = "angina") -> PatientRecord:
    """A record that holds a text, one symptom a line."""
    return PatientRecord(
        id=identity,
        department=department,
        basic_information=BasicInformation(name=f"Name {identity}", gender="female", age=50),
        epidemiology=Epidemiology(
            medical_history=(), lifestyle=(), vaccination_history=(), family_history=()
        ),
        disease_information=DiseaseInformation(disease=disease, symptoms=tuple(text.split("\n"))),
        examination_results=(),
    )


def context(journal: Journal, roles: Mapping[str, Respondent] | None = None) -> Context:
    """A context for metrics that ask no outline."""
    return Context(journal=journal, outlines=cast(Any, None), roles=roles or {})


def lacking(count: int, department: str = "") -> Counter[About]:
    """Items that were planned and are not there."""
    return Counter({About("", department=department): count})


ONE, OTHER = Cell(method="one"), Cell(method="other")


def items_of(given: Items | Iterable[Any], kind: str) -> Items:
    """Items as a stage gives them; nothing was planned but what is there."""
    return given if isinstance(given, Items) else Items(list(given), kind)


async def evaluated(
    metric: Any, given: Items | Iterable[Any], context: Context
) -> list[Evaluation]:
    """The evaluations of an item metric."""
    items = items_of(given, metric.card.takes)
    return [found async for found in evaluate(metric, items, context)]


async def paired(metric: Any, context: Context, *sides: Items | Iterable[Any]) -> PairScores:
    """What a pair metric gives of one cell or two, the first minus the second."""
    cells = (ONE, OTHER)[: len(sides)]
    items = {
        cell: items_of(side, metric.card.takes) for cell, side in zip(cells, sides, strict=True)
    }
    couples = [(ONE, OTHER)] if len(sides) == 2 else []
    return await score_pairs(metric, items, couples, context)


async def scored(metric: Any, given: Items | Iterable[Any], context: Context) -> list[Score]:
    """All scores of an item or pair metric: of each part, over all items and in each group."""
    if method_of(metric) == "kernel":
        return list((await paired(metric, context, given)).scores[ONE])
    items = items_of(given, metric.card.takes)
    found = await evaluated(metric, items, context)
    return scores_of(metric.card, found, items, signature(metric, context))


async def compared(
    metric: Any, first: Items | Iterable[Any], second: Items | Iterable[Any], context: Context
) -> list[Score]:
    """First minus second, of each part, over all items and in each group."""
    if method_of(metric) == "kernel":
        return list((await paired(metric, context, first, second)).differences[ONE, OTHER])
    ours, theirs = await evaluated(metric, first, context), await evaluated(metric, second, context)
    items = items_of(first, metric.card.takes)
    return differences_of(metric.card, ours, theirs, signature(metric, context), items)


def figure(scores: Sequence[Score], part: str = "", group: str = "all") -> Score:
    """The score of a part in a group."""
    (found,) = [score for score in scores if (score.part, score.group) == (part, group)]
    return found


def ends(interval: Interval | None) -> tuple[float, float]:
    """Both ends of an interval that must be there."""
    assert interval is not None
    return interval.low, interval.high


def departments(scores: Sequence[Score], part: str = "") -> dict[str, float | None]:
    """The value of a part within each department."""
    own = [score for score in scores if score.part == part and score.by == "department"]
    return {score.group: score.value for score in own}


def item_values(evaluations: Iterable[Evaluation], part: str = "") -> dict[str, tuple[float, ...]]:
    """The values of a part by item."""
    return {one.item: one.values[part] for one in evaluations if part in one.values}


def failures_of(evaluations: Iterable[Evaluation]) -> list[Failure]:
    """Every failure, in order of the items."""
    return [failure for one in evaluations for failure in one.failures]
