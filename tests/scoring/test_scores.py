"""From evaluations to scores and differences: what is missing, bounds, intervals, groups."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patients import departments, ends, figure
from scipy.stats import ttest_rel

from bench.api.evaluation import Evaluation
from bench.api.failure import Failure
from bench.api.item import About, Items
from bench.api.metric import MetricCard, PartCard
from bench.api.score import Score
from bench.scoring.intervals import (
    cluster_bootstrap,
    cluster_bootstrap_difference,
    mean_interval,
    wilson,
)
from bench.scoring.scores import differences_of, no_scores, scores_of

POINTS = MetricCard("m", "", "points", "higher", range=(1, 7))
SHARE = MetricCard("m", "", "share", "higher")
LENGTH = MetricCard("length", "", "words", "lower")


def each(values: Mapping[str, Any], **fields: Any) -> list[Evaluation]:
    return [Evaluation(item=name, values=value, **fields) for name, value in values.items()]


def clustered(values: Mapping[str, Any]) -> list[Evaluation]:
    return [Evaluation(item=name, cluster=name, values=value) for name, value in values.items()]


def failed(item: str, outcome: str) -> Evaluation:
    failure = Failure(item=item, stage="scoring", outcome=outcome, reason="no")
    return Evaluation(item=item, missing={"": 1}, failures=(failure,))


def scores(
    card: MetricCard, evaluations: Sequence[Evaluation], kind: str = "dialogues", **items: Any
) -> list[Score]:
    return scores_of(card, evaluations, Items([], kind, **items), "sig")


# Means and intervals


def test_shares_of_independent_items_have_wilsons_interval() -> None:
    found = figure(scores(SHARE, each({"a": 1, "b": 0, "c": 1, "d": 1})))
    assert (found.value, found.interval) == (0.75, wilson(3, 4))


def test_numbers_of_independent_items_have_students_interval() -> None:
    values = {"a": 3.0, "b": 5.5, "c": 4.0}
    found = figure(scores(LENGTH, each(values)))
    assert (found.value, found.interval) == mean_interval(list(values.values()))
    assert (found.better, found.unit, found.bounds) == ("lower", "words", None)


def test_answers_of_a_patient_are_drawn_together() -> None:
    values = {f"p{n}": [1.0, float(n % 2), 0.0] for n in range(9)}
    found = figure(scores(SHARE, clustered(values)))
    assert (found.value, found.interval) == cluster_bootstrap(values, share=True)
    assert found.n == 27


def test_dialogues_of_one_patient_are_one_cluster() -> None:
    found = [
        Evaluation(item=f"visit-{n}", cluster=f"p{n % 4}", values={"": (float(n),)})
        for n in range(12)
    ]
    clusters = {f"p{n}": [float(n), n + 4.0, n + 8.0] for n in range(4)}
    assert figure(scores(POINTS, found)).interval == cluster_bootstrap(clusters)[1]


def test_a_mean_without_spread_says_why_it_has_no_interval() -> None:
    found = figure(scores(POINTS, clustered({"a": 7.0, "b": 7.0, "c": 7.0})))
    assert (found.interval, found.notes) == (None, ("no interval: all patients alike",))
    assert figure(scores(POINTS, clustered({"a": 7, "b": 6, "c": 5, "d": 4}))).notes == ()
    assert figure(scores(SHARE, clustered({"a": 1, "b": 1, "c": 1}))).notes == ()
    few = figure(scores(POINTS, clustered({"a": 7, "b": 6})))
    assert (few.interval, few.notes) == (None, ("no interval: fewer than three patients",))


def test_an_item_without_a_cluster_is_one_of_its_own() -> None:
    found = [*clustered({"a": 1, "b": 1}), *each({"c": 0, "d": 0})]
    mixed = figure(scores(SHARE, found))
    assert (mixed.value, mixed.n) == (0.5, 4)
    assert (
        mixed.interval
        == cluster_bootstrap(
            {n: [v] for n, v in zip("abcd", (1, 1, 0, 0), strict=True)}, share=True
        )[1]
    )


# What is missing


def test_what_has_no_value_says_why() -> None:
    assert figure(scores(POINTS, [])).notes == ("nothing to score",)
    lacking = Counter({About(""): 6})
    assert figure(scores(POINTS, [], lacking=lacking)).notes == (
        "nothing to score: no dialogue was made",
    )
    evaluations = [failed("a", "refusal"), failed("b", "invalid"), failed("c", "refusal")]
    found = figure(scores(POINTS, evaluations))
    assert found.notes == ("every value failed: invalid 1, refusal 2",)
    assert (found.value, found.n, found.n_missing, found.bounds) == (None, 0, 3, (1, 7))


def test_an_interval_stays_within_the_range() -> None:
    interval = figure(scores(POINTS, each({"a": 7, "b": 7, "c": 5}))).interval
    assert interval is not None
    assert (interval.low > 1, interval.high) == (True, 7)


def test_notes_of_several_items_are_said_once() -> None:
    told = each({"a": 1, "b": 1}, notes=("by construction",), left_out={"": "no style"})
    assert figure(scores(POINTS, told)).notes == (
        "by construction",
        "2 dialogues left out: no style",
    )


@given(
    st.lists(st.sampled_from([0.0, 1.0]), max_size=6),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from(["higher", "lower"]),
)
def test_bounds_hold_every_way_in_which_the_missing_could_have_come(
    right: list[float], lost: int, assumed: int, better: Any
) -> None:
    worst, best = (0.0, 1.0) if better == "higher" else (1.0, 0.0)
    told = each({f"v{n}": value for n, value in enumerate(right)})
    told += [Evaluation(item=f"m{n}", missing={"": 1}) for n in range(lost)]
    told += [
        Evaluation(item=f"a{n}", values={"": (worst,)}, assumed={"": 1}) for n in range(assumed)
    ]
    found = figure(scores(replace(SHARE, better=better), told))
    assert (found.n, found.n_missing) == (len(right) + assumed, lost + assumed)
    planned = len(right) + lost + assumed
    if not planned:
        assert found.bounds is None
        return
    ends = [(math.fsum(right) + (lost + assumed) * end) / planned for end in (worst, best)]
    assert found.bounds == pytest.approx((min(ends), max(ends)))


def test_items_not_made_count_for_the_answers_planned() -> None:
    card = MetricCard("m", "", "share", "lower", per="answer", parts=(PartCard("whole"),))
    made = [Evaluation(item="a", answers=3, values={"": (1.0, 0.0, 0.0), "whole": (1.0,)})]
    lacking = Counter({About("", department="Urology"): 2})
    for planned, missing in ((1, 6), (4, 8)):
        found = scores(card, made, lacking=lacking, answers=planned)
        assert figure(found).n_missing == missing
        assert figure(found, group="Urology").n_missing == missing
        assert figure(found, "whole").n_missing == 2
        assert figure(found).bounds == pytest.approx(
            (1 / (3 + missing), (1 + missing) / (3 + missing))
        )


def test_without_a_value_at_all_every_item_is_missing() -> None:
    card = MetricCard("m", "", "share", "higher", parts=(PartCard("one"),))
    items = Items(["x", "y"], lacking=Counter({About(""): 1}), notes=("own questions",))
    found = no_scores(card, items, "nobody is named")
    assert [(one.part, one.value, one.n, one.n_missing) for one in found] == [
        ("", None, 0, 3),
        ("one", None, 0, 3),
    ]
    assert found[0].notes == ("own questions", "nobody is named")


# Groups and parts


def test_each_group_has_its_own_figures() -> None:
    told = [
        *each({"a": 1, "b": 0, "c": 1}, department="Urology", sex="female", age="60+"),
        *each({"d": 0}, department="Psychiatry", sex="male"),
        *each({"e": 1}),
    ]
    lacking = Counter({About("", department="Surgery", sex="male"): 2})
    found = scores(SHARE, told, "records", lacking=lacking)
    assert [(one.by, one.group, one.value, one.n, one.n_missing) for one in found] == [
        ("all", "all", 0.6, 5, 2),
        ("department", "Urology", pytest.approx(2 / 3), 3, 0),
        ("department", "Psychiatry", 0.0, 1, 0),
        ("department", "Surgery", None, 0, 2),
        ("sex", "female", pytest.approx(2 / 3), 3, 0),
        ("sex", "male", 0.0, 1, 2),
        ("age", "60+", pytest.approx(2 / 3), 3, 0),
    ]
    assert figure(found, group="Urology").interval == wilson(2, 3)
    assert figure(found, group="Surgery").bounds == (0.0, 1.0)
    assert figure(found, group="Surgery").notes == ("nothing to score: no record was made",)


def test_parts_have_their_own_unit_and_pins() -> None:
    card = MetricCard(
        "m",
        "",
        "share",
        "higher",
        parts=(PartCard("calls", unit="calls", better="lower", pins="per:reply"),),
        whole=False,
    )
    told = each({"a": 0, "b": 0})
    told = [one.model_copy(update={"values": {"calls": (3.0, 5.0)}}) for one in told]
    (found,) = scores(card, told, signature="set:1")
    assert (found.part, found.unit, found.better, found.value) == ("calls", "calls", "lower", 4.0)
    assert (found.signature, found.bounds, found.n) == ("sig|per:reply|set:1", None, 4)


# Differences


def test_a_difference_of_numbers_is_the_first_minus_the_second() -> None:
    ours = {"a": 10.0, "b": 14.0, "c": 9.0, "d": 12.0, "only": 99.0}
    theirs = {"d": 7.0, "c": 8.0, "b": 9.0, "a": 4.0, "other": 0.0}
    found = figure(differences_of(LENGTH, each(ours), each(theirs)))
    shared = ["a", "b", "c", "d"]
    expected = ttest_rel([ours[name] for name in shared], [theirs[name] for name in shared])
    interval = expected.confidence_interval()
    assert found.value == pytest.approx((6 + 5 + 1 + 5) / 4)
    assert found.n == 4
    assert ends(found.interval) == pytest.approx((interval.low, interval.high))
    assert (found.p_value, found.discordant, found.better) == (None, None, "lower")
    turned = figure(differences_of(LENGTH, each(theirs), each(ours)))
    assert turned.value == pytest.approx(-(6 + 5 + 1 + 5) / 4)


def test_a_difference_of_shares_has_statsmodels_p_value() -> None:
    contingency = pytest.importorskip("statsmodels.stats.contingency_tables")
    ours = {f"q{n}": float(n % 3 != 0) for n in range(30)}
    theirs = {f"q{n}": float(n % 5 == 0) for n in range(30)}
    found = figure(differences_of(SHARE, each(ours), each(theirs)))
    table = [[sum((ours[q], theirs[q]) == (a, b) for q in ours) for b in (1, 0)] for a in (1, 0)]
    assert found.p_value == pytest.approx(contingency.mcnemar(table, exact=True).pvalue)
    assert found.discordant == (table[0][1], table[1][0])
    assert found.value == pytest.approx((table[0][1] - table[1][0]) / 30)
    assert found.interval and found.interval.method == "bonett-price"


def test_patients_are_drawn_for_both_sides_at_once() -> None:
    ours = {f"p{n}": [1.0, float(n % 2)] for n in range(12)}
    theirs = {f"p{n}": [1.0, float(n % 3 == 0)] for n in range(2, 14)}
    found = figure(differences_of(SHARE, clustered(ours), clustered(theirs)))
    expected = cluster_bootstrap_difference(ours, theirs, share=True)
    assert (found.value, found.interval, found.n) == expected
    assert found.n == 10


def test_groups_are_compared_too_where_both_sides_have_them() -> None:
    ours = [*each({"a": 5, "b": 6}, department="Urology"), *each({"c": 9}, department="Surgery")]
    theirs = each({"a": 4, "b": 3}, department="Urology")
    found = differences_of(POINTS, ours, theirs, "sig")
    assert departments(found) == {"Urology": 2.0}
    assert (figure(found).value, figure(found).n, figure(found).signature) == (2.0, 2, "sig")
    assert differences_of(POINTS, ours, each({"z": 1})) == []
