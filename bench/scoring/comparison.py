"""One metric's difference between two methods, on the cases both have."""

from bench.api.context import Context
from bench.api.metric import Compares, Difference, Items, Metric, Score, Talks
from bench.scoring.intervals import mcnemar, mean_interval, paired_share_difference

Side = tuple[str, Items | Talks, tuple[Score, ...]]
"""Name of a method, its records or dialogues, its scores."""


async def compare(metric: Metric, first: Side, second: Side, context: Context) -> Difference | None:
    """First minus second; none where they share nothing to compare.

    A metric that can compare two methods itself does; else per-item values are paired by id:
    yes/no values by Bonett and Price's interval with McNemar's exact test, others by a paired t
    interval. A case that either side lacks leaves both.
    """
    name = metric.card.name
    if isinstance(metric, Compares):
        found = await metric.compare(first[1], second[1], context)
        if found is None:
            return None
        value, interval, n = found
        return Difference(
            metric=name, first=first[0], second=second[0], value=value, interval=interval, n=n
        )
    ours, theirs = (_items(scores, name) for _, _, scores in (first, second))
    shared = [identity for identity in ours if identity in theirs]
    if not shared:
        return None
    left, right = [ours[i] for i in shared], [theirs[i] for i in shared]
    p_value = None
    if metric.card.unit == "share" and set(left) | set(right) <= {0.0, 1.0}:
        yes_left, yes_right = [bool(v) for v in left], [bool(v) for v in right]
        value, interval = paired_share_difference(yes_left, yes_right)
        p_value = mcnemar(yes_left, yes_right)
    else:
        value, interval = mean_interval([a - b for a, b in zip(left, right, strict=True)])
    return Difference(
        metric=name,
        first=first[0],
        second=second[0],
        value=value,
        interval=interval,
        n=len(shared),
        p_value=p_value,
    )


def _items(scores: tuple[Score, ...], name: str) -> dict[str, float]:
    return next((score.items for score in scores if score.metric == name), {})
