"""What the paper's figures of Tables 1 to 5 imply, recomputed from the files in `paper` alone.

Nothing here judges the paper: it counts which N can, and which cannot, stand behind its figures.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import comb
from pathlib import Path
from typing import get_args

from bench.scoring.intervals import wilson
from leaderboards.denominators import (
    Printed,
    Rounding,
    best_case,
    chance_of_common,
    common,
    denominators,
    numerator,
    own_count,
    percentage,
    rating,
    rounded,
    uniform,
)

PAPER = Path(__file__).parent / "paper"
ROUNDINGS: tuple[Rounding, ...] = get_args(Rounding)
SMALL, RECORDS, ANSWERS = 300, 600, 1560
"""Largest N asked for: questions of a department, records of Table 2, answers of Table 4."""
FAR = 10_000
"""Where the search for a first common N ends: from here on every figure fits."""
BASELINE, GENERATED, OURS = "gpt4o", "gpt4o_with_generated", "gpt4o_with_patient_zero"
COLUMNS_5 = {
    BASELINE: "GPT-4o",
    GENERATED: "with Generated",
    OURS: "with Patient-Zero",
}
PAIRS_5 = ((OURS, GENERATED), (OURS, BASELINE), (GENERATED, BASELINE))
CONSISTENCY = "dialogue_consistency_pct"
FORMATS_4 = {"json": "JSON", "plain_text": "plain text", "atomic": "atomic facts"}
JUDGE_OF_BOTH = "Hippo"
"""Table 2's name of the judge that Table 1 used too."""


@dataclass(frozen=True)
class Fit:
    """One printed figure and the counts that can stand behind it."""

    label: str
    printed: str
    smallest_n: int | None
    smallest_k: int | None
    at: dict[int, int | None]
    """k at each N asked about; none where no k gives the figure."""


@dataclass(frozen=True)
class Group:
    """Figures that one N could have been behind."""

    name: str
    fits: tuple[Fit, ...]
    up_to: int
    common: tuple[int, ...]
    """Every such N up to `up_to`."""
    first: int | None
    """The first at all, sought up to `FAR`."""


@cache
def rows(table: int) -> tuple[dict[str, str], ...]:
    """The lines of a table of the paper."""
    with (PAPER / f"table{table}.csv").open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def group(
    name: str,
    figures: Mapping[str, Printed],
    up_to: int,
    at: Sequence[int] = (),
    rounding: Rounding = "half-up",
) -> Group:
    """Count what can stand behind some figures, each alone and all together."""
    fits = []
    for label, figure in figures.items():
        smallest = min(denominators(figure, up_to, rounding), default=None)
        k = None if smallest is None else numerator(figure, smallest, rounding)
        given = {n: numerator(figure, n, rounding) for n in at}
        fits.append(Fit(label, figure.text, smallest, k, given))
    shared = common(figures.values(), up_to, rounding)
    far = shared or common(figures.values(), FAR, rounding)
    return Group(name, tuple(fits), up_to, shared, far[0] if far else None)


# Tables 1 to 3


def table1(rounding: Rounding = "half-up") -> Group:
    """The four accuracies."""
    figures = {row["method"]: percentage(row["accuracy_pct"]) for row in rows(1)}
    return group("Table 1", figures, SMALL, (100,), rounding)


@dataclass(frozen=True)
class Judged:
    """A column of Table 2."""

    departments: Group
    right: int | None
    """Records found right of 100 in each department."""
    mean: str | None
    """Their mean, printed as the paper prints its own."""
    printed_mean: str


def table2(rounding: Rounding = "half-up") -> tuple[Judged, ...]:
    """Each judge's figures by department, and whether its mean is theirs."""
    *departments, average = rows(2)
    found = []
    for judge in list(average)[1:]:
        figures = {row["department"]: percentage(row[judge]) for row in departments}
        counted = group(judge, figures, RECORDS, (100,), rounding)
        ks = [fit.at[100] for fit in counted.fits]
        right = None if None in ks else sum(k or 0 for k in ks)
        mean = None
        if right is not None:
            mean = f"{rounded(10_000 * right, 100 * len(ks), rounding) / 100:.2f}"
        found.append(Judged(counted, right, mean, average[judge]))
    return tuple(found)


@dataclass(frozen=True)
class AllRight:
    """How probable Table 1's figure is if Table 2's share held for it too, by one judge."""

    wrong: int
    records: int
    sample: int
    within: float
    """Probability that a random sample of the records holds no wrong one."""
    beside: float
    """Probability that all wrong ones of records and sample together fall among the records."""


def all_right(rounding: Rounding = "half-up") -> AllRight | None:
    """Table 1's 100 of 100 beside Table 2's average; none if the counts do not fit."""
    (judged,) = (one for one in table2(rounding) if one.departments.name == JUDGE_OF_BOTH)
    (ours,) = (fit for fit in table1(rounding).fits if fit.label == "Patient-Zero")
    records, sample = 100 * len(judged.departments.fits), 100
    if judged.right is None or ours.at[sample] != sample:
        return None
    wrong = records - judged.right
    within = comb(judged.right, sample) / comb(records, sample)
    beside = comb(records, wrong) / comb(records + sample, wrong)
    return AllRight(wrong, records, sample, within, beside)


def table3(rounding: Rounding = "half-up") -> tuple[Group, ...]:
    """The accuracies of each method."""
    figures: dict[str, dict[str, Printed]] = {}
    for row in rows(3):
        of_method = figures.setdefault(row["method"], {})
        of_method[row["backbone"]] = percentage(row["accuracy_pct"])
    return tuple(
        group(method, named, RECORDS, (100, 500, 600), rounding)
        for method, named in figures.items()
    )


def below_500(rounding: Rounding = "half-up") -> dict[str, tuple[int, ...]]:
    """Each accuracy of Table 3: the N from 470 to 499 it can have, as if a few of 500 were lost."""
    return {
        fit.printed: tuple(
            n
            for n in range(470, 500)
            if numerator(percentage(fit.printed), n, rounding) is not None
        )
        for of_method in table3(rounding)
        for fit in of_method.fits
    }


# Table 4


def _named_4(row: Mapping[str, str]) -> str:
    return f"{row['interaction']}, {row['memory_update']} update"


def consistency(rounding: Rounding = "half-up") -> Group:
    """Table 4's percentages."""
    figures = {
        f"{_named_4(row)}, {title}": percentage(row[column])
        for row in rows(4)
        if row["metric"] == CONSISTENCY
        for column, title in FORMATS_4.items()
    }
    return group("dialogue consistency", figures, ANSWERS, (60, 120, 780, 1560), rounding)


def ratings(rounding: Rounding = "half-up") -> Group:
    """Table 4's mean ratings; the k of one is the sum of the ratings."""
    figures = {
        f"{_named_4(row)}, {row['metric'].removesuffix('_7pt')}, {title}": rating(row[column])
        for row in rows(4)
        if row["metric"] != CONSISTENCY
        for column, title in FORMATS_4.items()
    }
    return group("ratings", figures, 120, (60, 120), rounding)


# Table 5


def table5(rounding: Rounding = "half-up") -> tuple[Group, ...]:
    """The three accuracies of each department."""
    return tuple(
        group(row["department"], _figures_5(row), SMALL, rounding=rounding) for row in rows(5)
    )


def _figures_5(row: Mapping[str, str]) -> dict[str, Printed]:
    return {title: percentage(row[column]) for column, title in COLUMNS_5.items()}


@dataclass(frozen=True)
class Pair:
    """Two columns of a department, as if on the same questions."""

    department: str
    first: str
    second: str
    n: int | None
    """The smallest common N; none up to `SMALL`."""
    first_k: int | None = None
    second_k: int | None = None
    p: float | None = None
    """Exact two-sided McNemar p-value if no question went the other way: no smaller one can be."""
    n_for_5_percent: int | None = None
    """The smallest common N whose best case is below 0.05; none up to `SMALL`."""

    @property
    def difference(self) -> int | None:
        """Questions between the two at the smallest N."""
        if self.first_k is None or self.second_k is None:
            return None
        return self.first_k - self.second_k


def pairs(rounding: Rounding = "half-up") -> tuple[Pair, ...]:
    """Every two columns of every department."""
    return tuple(
        _pair(row, first, second, rounding) for row in rows(5) for first, second in PAIRS_5
    )


def _pair(row: Mapping[str, str], first: str, second: str, rounding: Rounding) -> Pair:
    figures = (percentage(row[first]), percentage(row[second]))
    named = (row["department"], COLUMNS_5[first], COLUMNS_5[second])
    shared = common(figures, SMALL, rounding)
    counts = {
        n: (numerator(figures[0], n, rounding) or 0, numerator(figures[1], n, rounding) or 0)
        for n in shared
    }
    best = {n: best_case(a - b) for n, (a, b) in counts.items()}
    if not shared:
        return Pair(*named, n=None)
    n = shared[0]
    enough = next((one for one in shared if best[one] < 0.05), None)
    return Pair(*named, n, *counts[n], best[n], enough)


@dataclass(frozen=True)
class Pooled:
    """Patient-Zero against Generated over all departments, each at its smallest N."""

    n: int
    difference: int
    p: float
    """Best case, as for a `Pair`."""


def pooled(rounding: Rounding = "half-up") -> Pooled | None:
    """The sum of the departments' differences; none if a department has no common N."""
    wanted = (COLUMNS_5[OURS], COLUMNS_5[GENERATED])
    found = [pair for pair in pairs(rounding) if (pair.first, pair.second) == wanted]
    ns = [pair.n for pair in found if pair.n is not None]
    if len(ns) < len(found):
        return None
    difference = sum(pair.difference or 0 for pair in found)
    return Pooled(sum(ns), difference, best_case(difference))


@dataclass(frozen=True)
class Spread:
    """Wilson's 95 % interval of a figure, the widest if the trained columns share their questions.

    Each trained column alone may have a smaller N yet.
    """

    department: str
    column: str
    printed: str
    k: int
    n: int
    low: float
    high: float
    alone: str
    """The smallest k/N of the figure by itself, "8/9"; empty where it is this one."""


def spreads(rounding: Rounding = "half-up") -> tuple[Spread, ...]:
    """Intervals: the trained columns at their smallest common N, the baseline at its own."""
    found = []
    for row in rows(5):
        for columns in ((BASELINE,), (GENERATED, OURS)):
            figures = {column: percentage(row[column]) for column in columns}
            n = next(iter(common(figures.values(), SMALL, rounding)), None)
            for column, figure in figures.items():
                k = None if n is None else numerator(figure, n, rounding)
                interval = None if n is None or k is None else wilson(k, n)
                if n is not None and k is not None and interval is not None:
                    ends = (interval.low, interval.high)
                    own = min(denominators(figure, n, rounding))
                    alone = "" if own == n else f"{numerator(figure, own, rounding)}/{own}"
                    named = (row["department"], COLUMNS_5[column], figure.text)
                    found.append(Spread(*named, k, n, *ends, alone))
    return tuple(found)


# Chance


@dataclass(frozen=True)
class Chance:
    """How many random triples of percentages have a common N."""

    drawn: str
    triples: int
    found: dict[int, int]
    """Limit of N: how many have one up to it."""


def chance(triples: int, seed: int) -> tuple[Chance, ...]:
    """Two controls for Table 5: percentages from nowhere, and shares of unlike numbers."""
    limits = (100, SMALL)
    draws = {
        "any percentage from 75.00 to 100.00": uniform,
        "75 to 100 % of a number of questions of its own, 10 to 100": own_count,
    }
    return tuple(
        Chance(
            name,
            triples,
            dict(zip(limits, chance_of_common(draw, triples, seed, limits), strict=True)),
        )
        for name, draw in draws.items()
    )


# What the text says of the tables


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper about a table, and in how many comparisons the table agrees."""

    table: int
    said: str
    agree: int
    comparisons: int
    otherwise: tuple[str, ...]
    """The comparisons that do not agree."""


def claims() -> tuple[Claim, ...]:
    """The sentences that the printed figures alone can confirm."""
    return (_claim_1(), _claim_3(), *_claims_4(), *_claims_5())


def _claim(table: int, said: str, compared: Mapping[str, bool]) -> Claim:
    otherwise = tuple(name for name, agrees in compared.items() if not agrees)
    return Claim(table, said, len(compared) - len(otherwise), len(compared), otherwise)


def _better(column: str, ours: str, theirs: str) -> bool:
    """Whether a figure is better than another: accuracy higher, similarity lower."""
    difference = float(ours) - float(theirs)
    return difference > 0 if column == "accuracy_pct" else difference < 0


def _claim_1() -> Claim:
    *others, ours = rows(1)
    compared = {
        f"{row['method']}, {column}": _better(column, ours[column], row[column])
        for row in others
        for column in ("accuracy_pct", "bertscore", "gptscore")
    }
    return _claim(1, "outperforming all baselines in accuracy and diversity", compared)


def _claim_3() -> Claim:
    by = {(row["backbone"], row["method"]): row for row in rows(3)}
    compared = {
        f"{backbone}, {method}, {column}": _better(
            column, by[backbone, "Patient-Zero"][column], row[column]
        )
        for (backbone, method), row in by.items()
        if method != "Patient-Zero"
        for column in ("accuracy_pct", "bleu", "rouge_l", "cosine", "gptscore")
    }
    return _claim(3, "the highest accuracy and the lowest similarity scores", compared)


def _claims_4() -> tuple[Claim, ...]:
    best = {
        f"{_named_4(row)}, {row['metric']}, {FORMATS_4[other]}": float(row["atomic"])
        > float(row[other])
        for row in rows(4)
        for other in ("json", "plain_text")
    }
    by = {(row["interaction"], row["memory_update"], row["metric"]): row for row in rows(4)}
    updates = {
        f"{row['metric']}, {title}: {row[column]} without, "
        f"{by['cross', 'with', metric][column]} with": float(by["cross", "with", metric][column])
        > float(row[column])
        for (interaction, update, metric), row in by.items()
        if (interaction, update) == ("cross", "without")
        for column, title in FORMATS_4.items()
    }
    return (
        _claim(4, "our method outperforms the other ... scenarios across all metrics", best),
        _claim(4, "memory updates ... lead to a significant improvement", updates),
    )


def _claims_5() -> tuple[Claim, ...]:
    above = {
        f"{row['department']}, {COLUMNS_5[other]}: {row[OURS]} and {row[other]}": float(row[OURS])
        > float(row[other])
        for row in rows(5)
        for other in (BASELINE, GENERATED)
    }
    lowest = {
        f"{row['department']}, {COLUMNS_5[other]}": float(row[BASELINE]) < float(row[other])
        for row in rows(5)
        for other in (GENERATED, OURS)
    }
    return (
        _claim(5, "outperform both ... across all medical specialties", above),
        _claim(5, "GPT-4o baseline ... with the lowest accuracy across specialties", lowest),
    )
