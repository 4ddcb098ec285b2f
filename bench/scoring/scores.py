"""From evaluations to scores: means with what is missing, bounds, intervals and comparisons.

All of it is a function of the evaluations and asks nobody. Values of one cluster (the answers of
one patient) may depend on each other: where items have clusters, intervals draw whole clusters.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from bench.api.evaluation import Evaluation
from bench.api.item import About, Items, answers_of
from bench.api.metric import MetricCard, PartCard
from bench.api.score import ALL, Interval, Score
from bench.scoring.intervals import (
    bonett_price,
    cluster_bootstrap,
    cluster_bootstrap_difference,
    mcnemar,
    mean_interval,
    wilson,
)

NO_ITEMS = Items(())
WHOLE = (ALL, ALL)
"""The group of all items."""
TOO_FEW = "no interval: fewer than three patients"
GROUPS = (ALL, "department", "sex", "age")
"""What groups are made by, in order."""
Group = tuple[str, str]
"""What a group is made by, and its name."""


@dataclass
class _Tally:
    """The values of one part in one group."""

    values: dict[str, list[float]] = field(default_factory=dict)
    """By item; an item that was looked at stands here, be it without values."""
    clusters: dict[str, list[float]] = field(default_factory=dict)
    """By cluster; an item without one is its own."""
    clustered: bool = False
    """Whether any item has one."""
    missing: int = 0
    assumed: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    """Why values are missing, by outcome of the failure."""
    notes: dict[str, None] = field(default_factory=dict)
    longest: int = 1

    def add(self, found: Evaluation, part: PartCard) -> None:
        """Count one item."""
        values = found.values.get(part.name, ())
        self.values.setdefault(found.item, []).extend(values)
        self.clustered |= bool(found.cluster)
        self.clusters.setdefault(found.cluster or found.item, []).extend(values)
        self.missing += found.missing.get(part.name, 0)
        self.assumed += found.assumed.get(part.name, 0)
        self.longest = max(self.longest, found.answers)
        self.notes.update(dict.fromkeys(found.notes))
        if part.name in found.left_out:
            self.left_out[found.left_out[part.name]] += 1
        if found.missing.get(part.name) or found.assumed.get(part.name):
            self.outcomes.update(failure.outcome for failure in found.failures)

    @property
    def flat(self) -> list[float]:
        """All values in order."""
        return [value for several in self.values.values() for value in several]


def _groups(found: Evaluation) -> Iterator[Group]:
    yield WHOLE
    yield from About("", "", found.department, found.sex, found.age).groups


def _tallies(
    card: MetricCard, evaluations: Iterable[Evaluation]
) -> dict[tuple[str, Group], _Tally]:
    """The tally of each part and group, groups in the order in which they are met."""
    whole = {(part.name, WHOLE): _Tally() for part in card.every_part}
    others: dict[tuple[str, Group], _Tally] = {}
    for found in evaluations:
        for group in _groups(found):
            for part in card.every_part:
                place = (part.name, group)
                known = whole if group == WHOLE else others
                known.setdefault(place, _Tally()).add(found, part)
    return whole | others


def scores_of(
    card: MetricCard, evaluations: Iterable[Evaluation], items: Items, signature: str
) -> list[Score]:
    """The scores of every part, over all items and in each department, sex and age band.

    O(values), and 10,000 resamples of the clusters where there are any.
    """
    tallies = _tallies(card, evaluations)
    parts = {part.name: part for part in card.every_part}
    for group in (group for who in items.lacking for group in who.groups):
        for name in parts:
            tallies.setdefault((name, group), _Tally())  # a group of which nothing was made
    longest = max((tally.longest for tally in tallies.values()), default=1)
    items = replace(items, answers=max(items.answers, longest))
    return [
        _score(card, parts[name], group, tally, items, signature)
        for (name, group), tally in sorted(tallies.items(), key=_order(parts))
    ]


def _order(parts: dict[str, PartCard]) -> Any:
    """Parts in the card's order, the whole before its groups, groups of a kind as they are met."""
    places = list(parts)
    return lambda entry: (places.index(entry[0][0]), GROUPS.index(entry[0][1][0]))


def _score(
    card: MetricCard, part: PartCard, group: Group, tally: _Tally, items: Items, signature: str
) -> Score:
    flat = tally.flat
    unseen = _unseen(part, group, items)
    missing = tally.missing + unseen
    value, interval = _mean(tally, part) if flat else (None, None)
    if interval is not None:  # one by t may reach beyond what can be
        interval = interval.within(part.ends)
    notes = [*items.notes, *tally.notes, *_told(tally, items.kind, unseen, interval)]
    return _made(
        card,
        part,
        group,
        value=value,
        n=len(flat),
        n_missing=missing + tally.assumed,
        interval=interval,
        bounds=_bounds(part, flat, missing, tally.assumed),
        signature=pinned(signature, part, items),
        notes=tuple(dict.fromkeys(notes)),
    )


def _made(card: MetricCard, part: PartCard, group: Group, **figures: Any) -> Score:
    by, name = group
    named = {"metric": card.name, "part": part.name, "by": by, "group": name}
    return Score(**named, unit=part.unit, better=part.better, **figures)


def pinned(signature: str, part: PartCard, items: Items) -> str:
    """What pins a figure: the metric, its part, and how the items were made."""
    return "|".join(filter(None, (signature, part.pins, items.signature)))


def _unseen(part: PartCard, group: Group, items: Items) -> int:
    """Values of items that were planned and never made."""
    each = items.answers if part.per == "answer" else 1
    lacking = sum(
        count for who, count in items.lacking.items() if group == WHOLE or group in who.groups
    )
    return lacking * each


def _mean(tally: _Tally, part: PartCard) -> tuple[float, Interval | None]:
    """The mean of all values, each counting once, with its interval."""
    if tally.clustered:
        return cluster_bootstrap(tally.clusters, share=part.unit == "share")
    flat = tally.flat
    if part.unit == "share" and _binary(flat):
        right = round(math.fsum(flat))
        return right / len(flat), wilson(right, len(flat))
    return mean_interval(flat)


def _binary(values: Sequence[float]) -> bool:
    return set(values) <= {0.0, 1.0}


def _bounds(
    part: PartCard, flat: Sequence[float], missing: int, assumed: int
) -> tuple[float, float] | None:
    """The mean with all that is missing at its worst and at its best, low before high.

    Assumed values stand at the worst already.
    """
    planned = len(flat) + missing
    if part.ends is None or not planned:
        return None
    total = math.fsum(flat)
    low, high = part.ends
    reach = assumed * (high - low)
    up, down = (reach, 0.0) if part.better == "higher" else (0.0, reach)
    return (total + missing * low - down) / planned, (total + missing * high + up) / planned


def _told(tally: _Tally, kind: str, unseen: int, interval: Interval | None) -> Iterator[str]:
    """What was left out, what stands for something missing, and why there is no value."""
    one = kind.removesuffix("s")
    for reason, count in tally.left_out.items():
        yield f"{count} {one if count == 1 else kind} left out: {reason}"
    if tally.assumed:
        yield f"{tally.assumed} without an answer counted as worst"
    if tally.flat:
        if interval is None and tally.clustered:
            few = sum(map(bool, tally.clusters.values())) < 3
            yield TOO_FEW if few else "no interval: all patients alike"
        return
    if tally.outcomes:
        counted = sorted(tally.outcomes.items())
        yield f"every value failed: {', '.join(f'{name} {count}' for name, count in counted)}"
    elif not tally.left_out:
        yield f"nothing to score: no {one} was made" if unseen else "nothing to score"


def differences_of(
    card: MetricCard,
    first: Iterable[Evaluation],
    second: Iterable[Evaluation],
    signature: str = "",
    items: Items = NO_ITEMS,
) -> list[Score]:
    """First minus second for every part and group, on the items (or clusters) that both have.

    Yes/no values by Bonett and Price's interval with McNemar's exact test, others by a paired t
    interval; where items have clusters, by clusters drawn for both sides at once. Missing are those
    of which one side has no value. `items` are the first side's.
    """
    ours, theirs = _tallies(card, first), _tallies(card, second)
    parts = {part.name: part for part in card.every_part}
    found: list[Score] = []
    for (name, group), tally in sorted(ours.items(), key=_order(parts)):
        other = theirs.get((name, group))
        part = parts[name]
        figures = _difference(tally, other, part) if other else None
        if figures is not None:
            figures["signature"] = pinned(signature, part, items)
            found.append(_made(card, part, group, **figures))
    return found


def _difference(ours: _Tally, theirs: _Tally, part: PartCard) -> dict[str, Any] | None:
    share = part.unit == "share"
    if ours.clustered and theirs.clustered:
        drawn = cluster_bootstrap_difference(ours.clusters, theirs.clusters, share=share)
        if drawn is None:
            return None
        value, interval, n = drawn
        lacking = len({*ours.clusters, *theirs.clusters}) - n
        return {"value": value, "interval": interval, "n": n, "n_missing": lacking}
    shared = [item for item, values in ours.values.items() if values and theirs.values.get(item)]
    if not shared:
        return None
    pairs = [(_average(ours.values[item]), _average(theirs.values[item])) for item in shared]
    left, right = [one for one, _ in pairs], [other for _, other in pairs]
    counts = {"n": len(pairs), "n_missing": len({*ours.values, *theirs.values}) - len(pairs)}
    if not (share and _binary(left) and _binary(right)):
        value, interval = mean_interval([one - other for one, other in pairs])
        return {"value": value, "interval": interval, **counts}
    n, only = len(pairs), (pairs.count((1.0, 0.0)), pairs.count((0.0, 1.0)))
    return {
        "value": (only[0] - only[1]) / n,
        "interval": bonett_price(*only, n),
        **counts,
        "p_value": mcnemar(*only),
        "discordant": only,
    }


def _average(values: Sequence[float]) -> float:
    return values[0] if len(values) == 1 else math.fsum(values) / len(values)


def no_scores(card: MetricCard, items: Items, note: str, signature: str = "") -> list[Score]:
    """Of a metric that could score nothing: every item is missing."""
    planned = items.missing + sum(1 for _ in items)
    answers = items.missing * items.answers + sum(map(answers_of, items))
    return [
        _made(
            card,
            part,
            WHOLE,
            value=None,
            n=0,
            n_missing=answers if part.per == "answer" else planned,
            signature=signature,
            notes=(*items.notes, note),
        )
        for part in card.every_part
    ]
