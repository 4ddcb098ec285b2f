"""What the paper's figures imply, and that the page says nothing else."""

import csv
import io
import re
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.scoring.intervals import mcnemar, wilson
from leaderboards import paper_audit as audit
from leaderboards.denominators import (
    best_case,
    chance_of_common,
    common,
    denominators,
    numerator,
    own_count,
    percentage,
    rating,
    rounded,
    share_of_values,
    uniform,
)
from leaderboards.paper_report import CSV_COLUMNS, PaperAudit

PAGE = Path(__file__).resolve().parents[2] / "docs" / "notes-on-the-paper.md"
FLAT = " ".join(PAGE.read_text("utf-8").split())


@pytest.fixture(scope="module")
def grids():
    return {grid.title: grid for grid in PaperAudit().grids()}


# Arithmetic


def test_a_half_is_rounded_up_to_even_or_cut_as_asked():
    assert [rounded(5, 2), rounded(7, 2), rounded(12, 5), rounded(13, 5)] == [3, 4, 2, 3]
    assert [rounded(n, 2, "half-even") for n in (1, 3, 5, 7)] == [0, 2, 2, 4]
    assert [rounded(n, 10, "cut") for n in (10, 15, 19, 20)] == [1, 1, 1, 2]


def test_a_tie_in_the_last_decimal_goes_up():
    # 1/32 = 3.125 %: no binary fraction blurs it.
    assert numerator(percentage("3.13"), 32) == 1
    assert numerator(percentage("3.12"), 32) is None
    assert numerator(percentage("3.12"), 32, "half-even") == 1
    assert numerator(percentage("3.12"), 32, "cut") == 1


@given(st.integers(1, 2000), st.data(), st.sampled_from(audit.ROUNDINGS))
def test_what_n_gave_fits_n_and_lies_where_it_should(n, data, rounding):
    k = data.draw(st.integers(0, n))
    figure = percentage(f"{rounded(k * 10_000, n, rounding) / 100:.2f}")
    assert numerator(figure, n, rounding) == k
    lag = Fraction(k * 10_000, n) - figure.units
    assert (0 <= lag < 1) if rounding == "cut" else (abs(lag) <= Fraction(1, 2))


@given(st.integers(0, 10_000), st.integers(1, 60))
def test_a_figure_fits_no_n_that_gives_other_figures_only(units, n):
    printed = {rounded(k * 10_000, n) for k in range(n + 1)}
    assert (numerator(percentage(f"{units / 100:.2f}"), n) is not None) == (units in printed)


def test_known_figures():
    assert min(denominators(percentage("81.03"), 300)) == 58
    assert numerator(percentage("81.03"), 58) == 47
    assert numerator(percentage("81.03"), 60) is None
    assert numerator(rating("6.18"), 60) == 371
    assert numerator(percentage("100.00"), 7) == 7
    assert numerator(percentage("0.00"), 7) == 0


def test_known_triples():
    def first(*texts):
        return common([percentage(text) for text in texts], 700)[0]

    assert first("81.03", "87.93", "91.38") == 58
    assert first("77.27", "82.35", "88.24") == 374
    assert first("78.21", "89.58", "91.67") == 624
    assert common([], 10) == ()


@pytest.mark.parametrize("difference", range(10))
def test_no_split_of_answers_beats_the_best_case(difference):
    def p(back):
        ahead = difference + back
        return mcnemar([True] * ahead + [False] * back, [False] * ahead + [True] * back)

    assert best_case(difference) == best_case(-difference) == pytest.approx(p(0), abs=1e-15)
    assert all(p(back) >= best_case(difference) for back in range(20))


def test_share_of_values():
    assert share_of_values(60, 100) == Fraction(3, 5)
    assert share_of_values(500, 10_000) == Fraction(1, 20)
    assert share_of_values(100, 100) == 1


def test_the_control_repeats_itself_and_grows_with_the_limit():
    for draw in (uniform, own_count):
        counts = chance_of_common(draw, 400, 5, (50, 300))
        assert counts == chance_of_common(draw, 400, 5, (50, 300))
        assert 0 <= counts[0] <= counts[1] < 400
    assert chance_of_common(own_count, 400, 5, (300,)) != chance_of_common(
        own_count, 400, 6, (300,)
    )
    # All two-decimal percentages are k/10000.
    assert chance_of_common(uniform, 2, 1, (10_000,)) == [2]


# The tables


def test_table_1_and_2_are_of_100():
    assert audit.table1().common[0] == 100
    for judged in audit.table2():
        assert judged.departments.common[0] == 100
        assert judged.mean == judged.printed_mean
    right = audit.all_right()
    assert right is not None
    assert (right.wrong, right.records) == (24, 600)
    # 24 wrong ones, each missed by a sample of a sixth of the records.
    assert right.within == pytest.approx((5 / 6) ** 24, rel=0.15)
    assert right.beside == pytest.approx((6 / 7) ** 24, rel=0.15)


def test_table_3_is_of_500_but_for_direct_and_one_more():
    at_500 = {
        (group.name, fit.label): fit.at[500] for group in audit.table3() for fit in group.fits
    }
    never = {key for key, k in at_500.items() if k is None}
    backbones = ("Doubao", "GPT-3.5", "GPT-4o-mini", "GPT-4o")
    outlined = "Patient-Zero w/o outline"
    assert never == {(outlined, "GPT-4o"), *(("Direct", backbone) for backbone in backbones)}
    assert [at_500["Patient-Zero", backbone] for backbone in backbones] == [455, 479, 481, 485]
    assert audit.below_500()["96.76"] == (494,)
    assert audit.below_500()["85.58"] == ()


def test_table_4_counts_no_answers_but_a_rating_for_each_patient():
    assert {k for fit in audit.consistency().fits for k in fit.at.values()} == {None}
    cut = {
        (fit.printed, n)
        for fit in audit.consistency("cut").fits
        for n, k in fit.at.items()
        if k is not None
    }
    assert cut == {("93.71", 780), ("93.71", 1560), ("98.26", 1560)}
    found = audit.ratings()
    assert len(found.fits) == 18
    assert [n for n in found.common if n < 100] == [60, 92, 99]


def test_table_5_has_departments_without_a_common_n():
    first = {group.name: group.first for group in audit.table5()}
    assert first == {
        "Psychiatry": 58,
        "Urology": 374,
        "Orthopedics": 135,
        "Ophthalmology": 10,
        "Endocrinology": 624,
        "General Surgery": 50,
    }
    whole = audit.pooled()
    assert whole is not None
    assert (whole.n, whole.difference) == (170, 7)
    assert audit.pooled("cut") is None  # 88.24 and 91.67 then fit no N up to 300
    for pair in audit.pairs():
        if pair.n_for_5_percent is not None:
            assert pair.n is not None
            assert pair.n_for_5_percent >= pair.n


def test_csv_has_a_line_for_each_figure():
    rows = list(csv.DictReader(io.StringIO(PaperAudit().csv())))
    assert tuple(rows[0]) == CSV_COLUMNS
    assert len(rows) == 4 + 30 + 12 + 27 + 18
    assert {row["group_n"] for row in rows if row["group"] == "Urology"} == {""}


def test_an_interval_is_the_widest_only_of_common_questions(grids):
    def printed(k: int, n: int) -> str:
        hundredths = (20_000 * k + n) // (2 * n)  # rounded half up
        return f"{hundredths // 100}.{hundredths % 100:02d}"

    smaller = {}
    for spread in audit.spreads():
        own = next(
            (k, n)
            for n in range(1, spread.n + 1)
            for k in range(n + 1)
            if printed(k, n) == spread.printed
        )
        if own[1] < spread.n:
            smaller[spread.department, spread.column] = f"{own[0]}/{own[1]}"
            wider = wilson(*own)
            assert wider is not None
            assert wider.high - wider.low > spread.high - spread.low
        assert spread.alone == smaller.get((spread.department, spread.column), "")
    assert set(smaller.values()) == {"8/9", "1/1", "11/12"}
    (grid,) = (grid for name, grid in grids.items() if "Wilson" in name)
    assert "if these two share their questions" in grid.notes[0]
    assert all(one in grid.notes[1] for one in smaller.values())


# The page


@pytest.mark.parametrize("title", ["Table 3, accuracy", "Table 5, which N", "Table 5, Wilson"])
def test_tables_of_the_page_are_those_of_the_command(grids, title):
    (grid,) = (grid for name, grid in grids.items() if name.startswith(title))
    lines = PAGE.read_text("utf-8").splitlines()
    for cells in (grid.columns, *grid.rows):
        assert f"| {' | '.join(cells)} |" in lines


def test_differences_of_the_page_are_those_of_the_command(grids):
    (grid,) = (grid for name, grid in grids.items() if "differences" in name)
    wanted = {
        f"| {' | '.join((cells[0], *cells[2:]))} |"
        for cells in grid.rows
        if cells[1] == "with Patient-Zero - with Generated"
    }
    assert len(wanted) == 6
    assert wanted <= set(PAGE.read_text("utf-8").splitlines())


def test_every_grid_that_the_page_names_is_shown(grids):
    named = re.findall(r'Grids? "([^"]+)"(?: and "([^"]+)")?', FLAT)
    for name in filter(None, (name for pair in named for name in pair)):
        assert any(title.startswith(name) for title in grids), name
    assert {
        title for title in grids if not any(title.startswith(n) for p in named for n in p if n)
    } == set()


def said() -> list[str]:
    """Sentences of the page, made from what is recomputed."""
    right, whole = audit.all_right(), audit.pooled()
    assert right is not None
    assert whole is not None
    uniformly, owned = audit.chance(10_000, 0)
    sums = [str(judged.right) for judged in audit.table2()]
    direct, _, ours = audit.table3()
    ratings = audit.ratings()
    whole_chance = float(share_of_values(60, 100)) ** len(ratings.fits)
    agreed = {claim.said: f"{claim.agree} of {claim.comparisons}" for claim in audit.claims()}
    (urology, endocrinology) = (
        group.first for group in audit.table5() if group.name in ("Urology", "Endocrinology")
    )
    alone = [f"{one.department} {one.column} {one.alone}" for one in audit.spreads() if one.alone]
    return [
        f"a smaller N yet, and a wider interval: {', '.join(alone)}.",
        f"{', '.join(sums[:-1])} and {sums[-1]} of {right.records}",
        f"finds {right.wrong} wrong of {right.records} in Table 2 and none of {right.sample}",
        f"the probability of that is {right.within:.3f}",
        f"100 others of the same quality, {right.beside:.3f}",
        f"have one common N up to {ours.up_to}: {ours.common[0]}.",
        f"have no common N (first: {direct.first})",
        f"could be 478/{audit.below_500()['96.76'][0]} alone",
        f"All {len(ratings.fits)} mean ratings are k/60",
        f"only N = {', '.join(map(str, ratings.common[:2]))} and {ratings.common[2]} fit",
        f"all {len(ratings.fits)} by chance {whole_chance:.1e}",
        f"(the first are {urology} and {endocrinology})",
        f"{uniformly.found[300]} share one up to 300 and {uniformly.found[100]} one up to 100",
        f"{owned.found[300]} share an N up to 300 and {owned.found[100]} one up to 100",
        f"are {whole.difference} of {whole.n} questions, best case p = {whole.p:.3f}",
        *(
            f'{said.split(" ... ")[-1]}": {agreed[said]}'
            for said in agreed
            if "our" not in said and "GPT" not in said
        ),
    ]


def test_the_page_says_what_is_recomputed():
    for sentence in said():
        assert sentence in FLAT, sentence


def test_verdicts_under_other_rounding_are_those_of_the_page():
    def without(rounding):
        return [group.name for group in audit.table5(rounding) if not group.common]

    assert without("half-even") == without("half-up") == ["Urology", "Endocrinology"]
    assert set(without("cut")) == {"Urology", "Endocrinology", "Psychiatry", "Orthopedics"}
