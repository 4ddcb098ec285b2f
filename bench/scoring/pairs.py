"""Pair metrics: kernels of the groups of each cell, then all means and differences in one pass.

Pairs are all unordered pairs within a group; groups weigh the same. A mean over pairs is a
U-statistic; so is the difference of two, whose kernel is the difference of their kernels.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.api.cell import Cell
from bench.api.context import Context
from bench.api.evaluation import Evaluation
from bench.api.failure import Failure, Unscored, guarded
from bench.api.item import About, Items, about
from bench.api.metric import MetricCard
from bench.api.pair_metric import (
    Grouping,
    Kernel,
    Matrix,
    Pairs,
    Texts,
    View,
    group_of,
    runs,
    view_text,
)
from bench.api.score import Score
from bench.core.concurrency import ordered_map
from bench.scoring.intervals import FEW_PAIRS, SOME_PAIRS, PairMoments, macro_pair_mean
from bench.scoring.sampling import number_of_pairs, sampled_pairs

FEW = 10
"""Records of a group below which simulated coverage of the 95 % interval falls under 0.9."""
NO_PAIR = "no two records to compare"
NO_INTERVAL = "no interval: a group has fewer than four records"
TOO_NARROW = "the interval may be too narrow"
NOT_DRAWN = "in no pair of the sample"
Couple = tuple[Cell, Cell]
Grouped = dict[str, dict[str, tuple[str, About]]]
"""Text and what is known of each item by its id, by group."""


@dataclass(frozen=True)
class Group:
    """The items of one group of a cell, in the common order, and their kernel."""

    who: Sequence[About]
    kernel: Any
    """A `Kernel`; of a metric with a budget a `ListedKernel`."""

    @cached_property
    def ids(self) -> frozenset[str]:
        """The ids of the items."""
        return frozenset(one.id for one in self.who)


@dataclass(frozen=True)
class Side:
    """One cell."""

    items: Items
    groups: Mapping[str, Group]
    alone: tuple[str, ...]
    """Groups of one item, which have no pair."""

    @property
    def lacking(self) -> Counter[str]:
        """How many items of each group are in no pair: never made, or alone."""
        lacking = Counter(self.alone)
        for who, count in self.items.lacking.items():
            lacking[who.department] += count
        return lacking

    def ids(self, group: str) -> frozenset[str]:
        """The items of a group."""
        return self.groups[group].ids if group in self.groups else frozenset()


@dataclass
class _Sums:
    """Sums over the pairs of one group, built up block by block."""

    rows: NDArray[np.float64]
    """Shape (n,): sum of each item's similarities with the others."""
    squares: float = 0.0

    def add(self, block: Matrix, rows: slice, columns: slice) -> None:
        """Add a block above the diagonal, or on it."""
        if rows == columns:
            np.fill_diagonal(block, 0.0)
            self.squares += float(np.sum(block * block))
        else:
            self.rows[columns] += block.sum(axis=0)
            self.squares += 2 * float(np.sum(block * block))
        self.rows[rows] += block.sum(axis=1)

    def moments(self, held: NDArray[np.bool_]) -> PairMoments:
        """Of the items that are there."""
        return PairMoments(row_sums=self.rows[held], sum_of_squares=self.squares)


@dataclass(frozen=True)
class PairScores:
    """What the pairs of some cells give."""

    scores: Mapping[Cell, list[Score]] = field(default_factory=dict)
    evaluations: Mapping[Cell, list[Evaluation]] = field(default_factory=dict)
    differences: Mapping[Couple, list[Score]] = field(default_factory=dict)
    failed: Mapping[Cell, Unscored] = field(default_factory=dict)
    """Cells whose kernel failed, and why: they have neither scores nor differences."""


async def score_pairs(
    metric: Any,
    cells: Mapping[Cell, Items],
    couples: Sequence[Couple],
    context: Context,
) -> PairScores:
    """The scores of some cells and of the differences between couples of them.

    The kernel of each group of a cell is built once; a cell of which one fails has no value, and
    costs no other cell its own. O(n^2) for a group of n items, in blocks: memory is that of the
    kernels and of one block for each cell.

    Raises:
        UserError: the run cannot go on.
    """
    read = {cell: _grouped(metric, items) for cell, items in cells.items()}
    order = _merged(read.values())
    budget = getattr(metric, "budget", None)
    drawn: dict[str, Pairs] = {}
    sample = f"sample:circulant|budget:{budget}|seed:{context.seed}" if budget is not None else ""
    if budget is not None:
        drawn = {group: sampled_pairs(ids, budget, context.seed) for group, ids in order.items()}
    sides: dict[Cell, Side] = {}
    scores: dict[Cell, list[Score]] = {}
    failed: dict[Cell, Unscored] = {}
    pinned = signature(metric, context)
    for cell, texts in read.items():
        groups = await _groups(metric, texts, order, drawn, context)
        if isinstance(groups, Unscored):
            failed[cell] = groups
            continue
        alone = tuple(group for group, items in texts.items() if len(items) == 1)
        sides[cell] = Side(cells[cell], groups, alone)
        texts.clear()  # the words are the kernels' now: they are not held twice
    paired = [couple for couple in couples if couple[0] in sides and couple[1] in sides]
    moments = await asyncio.to_thread(_moments, sides, paired, order, drawn)
    evaluations: dict[Cell, list[Evaluation]] = {}
    for cell, side in sides.items():
        own = {group: found for (who, group), found in moments.items() if who == cell}
        made = "|".join(filter(None, (pinned, side.items.signature)))
        notes, held = side.items.notes, (*side.groups, *side.alone)
        ends = metric.card.every_part[0].ends
        scores[cell] = _scores(metric, own, side.lacking, made, sample, notes, held, ends)
        evaluations[cell] = list(_evaluations(own, side))
    differences: dict[Couple, list[Score]] = {couple: [] for couple in couples}
    for couple in paired:
        own = {group: found for (who, group), found in moments.items() if who == couple}
        first, second = (sides[cell] for cell in couple)
        if own:
            differences[couple] = _differences(metric, own, first, second, pinned, sample)
    return PairScores(scores, evaluations, differences, failed)


async def _groups(
    metric: Any,
    texts: Grouped,
    order: Mapping[str, Sequence[str]],
    drawn: Mapping[str, Pairs],
    context: Context,
) -> dict[str, Group] | Unscored:
    """The groups of a cell that have a pair, or why the first kernel that fails does.

    Where a metric has a budget its few exchanges of all groups go together.
    """
    asked: dict[str, Texts] = {}
    for group, items in texts.items():
        held = np.array([identity in items for identity in order[group]])
        ids = [identity for identity in order[group] if identity in items]
        own = Texts([items[identity][0] for identity in ids], ids)
        if group in drawn:
            mine = _own_pairs(drawn[group], held)
            own = replace(own, pairs=mine, sampled=_sampled(drawn[group], held))
        if len(ids) > 1:
            asked[group] = own

    async def kernel(own: Texts) -> Any:
        found = await guarded(metric.kernel(own, context), "*", "scoring")
        if isinstance(found, Failure):
            raise Unscored(f"failed: {found.reason}", (found,))
        return found

    at_once = max(1, len(asked)) if drawn else 1
    try:
        kernels = [found async for found in ordered_map(kernel, asked.values(), at_once)]
    except Unscored as reason:
        named = {"metric": metric.card.name}
        failures = [one.model_copy(update=named) for one in reason.failures]
        return Unscored(reason.reason, failures)
    return {
        group: Group([texts[group][identity][1] for identity in own.ids], found)
        for (group, own), found in zip(asked.items(), kernels, strict=True)
    }


def _sampled(drawn: Pairs, held: NDArray[np.bool_]) -> bool:
    """Whether the pairs drawn of a group, of which a cell holds some items, are a sample."""
    return len(drawn) < number_of_pairs(len(held))


def _own_pairs(drawn: Pairs, held: NDArray[np.bool_]) -> Pairs:
    """Those pairs of the common order of which a cell holds both, by its own places."""
    own: Pairs = (np.cumsum(held) - 1)[drawn[held[drawn].all(axis=1)]]
    return own


def signature(metric: Any, context: Context) -> str:
    """What a metric says pins its meaning; its name if it says nothing."""
    said = getattr(metric, "signature", None)
    return str(said(context)) if said is not None else str(metric.card.name)


def _grouped(metric: Any, items: Items) -> Grouped:
    """The texts of each group, groups and items in file order; no item is held."""
    pairs: Grouping = getattr(metric, "pairs", "department")
    view: View = getattr(metric, "view", "full")
    groups: Grouped = {}
    for item in items:
        text = view_text(item, view), about(item)
        groups.setdefault(group_of(item, pairs), {})[item.id] = text
    return groups


def _merged(read: Iterable[Grouped]) -> dict[str, list[str]]:
    """The ids of each group in one order that keeps each cell's own, as far as they agree."""
    merged: dict[str, list[str]] = {}
    for groups in read:
        for group, items in groups.items():
            merged[group] = _woven(merged.get(group, ()), list(items))
    return merged


def _woven(known: Sequence[str], more: Sequence[str]) -> list[str]:
    """Both lists in one: what only the second has stands after what it follows there. O(n)."""
    old = set(known)
    after: dict[str | None, list[str]] = {}
    last: str | None = None
    for identity in more:
        if identity in old:
            last = identity
        else:
            after.setdefault(last, []).append(identity)
    made = list(after.get(None, ()))
    for identity in known:
        made += (identity, *after.get(identity, ()))
    return made


def _moments(
    sides: Mapping[Cell, Side],
    couples: Sequence[Couple],
    order: Mapping[str, Sequence[str]],
    drawn: Mapping[str, Pairs],
) -> dict[tuple[Cell | Couple, str], PairMoments]:
    """The sums of each cell and couple within each group that has two items of it."""
    found: dict[tuple[Cell | Couple, str], PairMoments] = {}
    for group, ids in order.items():
        held = {
            cell: np.array([identity in side.ids(group) for identity in ids], dtype=bool)
            for cell, side in sides.items()
            if group in side.groups
        }
        asked = [couple for couple in couples if couple[0] in held and couple[1] in held]
        kernels = {cell: sides[cell].groups[group].kernel for cell in held}
        if group in drawn:
            own = _of_sample(drawn[group], kernels, held, asked)
        else:
            own = _of_group(len(ids), kernels, held, asked)
        found |= {(name, group): moments for name, moments in own.items()}
    return found


def _of_sample(
    drawn: Pairs,
    kernels: Mapping[Cell, Any],
    held: Mapping[Cell, NDArray[np.bool_]],
    couples: Sequence[Couple],
) -> dict[Cell | Couple, PairMoments]:
    """The sums over the pairs that were drawn of a group; of couples over those that both have."""
    values: dict[Cell | Couple, NDArray[np.float64]] = {}
    for cell, kernel in kernels.items():
        values[cell] = np.full(len(drawn), np.nan)  # of a pair that the cell lacks
        values[cell][held[cell][drawn].all(axis=1)] = kernel.values
    for couple in couples:
        values[couple] = values[couple[0]] - values[couple[1]]
    found: dict[Cell | Couple, PairMoments] = {}
    for name, own in values.items():
        known = ~np.isnan(own)
        if not known.any():
            continue
        ends, twice = drawn[known].ravel(), np.repeat(own[known], 2)
        there = held[name] if isinstance(name, Cell) else held[name[0]] & held[name[1]]
        sums = np.bincount(ends, twice, minlength=len(there)).astype(np.float64)
        partners = np.bincount(ends, minlength=len(there))
        squares = float(np.sum(twice * twice))
        sample = partners[there] if _sampled(drawn, there) else None
        found[name] = PairMoments(sums[there], squares, sample)
    return found


def _of_group(
    size: int,
    kernels: Mapping[Cell, Kernel],
    held: Mapping[Cell, NDArray[np.bool_]],
    couples: Sequence[Couple],
) -> dict[Cell | Couple, PairMoments]:
    """One pass over the blocks of a group."""
    short: dict[Cell | Couple, PairMoments] = {}
    for cell, kernel in kernels.items():
        own = getattr(kernel, "moments", None)
        if own is not None:
            short[cell] = own()
    summed = [cell for cell in held if cell not in short]
    both = {couple: held[couple[0]] & held[couple[1]] for couple in couples}
    both = {couple: shared for couple, shared in both.items() if shared.sum() > 1}
    needed = [cell for cell in held if cell in summed or any(cell in couple for couple in both)]
    places: dict[Cell | Couple, NDArray[np.bool_]] = {cell: held[cell] for cell in summed}
    places.update(both.items())
    sums = {name: _Sums(np.zeros(size)) for name in places}
    before = {cell: np.concatenate([[0], np.cumsum(held[cell])]) for cell in needed}
    for rows in runs(0, size):
        for columns in runs(rows.start, size):
            blocks = {
                cell: _block(kernels[cell], held[cell], before[cell], rows, columns)
                for cell in needed
            }
            for (first, second), shared in both.items():
                apart = blocks[first] - blocks[second]
                if not shared.all():
                    apart *= shared[rows, None] & shared[None, columns]
                sums[first, second].add(apart, rows, columns)
            for cell in summed:
                sums[cell].add(blocks[cell], rows, columns)
    return short | {name: sums[name].moments(places[name]) for name in sums}


def _block(
    kernel: Kernel,
    held: NDArray[np.bool_],
    before: NDArray[np.int64],
    rows: slice,
    columns: slice,
) -> Matrix:
    """Similarities in the places of the common order; 0 where the cell lacks an item."""
    own_rows, own_columns = (
        slice(int(before[run.start]), int(before[run.stop])) for run in (rows, columns)
    )
    shape = rows.stop - rows.start, columns.stop - columns.start
    if own_rows.start == own_rows.stop or own_columns.start == own_columns.stop:
        return np.zeros(shape)
    block = np.array(kernel.block(own_rows, own_columns), dtype=np.float64)
    if held[rows].all() and held[columns].all():
        return block
    whole = np.zeros(shape)
    whole[np.ix_(held[rows], held[columns])] = block
    return whole


def _scores(
    metric: Any,
    moments: Mapping[str, PairMoments],
    lacking: Mapping[str, int],
    signature: str,
    sample: str = "",
    notes: Sequence[str] = (),
    held: Sequence[str] = (),
    ends: tuple[float, float] | None = None,
) -> list[Score]:
    """The macro mean over groups; where the groups are departments, each of them too.

    Groups that are `held` and have no pair, or of which all items are `lacking`, are shown without
    a value. `sample` ends the signature of figures over samples.
    """
    card: MetricCard = metric.card

    def score(groups: Mapping[str, PairMoments], missing: int, *more: str, **by: str) -> Score:
        found = list(groups.values())
        value, interval = macro_pair_mean(found) if found else (None, None)
        return Score(
            metric=card.name,
            value=value,
            unit=card.unit,
            better=card.better,
            n=sum(one.n for one in found),
            n_missing=missing,
            interval=interval and interval.within(ends),
            signature="|".join((signature, sample)) if any(map(_is_sample, found)) else signature,
            notes=(*notes, *more, *_remarks(found)),
            **by,
        )

    without = len(set(held) - moments.keys())
    single = [f"{without} group(s) without a pair left out"] if without else []
    scores = [score(moments, sum(lacking.values()), *single)]
    if getattr(metric, "pairs", "department") == "department":
        for name in filter(None, dict.fromkeys((*moments, *held, *lacking))):
            own = {name: moments[name]} if name in moments else {}
            scores.append(score(own, lacking.get(name, 0), by="department", group=name))
    return scores


def _is_sample(moments: PairMoments) -> bool:
    return moments.sampled is not None


def _differences(
    metric: Any,
    moments: Mapping[str, PairMoments],
    first: Side,
    second: Side,
    signature: str,
    sample: str,
) -> list[Score]:
    """Of the groups in which both sides have a pair; missing are the items of one side alone."""
    groups = {**first.groups, **second.groups}
    lacking = Counter({name: len(first.ids(name) ^ second.ids(name)) for name in groups})
    made = "|".join(filter(None, (signature, first.items.signature)))
    own = {name: lacking[name] for name in moments}
    whole, *others = _scores(metric, moments, own, made, sample)
    return [whole.model_copy(update={"n_missing": lacking.total()}), *others]


def _remarks(moments: Sequence[PairMoments]) -> Iterator[str]:
    """What is to be said of a mean over some groups."""
    if not moments:
        yield NO_PAIR
        return
    sampled = [one.pairs for one in moments if _is_sample(one)]
    if sampled:
        drawn = sum(one.pairs for one in moments)
        every = sum(number_of_pairs(len(one.row_sums)) for one in moments)
        yield f"a sample of {drawn:,} of {every:,} pairs"
    if sampled and min(sampled) < FEW_PAIRS:
        yield f"no interval: a group has only {min(sampled)} pairs, and it takes {FEW_PAIRS}"
    elif sampled and min(sampled) < SOME_PAIRS:
        yield f"a group has only {min(sampled)} pairs: {TOO_NARROW}"
    elif (least := min(found.n for found in moments)) < FEW:
        yield f"a group has fewer than {FEW} records: {TOO_NARROW}" if least > 3 else NO_INTERVAL


def _evaluations(moments: Mapping[str, PairMoments], side: Side) -> Iterator[Evaluation]:
    """Of each item its mean similarity with the others of its group."""
    for name, group in side.groups.items():
        keys = getattr(group.kernel, "keys", ())
        nothing = np.zeros(len(group.who), dtype=np.int64)
        found = moments.get(name, PairMoments(nothing.astype(float), 0.0, nothing))
        each = np.full(len(group.who), found.n - 1) if found.sampled is None else found.sampled
        summed = zip(group.who, found.row_sums.tolist(), each.tolist(), strict=True)
        for at, (who, total, partners) in enumerate(summed):
            yield Evaluation(
                item=who.id,
                department=who.department,
                sex=who.sex,
                age=who.age,
                values={"": (total / partners,)} if partners else {},
                left_out={} if partners else {"": NOT_DRAWN},
                keys=keys[at] if at < len(keys) else (),
            )
