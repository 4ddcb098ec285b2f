"""Metrics over items: one metric of a run, or several over records made elsewhere."""

from collections.abc import Callable, Mapping, Sequence

from bench.context import Context
from bench.failure import Failure, guarded
from bench.journal.journal import Journal
from bench.knowledge.library import Library
from bench.runs.experiment import Choice
from bench.runs.plugged import as_scores
from bench.runs.settings import Settings
from bench.runs.team import Team
from bench.scoring import Items, Metric, Score, Talks, no_score


async def score_with(
    metric: Metric, items: Items | Talks, context: Context, label: str
) -> tuple[Score, ...]:
    """The scores of one metric; one that breaks gives an empty score that holds the failure.

    Raises:
        UserError: if the metric lacks what it needs.
    """

    async def scores() -> tuple[Score, ...]:
        return as_scores(await metric.score(items, context), metric, items)

    found = await guarded(scores(), label, metric.card.name)
    if isinstance(found, Failure):
        note = f"failed: {found.reason}"
        return (no_score(metric.card, items, note, failures=(found,)),)
    roles = (*metric.card.needs, *metric.card.uses)
    return tuple(score.model_copy(update={"roles": roles}) for score in found)


async def score_items(
    items: Items | Talks,
    metrics: Sequence[Metric],
    roles: Mapping[str, Choice],
    *,
    encoder: str | None = None,
    outlines: Library | None = None,
    settings: Settings | None = None,
    step: Callable[[], object] = lambda: None,
) -> list[Score]:
    """The scores of all metrics in order; `step` is called after each metric.

    `outlines` are ours if none are given.

    Raises:
        UserError: if a backbone cannot be made, or a metric lacks what it needs.
    """
    outlines, settings = outlines or Library(), settings or Settings()
    kept = Journal.open(settings.journal)
    team = Team(kept, outlines, at_once=settings.at_once, retry_failed=settings.retry_failed)
    try:
        engaged = {role: team.engage(role, choice) for role, choice in roles.items()}
        context = Context(kept, outlines, engaged, encoder, settings.at_once)
        scores: list[Score] = []
        for metric in metrics:
            scores.extend(await score_with(metric, items, context, "*"))
            step()
        return scores
    finally:
        await kept.close()
        await team.close()
