"""Metrics over items: one metric of a run, or several over records made elsewhere."""

from collections.abc import Callable, Collection, Mapping, Sequence

from bench.api.adapters import as_scores
from bench.api.context import Context
from bench.api.failure import Failure, guarded
from bench.api.metric import Items, Metric, Score, Talks, no_score
from bench.experiments.experiment import Choice
from bench.journal.journal import Journal
from bench.knowledge.library import Library
from bench.records.dialogue import Dialogue
from bench.runs.roles import Team
from bench.runs.settings import Settings


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


def remarked(score: Score, drafts: Collection[str]) -> Score:
    """A score that says on which unapproved drafts, by their ids, it rests."""
    if not drafts:
        return score
    remark = f"rests on unapproved drafts of outlines: {', '.join(drafts)}"
    return score.model_copy(update={"notes": (*score.notes, remark)})


def _judged_drafts(items: Items | Talks, outlines: Library) -> list[str]:
    """Ids of the drafts of which there are records."""
    if not any(listing.draft for listing in outlines.listings):
        return []
    records = (one.record if isinstance(one, Dialogue) else one for one in items)
    diseases = {
        (record.origin and record.origin.disease) or record.disease_information.disease
        for record in records
        if record is not None
    }
    found = {outlines.listing(disease) for disease in diseases}
    return sorted(listing.id for listing in found if listing is not None and listing.draft)


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
    drafts = _judged_drafts(items, outlines)
    kept = Journal.open(settings.journal)
    team = Team(kept, outlines, at_once=settings.at_once, retry_failed=settings.retry_failed)
    try:
        engaged = {role: team.engage(role, choice) for role, choice in roles.items()}
        context = Context(kept, outlines, engaged, encoder, settings.at_once)
        scores: list[Score] = []
        for metric in metrics:
            scores.extend(await score_with(metric, items, context, "*"))
            step()
        return [remarked(score, drafts) for score in scores]
    finally:
        await kept.close()
        await team.close()
