"""Cohen's kappa against statsmodels and scikit-learn, and where there is none."""

import random

import pytest

from bench.scoring.agreement import cohen_kappa


@pytest.mark.parametrize(("n", "same", "seed"), [(12, 0.5, 1), (90, 0.8, 2), (400, 0.1, 3)])
def test_kappa_and_interval_are_those_of_the_libraries(n: int, same: float, seed: int):
    metrics = pytest.importorskip("sklearn.metrics")
    rating = pytest.importorskip("statsmodels.stats.inter_rater")
    draw = random.Random(seed)
    first = draw.choices("aabc", k=n)
    second = [one if draw.random() < same else draw.choice("abcd") for one in first]
    table = [[sum((a, b) == pair for pair in zip(first, second, strict=True)) for b in "abcd"]
             for a in "abcd"]  # fmt: skip
    kappa, interval = cohen_kappa(first, second)
    assert kappa == pytest.approx(metrics.cohen_kappa_score(first, second))
    assert interval is not None
    told = rating.cohens_kappa(table)
    assert kappa == pytest.approx(told.kappa)
    low, high = max(told.kappa_low, -1.0), min(told.kappa_upp, 1.0)
    assert (interval.low, interval.high) == pytest.approx((low, high))


def test_a_worked_example():
    # 20 yes-yes, 5 yes-no, 10 no-yes, 15 no-no: po = 0.7, pe = 0.5.
    pairs = [("y", "y")] * 20 + [("y", "n")] * 5 + [("n", "y")] * 10 + [("n", "n")] * 15
    kappa, _ = cohen_kappa([a for a, _ in pairs], [b for _, b in pairs])
    assert kappa == pytest.approx(0.4)


def test_where_there_is_no_kappa_or_no_interval():
    assert cohen_kappa([], []) == (None, None)
    assert cohen_kappa("aaa", "aaa") == (None, None)
    assert cohen_kappa("aabb", "aabb") == (1.0, None)
    with pytest.raises(ValueError):
        cohen_kappa("a", "")
