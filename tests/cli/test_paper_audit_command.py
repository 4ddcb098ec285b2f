"""`pzbench paper-audit`."""

import csv
import json
from pathlib import Path

from commands import inside, script

from bench.core.registry import REPORTS


def test_it_prints_every_table_and_writes_both_files(tmp_path: Path) -> None:
    ended = script(
        "paper-audit", "--triples", 50, "--json", tmp_path / "a.json", "--csv", tmp_path / "a.csv"
    )
    assert ended.code == 0, ended
    for table in range(1, 6):
        assert f"Table {table}, " in ended.out
    assert "47/58" in ended.out
    found = json.loads((tmp_path / "a.json").read_text("utf-8"))
    assert found["table5"]["pooled"]["difference"] == 7
    assert found["chance"]["controls"][0]["triples"] == 50
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        assert {row["table"] for row in csv.DictReader(file)} == set("12345")


def test_the_same_seed_prints_the_same() -> None:
    first = inside("paper-audit", "--triples", 200, "--seed", 4)
    assert first.code == 0
    assert first == inside("paper-audit", "--triples", 200, "--seed", 4)
    assert first != inside("paper-audit", "--triples", 200, "--seed", 5)


def test_another_rounding_gives_another_verdict() -> None:
    cut = inside("paper-audit", "--rounding", "cut", "--triples", 1).out
    assert "further digits cut off" in cut
    assert "1533/1560" in cut


def test_bad_options_are_told_in_one_sentence(tmp_path: Path) -> None:
    assert "half-even" in inside("paper-audit", "--rounding", "nearest").error
    assert "at least one" in inside("paper-audit", "--triples", 0).error
    file = tmp_path / "file"
    file.write_text("")
    ended = inside("paper-audit", "--json", file / "a.json")
    assert str(file) in ended.error
    assert not ended.out, "nothing is shown before a file is known to be writable"


def test_the_audit_is_a_plug_in() -> None:
    assert [plugin.name for plugin in REPORTS.plugins()] == ["paper-audit"]
