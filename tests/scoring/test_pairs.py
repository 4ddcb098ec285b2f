"""Means over pairs and their differences, against brute force."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import combinations, pairwise
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from patients import ONE, OTHER, departments, ends, figure, item_values, lacking, paired, patient

from bench.api import pair_metric
from bench.api.context import Context
from bench.api.failure import Failure, Unscored
from bench.api.item import Items
from bench.api.metric import MetricCard
from bench.api.pair_metric import Kernel, MatrixKernel, PairMetric, Texts, view_text
from bench.api.score import Score
from bench.core.errors import UserError
from bench.records.record import PatientRecord
from bench.scoring.intervals import PairMoments, macro_pair_mean
from bench.scoring.pairs import PairScores
from benchmarks.corpus import notes
from metrics.rouge_l import RougeL, rouge_l_kernel

NOBODY = cast(Context, None)


def similarity(one: PatientRecord, other: PatientRecord) -> float:
    texts = [view_text(record, "full") for record in (one, other)]
    return float(rouge_l_kernel(texts).block(slice(0, 1), slice(1, 2))[0, 0])


def pair_mean(records: Sequence[PatientRecord]) -> float:
    return float(np.mean([similarity(a, b) for a, b in combinations(records, 2)]))


def patients(seed: int, **departments: int) -> list[PatientRecord]:
    """So many records of each department, texts by the seed."""
    texts = iter(notes(sum(departments.values()), seed, shortest=10, longest=40))
    return [
        patient(f"{department}-{i}", department, next(texts))
        for department, n in departments.items()
        for i in range(n)
    ]


def of(records: Sequence[PatientRecord], department: str) -> list[PatientRecord]:
    return [record for record in records if record.department == department]


def run(metric: Any, *sides: Any) -> PairScores:
    return asyncio.run(paired(metric, NOBODY, *sides))


def scores(records: Any, metric: Any = None) -> list[Score]:
    return list(run(metric or RougeL(), records).scores[ONE])


def differences(first: Any, second: Any) -> list[Score]:
    return list(run(RougeL(), first, second).differences[ONE, OTHER])


# Means


def test_departments_weigh_the_same_whatever_their_size() -> None:
    records = patients(1, cardiology=8, urology=3)
    found = scores(Items(records, lacking=lacking(2, "urology")))
    means = {name: pair_mean(of(records, name)) for name in ("cardiology", "urology")}
    whole = figure(found)
    pooled = [similarity(*pair) for name in means for pair in combinations(of(records, name), 2)]
    assert whole.value == pytest.approx(np.mean(list(means.values())))
    assert whole.value != pytest.approx(np.mean(pooled), abs=1e-3)
    assert departments(found) == pytest.approx(means)
    assert (whole.n, whole.n_missing) == (11, 2)
    assert figure(found, group="urology").n_missing == 2
    assert whole.signature.endswith("|view:full|pairs:department|mean:macro")


def test_intervals_are_those_of_the_moments() -> None:
    records = patients(2, cardiology=6, urology=4)
    found = scores(records)
    strata = []
    for name in ("cardiology", "urology"):
        own = of(records, name)
        matrix = np.array([[similarity(a, b) for b in own] for a in own])
        np.fill_diagonal(matrix, 0)
        strata.append(PairMoments(matrix.sum(axis=1), float((matrix**2).sum())))
    value, interval = macro_pair_mean(strata)
    whole, urology = figure(found), figure(found, group="urology")
    assert whole.value == pytest.approx(value)
    assert ends(whole.interval) == pytest.approx(ends(interval))
    assert ends(urology.interval) == pytest.approx(ends(macro_pair_mean(strata[1:])[1]))
    assert "too narrow" in whole.notes[0]


def test_a_record_is_evaluated_by_its_mean_with_the_others() -> None:
    records = patients(1, cardiology=5, urology=5)
    found = run(RougeL(), records)
    first = np.mean([similarity(records[0], other) for other in records[1:5]])
    assert item_values(found.evaluations[ONE])["cardiology-0"] == pytest.approx((first,))
    assert [one.item for one in found.evaluations[ONE]] == [record.id for record in records]


def test_a_lone_record_is_missing_and_said() -> None:
    records = [*patients(2, cardiology=5), patient("lone", "urology", "a dry cough")]
    found = scores(Items(records, lacking=lacking(3, "surgery")))
    whole = figure(found)
    assert (whole.n, whole.n_missing) == (5, 1 + 3)
    assert whole.notes[0] == "1 group(s) of one record left out"
    assert [(one.group, one.value is None, one.n, one.n_missing) for one in found[1:]] == [
        ("cardiology", False, 5, 0),
        ("urology", True, 0, 1),
        ("surgery", True, 0, 3),
    ]
    assert figure(scores(records[-1:])).value is None
    assert figure(scores([])).notes == ("no two records to compare",)


def test_order_of_departments_and_records_keeps_the_value() -> None:
    records = patients(3, cardiology=5, urology=4)
    again = figure(scores(records[::-1])).value
    assert again == pytest.approx(figure(scores(records)).value, abs=1e-15)


def test_names_and_ids_are_not_compared() -> None:
    twins = [patient(f"p{i}", "cardiology", "chest pain") for i in range(2)]
    assert figure(scores(twins)).value == 1


def test_values_view_leaves_out_headings() -> None:
    record = patient("p", "cardiology", "chest pain")
    assert "Symptoms" in view_text(record, "full")
    assert view_text(record, "values").split("\n") == ["female", "50", "angina", "chest pain"]


@pytest.mark.parametrize(("pairs", "groups"), [("corpus", [6]), ("disease", [4, 2])])
def test_other_groupings(pairs: Any, groups: list[int]) -> None:
    texts = notes(6, 4, shortest=10, longest=20)
    records = [
        patient(f"p{i}", f"d{i % 3}", text, disease=("Gout", "gout", "Asthma")[i // 2])
        for i, text in enumerate(texts)
    ]
    found = scores(records, RougeL(pairs=pairs))
    starts = np.cumsum([0, *groups])
    means = [pair_mean(records[a:b]) for a, b in pairwise(starts)]
    assert figure(found).value == pytest.approx(np.mean(means))
    assert len(found) == 1  # such groups are no departments


# Differences


def test_a_difference_is_on_the_cases_both_have() -> None:
    first, second = (patients(seed, cardiology=6, urology=4) for seed in (5, 6))
    del first[2], second[7]  # in the middle of a department, one on each side
    found = differences(first, second)
    shared = {record.id for record in first} & {record.id for record in second}
    expected = {}
    for name in ("cardiology", "urology"):
        one, other = ([r for r in of(side, name) if r.id in shared] for side in (first, second))
        expected[name] = pair_mean(one) - pair_mean(other)
    whole = figure(found)
    assert whole.value == pytest.approx(np.mean(list(expected.values())))
    assert departments(found) == pytest.approx(expected)
    assert (whole.n, figure(found, group="urology").n) == (8, 3)
    turned = differences(second, first)
    assert figure(turned).value == pytest.approx(-np.mean(list(expected.values())))


def test_an_interval_of_a_difference_is_that_of_the_kernels_difference() -> None:
    first, second = (patients(seed, cardiology=6) for seed in (7, 8))
    del second[3]
    kept = [record for record in first if record.id != "cardiology-3"]
    matrix = np.array(
        [
            [similarity(a, b) - similarity(c, d) for b, d in zip(kept, second, strict=True)]
            for a, c in zip(kept, second, strict=True)
        ]
    )
    np.fill_diagonal(matrix, 0)
    expected = macro_pair_mean([PairMoments(matrix.sum(axis=1), float((matrix**2).sum()))])
    found = figure(differences(first, second))
    assert found.value == pytest.approx(expected[0])
    assert ends(found.interval) == pytest.approx(ends(expected[1]))


def test_a_difference_from_itself_is_nothing() -> None:
    records = patients(7, cardiology=5)
    found = figure(differences(records, records[::-1]))
    assert (found.value, *ends(found.interval)) == (0, 0, 0)


def test_too_few_shared_cases_compare_to_nothing() -> None:
    assert differences(patients(8, cardiology=5), patients(8, urology=5)) == []


class Drawn(PairMetric):
    """Similarities by the numbers in the texts, whatever the blocks: brute force is easy."""

    card = MetricCard("drawn", "", "similarity", "lower")

    def __init__(self, make: Callable[[Texts], Any] | None = None) -> None:
        super().__init__(view="values")
        self.built: list[Texts] = []
        self.make = make or cosines

    async def kernel(self, texts: Texts, context: Context) -> Kernel:
        self.built.append(texts)
        kernel: Kernel = self.make(texts)
        return kernel

    def method(self, context: Context) -> tuple[str, ...]:
        return ("drawn",)


def number(text: str) -> float:
    return float(text.rsplit(" ", 1)[-1])


def cosines(texts: Texts) -> MatrixKernel:
    numbers = [number(text) for text in texts]
    matrix = np.cos(np.add.outer(numbers, numbers))
    np.fill_diagonal(matrix, np.nan)  # nobody is to look at it
    return MatrixKernel(matrix)


class Short(MatrixKernel):
    """A kernel with a way of its own to the sums."""

    def moments(self) -> PairMoments:
        matrix = np.nan_to_num(self.matrix)
        return PairMoments(matrix.sum(axis=1), float((matrix**2).sum()))


def numbered(ids: Sequence[int], seed: int) -> list[PatientRecord]:
    """Records in two departments whose texts end in a number by the id and the seed."""
    return [patient(f"p{i}", "ab"[i % 2], f"pain {(i * 37 + seed * 11) % 101 / 100}") for i in ids]


def by_hand(sides: Sequence[Sequence[PatientRecord]]) -> dict[str, float]:
    """The mean of the first side by department; of two, the first minus the second."""
    values: dict[str, list[float]] = {}
    held = [{record.id: record for record in side} for side in sides]
    for one, other in combinations([name for name in held[0] if all(name in s for s in held)], 2):
        if held[0][one].department != held[0][other].department:
            continue
        terms = [
            np.cos(sum(number(view_text(side[name], "values")) for name in (one, other)))
            for side in held
        ]
        values.setdefault(held[0][one].department, []).append(terms[0] - sum(terms[1:]))
    return {name: float(np.mean(some)) for name, some in values.items()}


@given(
    st.lists(st.integers(0, 24), unique=True, max_size=20),
    st.lists(st.integers(0, 24), unique=True, max_size=20),
    st.booleans(),
)
@settings(max_examples=60)
def test_blocks_join_to_the_whole_whatever_either_side_lacks(
    first: list[int], second: list[int], short: bool
) -> None:
    metric = Drawn((lambda texts: Short(cosines(texts).matrix)) if short else None)
    sides = [numbered(first, 1), numbered(second, 2)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.scoring.pairs.runs", lambda a, b: pair_metric.runs(a, b, 3))
        found = run(metric, *sides)
    for cell, side in zip((ONE, OTHER), sides, strict=True):
        means = by_hand([side])
        known = {k: v for k, v in departments(found.scores[cell]).items() if v is not None}
        assert known == pytest.approx(means)
    means = by_hand(sides)
    apart = found.differences[ONE, OTHER]
    assert departments(apart) == pytest.approx(means)
    assert bool(apart) == bool(means)
    if means:
        assert figure(apart).value == pytest.approx(np.mean(list(means.values())))


def test_each_group_of_a_cell_has_one_kernel_over_its_texts() -> None:
    metric = Drawn()
    run(metric, numbered(range(9), 1), numbered(range(5, 9), 2))
    ids = [" ".join(texts.ids) for texts in metric.built]
    assert ids == ["p0 p2 p4 p6 p8", "p1 p3 p5 p7", "p5 p7", "p6 p8"]


def test_keys_of_a_kernel_are_kept_with_each_item() -> None:
    def make(texts: Texts) -> Kernel:
        return MatrixKernel(cosines(texts).matrix, [(f"key of {name}",) for name in texts.ids])

    found = run(Drawn(make), numbered(range(6), 1))
    assert all(one.keys == (f"key of {one.item}",) for one in found.evaluations[ONE])


# Kernels that fail


@pytest.mark.parametrize(
    ("error", "note", "item"),
    [
        (
            Unscored("no line", [Failure(item="x", stage="s", outcome="refusal", reason="r")]),
            "no line",
            "x",
        ),
        (ValueError("bad"), "failed: ValueError: bad", "*"),
    ],
)
def test_a_cell_whose_kernel_fails_costs_no_other_its_score(
    error: Exception, note: str, item: str
) -> None:
    def make(texts: Texts) -> Kernel:
        if texts.ids == ["p2", "p4"]:
            raise error
        return cosines(texts)

    found = run(Drawn(make), numbered(range(6), 1), numbered(range(1, 6), 2))
    assert figure(found.scores[ONE]).value is not None
    assert found.failed[OTHER].reason == note
    assert OTHER not in found.scores
    assert found.differences[ONE, OTHER] == []
    (failure,) = found.failed[OTHER].failures
    assert (failure.item, failure.metric) == (item, "drawn")


def test_a_users_error_ends_the_run() -> None:
    def make(texts: Texts) -> Kernel:
        raise UserError("no such model")

    with pytest.raises(UserError, match="no such model"):
        run(Drawn(make), numbered(range(6), 1))
