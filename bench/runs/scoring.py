"""Scoring records made elsewhere: some metrics over some items, without a run folder."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bench.context import Context
from bench.journal.journal import Journal
from bench.knowledge.library import Library
from bench.runs.experiment import Choice
from bench.runs.plugged import as_scores
from bench.runs.team import Team
from bench.scoring import Items, Metric, Score


async def score_items(
    items: Items,
    metrics: Sequence[Metric],
    roles: Mapping[str, Choice],
    *,
    encoder: str | None = None,
    journal: Path | None = None,
    at_once: int = 32,
    step: Callable[[], object] = lambda: None,
) -> list[Score]:
    """The scores of all metrics in order; `step` is called after each metric.

    Raises:
        UserError: if a backbone cannot be made, or a metric lacks what it needs.
    """
    kept = Journal.open(journal)
    team = Team(kept, at_once=at_once)
    try:
        engaged = {role: team.engage(role, choice) for role, choice in roles.items()}
        context = Context(kept, Library(), engaged, encoder, at_once)
        scores: list[Score] = []
        for metric in metrics:
            scores.extend(as_scores(await metric.score(items, context), metric, items))
            step()
        return scores
    finally:
        await team.close()
        await kept.close()
