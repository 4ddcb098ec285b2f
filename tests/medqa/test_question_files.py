"""Reading questions: the shapes of a row, the files that hold them, what is wrong with either."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from invented import endings, mirage, original, shuffled

from bench.core.errors import UserError
from bench.medqa.shapes import question_id
from bench.medqa.sources import VARIABLE, load_questions, read_questions

GONE = {"A": "Tea", "B": "Milk", "C": "Rain", "D": "Fog", "E": None}
"""Options as a Parquet file of four- and five-option questions has them."""


def written(path: Path, rows: list[Any], lines: bool = True) -> Path:
    text = "\n".join(map(json.dumps, rows)) + "\n" if lines else json.dumps(rows, indent=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def refused(path: Path) -> str:
    with pytest.raises(UserError) as told:
        read_questions(path)
    assert "\n" not in str(told.value)
    return str(told.value)


def test_an_id_is_of_letters_and_digits_alone():
    plain = question_id("A 5-year-old boy; 37.1 °C. What now?")
    assert plain == question_id("a 5 YEAR old boy 37.1°c what now")
    assert plain == question_id("Ａ ５-year-old boy 37.1 °C What now")
    assert plain != question_id("A 6-year-old boy; 37.1 °C. What now?")
    assert len(plain) == 64


def test_two_options_of_one_text_are_both_right_or_both_wrong(tmp_path: Path):
    options = {"A": "Tea  now", "B": "Porridge", "C": "Tea now", "D": "Rain"}
    twin = {**original(0), "options": options, "answer": "Tea now", "answer_idx": "C"}
    found = load_questions(str(written(tmp_path / "x.jsonl", [original(1), twin])))
    assert any("1 of the questions have the same text" in one for one in found.warnings)
    assert [letter for letter in options if found.questions[1].accepts(letter)] == ["A", "C"]
    assert [letter for letter in "ABCD" if found.questions[0].accepts(letter)] == ["A"]


@pytest.mark.parametrize("name", ["x.json", "x.jsonl"])
@pytest.mark.parametrize("lines", [True, False], ids=["lines", "list"])
@pytest.mark.parametrize(
    ("rows", "options", "gold"),
    [
        ([{**original(at, 4, at), "metamap_phrases": ["x"]} for at in range(3)], 4, "ABC"),
        ([original(at, 5, at) for at in range(3)], 5, "ABC"),
        ([endings(0), endings(1, 0), {**endings(2), "label": "3", "sent2": None}], 4, "CAD"),
        ([mirage(0), mirage(1, "A")], 4, "BA"),
        ([{**original(0), "options": GONE, "answer": "Rain", "answer_idx": "C"}], 4, "C"),
    ],
    ids=["four options", "five options", "endings", "mirage", "nulls"],
)
def test_every_shape_is_read_from_lines_and_from_a_list(
    name: str, lines: bool, rows: list[dict[str, Any]], options: int, gold: str, tmp_path: Path
):
    found = read_questions(written(tmp_path / name, rows, lines))
    assert found.options == options
    assert "".join(one.answer_idx for one in found.questions) == gold
    asked = [row.get("question") or row["sent1"] for row in rows]
    assert [one.question for one in found.questions] == asked
    assert found.ids == set(map(question_id, asked))


@pytest.mark.parametrize("sets", [True, False])
def test_mirage_is_read_and_its_other_sets_are_not(sets: bool, tmp_path: Path):
    items: dict[str, Any] = {f"000{at}": mirage(at) for at in range(2)}
    whole = {"mmlu": {"a-0": mirage(9)}, "medqa": items} if sets else items
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps(whole, indent=1))
    assert [one.answer_idx for one in read_questions(tmp_path).questions] == ["B", "B"]
    items["0001"]["answer"] = "X"
    path.write_text(json.dumps(whole))
    assert f"{path}, 0001: field answer_idx" in refused(tmp_path)


def test_the_letters_of_the_variants_are_kept_apart(tmp_path: Path):
    four = read_questions(written(tmp_path / "4.jsonl", [original(at) for at in range(3)]))
    five = read_questions(written(tmp_path / "5.jsonl", [shuffled(at) for at in range(3)]))
    assert four.ids == five.ids
    for first, second in zip(four.questions, five.questions, strict=True):
        assert first.answer == second.answer
        assert (first.answer_idx, second.answer_idx) == ("A", "E")
    said = refused(written(tmp_path / "x.jsonl", [original(0), shuffled(1)]))
    assert "x.jsonl holds questions of 4 and of 5 options" in said


def test_a_question_that_stands_twice_is_refused(tmp_path: Path):
    again = {**original(0), "question": original(0)["question"].upper()}
    said = refused(written(tmp_path / "x.jsonl", [original(0), original(1), again]))
    assert re.search(r"x\.jsonl, line 3: the id '\w{64}' stands in line 1 too$", said)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"question": None}, "this is no question: a row has"),
        ({"question": 7}, "field question: "),
        ({"options": ["Tea"]}, "field options: "),
        ({"options": {"A": "Porridge", "C": "Milk"}}, "A, B, ... without a gap, but A, C"),
        ({"options": {}}, "without a gap, but none"),
        ({"options": {"A": "Porridge", "B": ""}}, "field options.B: "),
        ({"answer_idx": "F"}, "not a letter of A, B, C, D, but 'F'"),
        ({"answer_idx": 2}, "field answer_idx: "),
        ({"answer_idx": ["A"]}, "field answer_idx: "),
        ({"answer": "Rain"}, "the gold letter is A ('Porridge'), the gold answer 'Rain'"),
        ({"answer_idx": None}, "not a letter of A, B, C, D, but 'Porridge'"),
        ({"sent1": "Why?", "sent2": ["So"]}, "field question: "),
        ({"sent1": "Why?"}, "without a gap, but none"),
        ({**endings(1), "label": 4}, "not a letter of A, B, C, D, but 'label 4'"),
        ({**endings(1), "label": True}, "but 'label True'"),
    ],
)  # fmt: skip
def test_a_broken_row_gives_file_and_line(change: dict[str, Any], says: str, tmp_path: Path):
    said = refused(written(tmp_path / "x.jsonl", [original(0), {**original(1), **change}]))
    assert said.startswith(f"{tmp_path}/x.jsonl, line 2: ")
    assert says in said


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("x.jsonl", '{"question": "a"\n', "x.jsonl, line 1: not JSON"),
        ("x.jsonl", "1\n", "x.jsonl, question 1: this is no question"),
        ("x.jsonl", '{"label": ' + "9" * 5000 + "}\n", "x.jsonl, line 1: not JSON (Exceeds the li"),
        ("x.json", '[\n{},\n{"a": ' + "9" * 5000 + "}]", "x.json: not JSON (Exceeds the limit"),
        ("x.json", "[\n" + "[" * 100_000, "x.json: not JSON (maximum recursion depth"),
        ("x.JSON", "[\n7]", "x.JSON, question 1: this is no question"),
        ("x.json", "[\n{},\n{\n]", "x.json: not JSON (Expecting property name enclosed in double"),
        ("x.json", "7", "x.json, question 1: this is no question"),
        ("x.json", "[]", "holds no questions"),
        ("x.jsonl", "", "holds no questions"),
        ("x.json", "\udcff", "x.json, line 1: not JSON ('utf-8' codec can't decode"),
    ],
)
def test_a_broken_file_is_named(name: str, text: str, says: str, tmp_path: Path):
    (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert says in refused(tmp_path / name)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["latest_train.jsonl", "4_options/Test.JSONL", "dev.jsonl"], "4_options/Test.JSONL"),
        (["contest.jsonl", "us-test.v2.json"], "us-test.v2.json"),
        (["test.jsonl", "._test.jsonl", ".cache/test.json"], "test.jsonl"),
        (["x.JSONL", ".x.jsonl"], "x.JSONL"),
        (["a.json", "Benchmark.json"], "Benchmark.json"),
    ],
)
def test_of_a_folder_the_test_file_is_read(names: list[str], found: str, tmp_path: Path):
    for at, name in enumerate(names):
        written(tmp_path / name, [original(at)])
    assert read_questions(tmp_path).source == str(tmp_path / found)


def test_a_folder_without_one_test_file_is_refused(tmp_path: Path):
    assert "holds no questions (no .jsonl or .json file)" in refused(tmp_path)
    for name in ("latest_train.jsonl", "dev.jsonl"):
        written(tmp_path / name, [original(0)])
    said = "several question files (dev.jsonl, latest_train.jsonl): name one of them"
    assert said in refused(tmp_path)


@pytest.mark.parametrize("name", ["none", "a\0b"])
def test_a_file_that_is_not_there_is_named(name: str, tmp_path: Path):
    assert refused(tmp_path / name).startswith("there is no file or folder")


def test_the_variable_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(UserError, match="no MedQA questions: name a file"):
        load_questions()
    monkeypatch.setenv(VARIABLE, str(written(tmp_path / "x.jsonl", [original(0)])))
    (told,) = load_questions().warnings
    assert "1 questions where the split has 1273" in told
    assert "of its 326 questions with a department 0 are here" in told
