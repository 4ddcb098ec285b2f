"""The rows that the project publishes."""

import csv
from pathlib import Path

import pytest

from leaderboards.rows import COLUMNS

RESULTS = sorted((Path(__file__).resolve().parents[2] / "leaderboards" / "results").glob("*.csv"))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.name)
def test_published_rows_have_the_columns_and_no_stand_in_ranks(path):
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows
    for row in rows:
        assert list(row) == list(COLUMNS)
        assert row["ranked"] == ("false" if row["stand_in"] == "true" else "true")
        assert (row["backbone"] == "rules") <= (row["stand_in"] == "true")
        assert int(row["n"]) >= 0
        if row["value"] and row["ci_low"]:
            assert float(row["ci_low"]) <= float(row["value"]) <= float(row["ci_high"])


def test_something_is_published():
    assert RESULTS
