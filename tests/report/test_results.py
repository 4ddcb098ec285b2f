"""results.csv: what is written is what is read."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.api.cell import Cell
from bench.api.score import Interval, Score
from bench.core.errors import UserError
from bench.report.results import Result, Results, read_results, results_text

WORDS = st.text(st.sampled_from("ab =+-@',\"|<µ/"), min_size=1, max_size=8)
NOTES = WORDS.map(str.split).map(" ".join).filter(bool)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
PAIRS = st.tuples(NUMBERS, NUMBERS)
SCORES = st.builds(
    Score,
    metric=WORDS,
    part=WORDS | st.just(""),
    by=st.sampled_from(["all", "department"]),
    group=WORDS,
    value=st.none() | NUMBERS,
    unit=WORDS,
    better=st.sampled_from(["higher", "lower"]),
    n=st.integers(0, 1000),
    n_missing=st.integers(0, 1000),
    interval=st.none() | st.builds(Interval, low=NUMBERS, high=NUMBERS, method=WORDS),
    bounds=st.none() | PAIRS,
    p_value=st.none() | st.floats(0, 1),
    discordant=st.none() | st.tuples(st.integers(0, 9), st.integers(0, 9)),
    signature=WORDS | st.just(""),
    notes=st.lists(NOTES, max_size=2).map(tuple),
    stand_in=st.booleans(),
)
CELLS = st.dictionaries(st.sampled_from(["backbone", "method", "judge"]), WORDS, min_size=1)


@st.composite
def made(draw: st.DrawFn) -> Result:
    cell = Cell(draw(CELLS))
    first = next(iter(cell))
    other = draw(
        st.sampled_from(
            [
                cell.and_({first: cell[first] + "x"}),
                cell.and_(student="s"),
                cell.without(first),
            ]
        )
    )
    return Result("generate", cell, draw(SCORES), draw(st.sampled_from([None, other])))


@given(st.lists(made(), max_size=4))
def test_what_is_written_is_what_is_read(
    tmp_path_factory: pytest.TempPathFactory, results: list[Result]
) -> None:
    path = tmp_path_factory.mktemp("r") / "results.csv"
    path.write_text(results_text(results), encoding="utf-8")
    assert read_results(path) == results


def test_a_damaged_file_is_told_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "results.csv"
    for text in ("a,b\n1,2\n", "stage,metric,n\ngenerate,bleu,many\n"):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(UserError, match=r"results\.csv"):
            read_results(path)


def score(metric: str) -> Score:
    return Score(metric=metric, value=1.0, unit="share", better="higher", n=1)


def test_a_kind_holds_its_own_results_stages_and_roles() -> None:
    def stage(makes: str, takes: str | None, *roles: str) -> dict[str, Any]:
        return {"makes": makes, "takes": takes, "roles": roles, "cells": []}

    manifest = {
        "roles": [{"role": name} for name in ("generator", "patient", "student", "judge", "rater")],
        "stages": {
            "generate": stage("records", None, "generator"),
            "interview": stage("dialogues", "records", "patient"),
            "exam": stage("answers", "records", "student"),
        },
    }
    results = Results(
        "r",
        (
            Result("generate", Cell(backbone="b", judge="j"), score("accuracy")),
            Result("interview", Cell(backbone="b", rater="r"), score("fluency")),
            Result("exam", Cell(backbone="b"), score("medqa-accuracy")),
        ),
        manifest,
    )
    held = {
        kind: (
            results.of(kind).values("metric"),
            list(results.of(kind).manifest["stages"]),
            [role["role"] for role in results.of(kind).manifest["roles"]],
        )
        for kind in ("records", "dialogues", "answers", "pictures")
    }
    assert held == {
        "records": (["accuracy"], ["generate"], ["generator", "judge"]),
        "dialogues": (["fluency"], ["generate", "interview"], ["generator", "patient", "rater"]),
        "answers": (["medqa-accuracy"], ["generate", "exam"], ["generator", "student"]),
        "pictures": ([], [], []),
    }
