"""Scores what the stages of a run make: evaluations on disk, then results from them."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, TypeVar

from bench.api.adapters import method_of, whole_scores
from bench.api.cell import Cell
from bench.api.choice import Choice
from bench.api.context import Context, Watch
from bench.api.evaluation import Evaluation
from bench.api.failure import Failure, Unscored, guarded
from bench.api.item import Items
from bench.api.score import Score
from bench.api.stage import Stage
from bench.core.atomic import writing
from bench.experiments.assembly import Assembly
from bench.report.results import Result
from bench.runs.folder import RunFolder
from bench.scoring.evaluations import EvaluationFile, as_line, evaluate, of_values
from bench.scoring.pairs import score_pairs, signature
from bench.scoring.scores import differences_of, no_scores, scores_of

T = TypeVar("T")
Place = tuple[str, str, Cell]
"""Stage, metric, and the cell of the evaluations."""


class Scorer:
    """Every metric over every cell of the items that it takes."""

    def __init__(
        self,
        assembly: Assembly,
        folder: RunFolder,
        context: Callable[[Mapping[str, Choice]], Context],
        watch: Watch,
    ) -> None:
        """`context` gives a context in which some backbones fill the roles."""
        self._assembly = assembly
        self._folder = folder
        self._context = context
        self._watch = watch
        self._scores: dict[Place, list[Score]] = {}
        self._differences: dict[tuple[Place, Cell], list[Score]] = {}
        self._failures: dict[Place, list[Failure]] = defaultdict(list)
        self._pins: dict[Place, tuple[Items, str]] = {}
        self._evaluated: set[Place] = set()
        """What has evaluations of this execution; an older file is not looked at."""

    def begin(self, group: asyncio.TaskGroup, stage: Stage, cell: Cell, items: Items) -> None:
        """Begin to score a cell that was made, by the metrics that look at one cell alone."""
        for metric, own, chosen in self._assembly.judgements(stage, cell):
            if method_of(metric) != "kernel":
                group.create_task(self._score_cell(stage, metric, own, items, chosen))

    async def score_together(self, stage: Stage, items: Mapping[Cell, Items]) -> None:
        """Score all cells of a stage by the metrics over pairs: their kernels are compared."""
        for metric, _, chosen in self._assembly.judgements(stage, Cell()):
            if method_of(metric) == "kernel":
                await self._score_pairs(stage, metric, items, chosen)

    async def _score_cell(
        self, stage: Stage, metric: Any, cell: Cell, items: Items, chosen: Mapping[str, Choice]
    ) -> None:
        """One metric over one cell; what it could not score is among the failures."""
        context = self._context(chosen)
        work = self._scored(stage, metric, cell, items, context)
        lacking = _unfilled(metric, chosen)
        scores = Unscored(lacking) if lacking else await _or_unscored(work)
        place = (stage.card.name, metric.card.name, cell)
        if isinstance(scores, Unscored):
            work.close()
            self._fail(place, metric, items, scores, signature(metric, context))
        else:
            self._scores[place] = scores
            self._evaluated.add(place)
            self._pins[place] = items, signature(metric, context)

    async def _scored(
        self, stage: Stage, metric: Any, cell: Cell, items: Items, context: Context
    ) -> list[Score]:
        card = metric.card
        if method_of(metric) == "score":
            scores, values, keys = whole_scores(await metric.score(items, context), card, items)
            self._write(card.name, cell, of_values(items, values, keys))
            return scores
        path = self._folder.evaluations(card.name, cell)
        total = sum(1 for _ in items)
        with self._watch.stage(f"{card.name}: {cell}", total) as step, writing(path) as file:
            async for evaluation in evaluate(metric, items, context):
                file.write(as_line(_placed(evaluation, stage, card, cell)))
                step(failed=bool(evaluation.failures))
        pins = signature(metric, context)
        return await asyncio.to_thread(scores_of, card, EvaluationFile(path), items, pins)

    def _write(self, metric: str, cell: Cell, evaluations: Iterable[Evaluation]) -> None:
        with writing(self._folder.evaluations(metric, cell)) as file:
            file.writelines(map(as_line, evaluations))

    def _fail(self, place: Place, metric: Any, items: Items, reason: Unscored, pins: str) -> None:
        """No value for a whole cell: empty scores that say why, and no evaluations of before."""
        name, label, cell = place
        more = {"stage": name, "metric": label, "cell": dict(cell)}
        self._failures[place] += [failure.model_copy(update=more) for failure in reason.failures]
        self._scores[place] = no_scores(metric.card, items, reason.reason, pins)
        self._write(label, cell, ())

    async def _score_pairs(
        self,
        stage: Stage,
        metric: Any,
        items: Mapping[Cell, Items],
        chosen: Mapping[str, Choice],
    ) -> None:
        """One metric over pairs: kernels of all cells, their scores and differences."""
        card, context = metric.card, self._context(chosen)
        own = {
            cell: place
            for cell in items
            for place, who in self._assembly.judged(metric, cell)
            if who == chosen
        }
        cells = {cell: items[cell] for cell in own}
        couples = [couple for couple in stage.compared(list(items)) if own.keys() >= set(couple)]
        with self._watch.stage(f"{card.name}: {stage.card.makes}", len(cells)) as step:
            lacking = _unfilled(metric, chosen)
            work = score_pairs(metric, cells, couples, context)
            scores = Unscored(lacking) if lacking else await _or_unscored(work)
            for cell, own_cell in own.items():
                place = (stage.card.name, card.name, own_cell)
                if isinstance(scores, Unscored):
                    self._fail(place, metric, cells[cell], scores, signature(metric, context))
                elif cell in scores.failed:
                    self._fail(
                        place, metric, cells[cell], scores.failed[cell], signature(metric, context)
                    )
                else:
                    self._scores[place] = scores.scores[cell]
                    self._write(card.name, own_cell, scores.evaluations[cell])
                step(failed=self._scores[place][0].value is None)
        if isinstance(scores, Unscored):
            work.close()
            return
        for (first, second), differences in scores.differences.items():
            place = (stage.card.name, card.name, own[first])
            self._differences[place, own[second]] = differences

    async def results(self) -> list[Result]:
        """All results, in the experiment's order."""
        found: list[Result] = []
        for name, stage in self._assembly.stages.items():
            cells = self._assembly.cells[name]
            for cell in cells:
                for metric, own, chosen in self._assembly.judgements(stage, cell):
                    scores = self._scores.get((name, metric.card.name, own), ())
                    marked = self._marked(stage, cell, chosen)
                    remarks = self._remarks(stage, [cell], chosen)
                    told = (self._with_mark(one, marked, remarks) for one in scores)
                    found += [Result(name, own, one) for one in told]
            for first, second in stage.compared(cells):
                found += await asyncio.to_thread(self._compared, stage, first, second)
        return found

    def _compared(self, stage: Stage, first: Cell, second: Cell) -> list[Result]:
        """The differences of two cells by every metric, with the same judges on both sides."""
        found: list[Result] = []
        name = stage.card.name
        sides = (self._assembly.judgements(stage, cell) for cell in (first, second))
        for (metric, ours, chosen), (_, theirs, _) in zip(*sides, strict=True):
            marked = self._marked(stage, first, chosen) or self._marked(stage, second, chosen)
            remarks = self._remarks(stage, (first, second), chosen)
            place = (name, metric.card.name, ours)
            scores = self._differences.get((place, theirs))
            if scores is None:
                scores = self._differing(metric, place, theirs)
            told = (self._with_mark(one, marked, remarks) for one in scores)
            found += [Result(name, ours, one, theirs) for one in told]
        return found

    def _differing(self, metric: Any, place: Place, other: Cell) -> list[Score]:
        """From the evaluations of both sides; nothing where one has none."""
        card = metric.card
        if not {place, (*place[:2], other)} <= self._evaluated:
            return []
        first, second = (
            EvaluationFile(self._folder.evaluations(card.name, cell)) for cell in (place[2], other)
        )
        items, pins = self._pins[place]
        return differences_of(card, first, second, pins, items)

    def _marked(self, stage: Stage, cell: Cell, chosen: Mapping[str, Choice]) -> bool:
        """Whether the stand-in made any of the items, or judged them."""
        contexts = map(self._context, (self._all_makers(stage, cell), chosen))
        asked = (one.stand_in for context in contexts for one in context.roles.values())
        return stage.by_stand_in(cell) or any(asked)

    def _all_makers(self, stage: Stage, cell: Cell) -> dict[str, Choice]:
        """Who made the items of a cell, and those that they were made from."""
        makers: dict[str, Choice] = {}
        for name in self._assembly.given(stage):
            for other in self._assembly.cells[name]:
                if other.within(cell):
                    makers |= self._all_makers(self._assembly.stages[name], other)
        return makers | self._assembly.makers(stage, cell)

    def _remarks(
        self, stage: Stage, cells: Iterable[Cell], chosen: Mapping[str, Choice]
    ) -> list[str]:
        """What must be known of those that a metric asks, and of those that made the items."""
        asked = self._context(chosen).roles.values()
        makers = [self._context(self._all_makers(stage, cell)).roles.values() for cell in cells]
        notes = (note for group in (*makers, asked) for one in group for note in one.notes)
        return list(dict.fromkeys(filter(None, (*(one.remark for one in asked), *notes))))

    @staticmethod
    def _with_mark(score: Score, stand_in: bool, remarks: Iterable[str]) -> Score:
        notes = (*score.notes, *remarks)
        return score.model_copy(update={"stand_in": stand_in or score.stand_in, "notes": notes})

    def failures(self) -> list[Failure]:
        """What the metrics could not score, in the experiment's order."""
        listed: list[Failure] = []
        for name, stage in self._assembly.stages.items():
            for cell in self._assembly.cells[name]:
                for metric, own, _ in self._assembly.judgements(stage, cell):
                    place = (name, metric.card.name, own)
                    listed += self._failures.get(place, ())
                    path = self._folder.evaluations(metric.card.name, own)
                    if place in self._evaluated:
                        for evaluation in EvaluationFile(path):
                            listed += evaluation.failures
        return listed


def _unfilled(metric: Any, chosen: Mapping[str, Choice]) -> str:
    """What to say of a role that a metric uses and that nobody fills; empty if all are filled."""
    lacking = (reason for role, reason in metric.card.uses.items() if role not in chosen)
    return next(lacking, "")


def _placed(evaluation: Evaluation, stage: Stage, card: Any, cell: Cell) -> Evaluation:
    """The evaluation, its failures with where they were."""
    if not evaluation.failures:
        return evaluation
    where = {"stage": stage.card.name, "metric": card.name, "cell": dict(cell)}
    failures = tuple(failure.model_copy(update=where) for failure in evaluation.failures)
    return evaluation.model_copy(update={"failures": failures})


async def _or_unscored(work: Awaitable[T]) -> T | Unscored:
    """What the work gives, or why it gives nothing.

    Raises:
        UserError: the run cannot go on.
    """
    try:
        found = await guarded(work, "*", "")
    except Unscored as reason:
        return reason
    if isinstance(found, Failure):
        return Unscored(f"failed: {found.reason}", [found])
    return found
