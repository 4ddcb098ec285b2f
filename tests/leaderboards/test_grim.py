"""Which N can stand behind the paper's figures, and that the page says nothing else."""

import runpy
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, hypergeom, norm

import leaderboards.grim
from leaderboards.grim import (
    FORMATS,
    accuracies,
    dialogues,
    fitting,
    grids,
    methods,
    numerator,
    smallest,
    without_common_n,
)
from leaderboards.paper_figures import rows

PAGE = (Path(__file__).resolve().parents[2] / "docs/notes-on-the-paper.md").read_text("utf-8")
FLAT = " ".join(PAGE.split())


def printed(k: int, n: int, whole: int, cut: bool) -> str:
    """As the decimal module prints a figure with two decimals."""
    exact = Decimal(k * whole) / Decimal(n)
    return str(exact.quantize(Decimal("0.01"), ROUND_DOWN if cut else ROUND_HALF_UP))


@given(st.integers(1, 2000), st.data(), st.sampled_from([(100, False), (100, True), (1, False)]))
def test_what_n_gave_fits_n(n: int, data: st.DataObject, how: tuple[int, bool]) -> None:
    whole, cut = how
    k = data.draw(st.integers(0, n if whole == 100 else 7 * n))
    figure = printed(k, n, whole, cut)
    found = numerator(figure, n, whole=whole, cut=cut)
    assert found is not None
    assert printed(found, n, whole, cut) == figure
    if n < 100:
        assert found == k


@given(st.integers(0, 10_000), st.integers(1, 60), st.booleans())
def test_a_figure_fits_no_n_that_gives_other_figures_only(units: int, n: int, cut: bool) -> None:
    figure = f"{units / 100:.2f}"
    given = {printed(k, n, 100, cut) for k in range(n + 1)}
    assert (numerator(figure, n, cut=cut) is not None) == (figure in given)


def test_known_figures() -> None:
    assert smallest("81.03") == "47/58"
    assert numerator("81.03", 60) is None
    assert numerator("6.18", 60, whole=1) == 371
    assert numerator("3.13", 32) == 1  # 3.125, a tie, goes up
    assert (numerator("3.12", 32), numerator("3.12", 32, cut=True)) == (None, 1)
    assert (smallest("100.00"), smallest("0.00")) == ("1/1", "0/1")


# The page


def test_the_tables_of_the_page_are_the_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(Path(leaderboards.grim.__file__)), run_name="__main__")
    printed = [line for line in capsys.readouterr().out.splitlines() if line.startswith("|")]
    assert len(printed) == (2 + 7) + (2 + 12) + (2 + 6)
    assert [line for line in printed if line not in PAGE.splitlines()] == []


def column(name: str) -> np.ndarray:
    """A column of Table 3."""
    return np.array([float(row[name]) for row in rows(3)])


def test_the_arithmetic_of_the_page() -> None:
    patient_zero = accuracies("Patient-Zero")
    assert fitting(patient_zero.values(), 500) == [500]
    shares, means = dialogues("pct"), dialogues("7pt")
    for n in (60, 120, 780, 1560):
        assert not any(numerator(share, n) for share in shares)
    cut = [(share, n) for share in shares for n in (780, 1560) if numerator(share, n, cut=True)]
    assert cut == [("93.71", 780), ("93.71", 1560), ("98.26", 1560)]
    assert all(numerator(mean, 60, whole=1) for mean in means)
    assert without_common_n() == ["Urology", "Endocrinology"]
    assert f"by chance {0.6 ** len(means):.0e}" in FLAT
    wrong = sum(100 - float(row["Hippo"]) for row in rows(2)[:-1])
    for records, said in ((600, "that has probability {}"), (700, "of the same quality, {}")):
        assert said.format(f"{hypergeom.pmf(0, records, wrong, 100):.3f}") in FLAT
    apart = [[int(n) for n in grid[5].replace("- ", "").replace("of ", "").split()]
             for grid in grids()[2].rows]  # fmt: skip
    ahead, n = (sum(a - b for a, b, _ in apart), sum(n for *_, n in apart))
    assert f"{ahead} of {n} questions apart, best case p = {binomtest(0, ahead).pvalue:.3f}" in FLAT
    for department, first in (("Urology", 374), ("Endocrinology", 624)):
        (row,) = (row for row in rows(5) if row["department"] == department)
        assert fitting([*row.values()][1:], first) == [first]


def test_what_the_page_says_of_the_text() -> None:
    ours = methods()[-1]
    by = {(row["backbone"], row["method"]): row for row in rows(3)}
    for (backbone, method), row in by.items():
        if method != ours:
            best = by[backbone, ours]
            assert float(best["accuracy_pct"]) > float(row["accuracy_pct"])
            for name in ("bleu", "rouge_l", "cosine", "gptscore"):
                assert float(best[name]) < float(row[name])
    cross = {(row["memory_update"], row["metric"]): row for row in rows(4)[3:]}
    falls = [
        (row[form], cross["with", metric][form])
        for (update, metric), row in cross.items()
        for form in FORMATS
        if update == "without" and float(cross["with", metric][form]) <= float(row[form])
    ]
    assert falls == [("6.25", "6.12"), ("6.17", "6.13")]
    ties = [
        row["department"]
        for row in rows(5)
        for other in ("gpt4o", "gpt4o_with_generated")
        if float(row["gpt4o_with_patient_zero"]) <= float(row[other])
    ]
    assert ties == ["General Surgery"]


def test_what_the_page_infers() -> None:
    base = 0.83122575  # bert-score's file for roberta-large, layer 17
    (ours,) = (float(row["bertscore"]) for row in rows(1) if row["method"] == "Patient-Zero")
    assert round(ours * (1 - base) + base, 3) == 0.977
    mini = [row for row in rows(3) if row["backbone"] == "GPT-4o-mini"]
    low, high = (mini[at] for at in (2, 0))
    assert (low["bleu"], high["bleu"]) == (min(r["bleu"] for r in mini), "0.5569")
    assert float(high["gptscore"]) / float(low["gptscore"]) == pytest.approx(1.2, abs=0.005)
    apart = np.abs(column("cosine") - column("rouge_l"))
    assert (round(apart.mean(), 3), round(apart.max(), 3)) == (0.021, 0.065)
    assert round(np.corrcoef(column("cosine"), column("rouge_l"))[0, 1], 2) == 0.94
    ratio = column("bleu") / column("rouge_l")
    assert [round(v, 2) for v in (ratio.min(), ratio.max(), np.median(ratio))] == [0.15, 0.8, 0.21]
    z = norm.ppf(0.975) + norm.ppf(0.8)
    assert z**2 * 0.04 / 0.0024**2 == pytest.approx(54_000, rel=0.02)
    assert z * (0.04 / 500) ** 0.5 == pytest.approx(0.025, abs=0.0005)
