"""Reading questions: three shapes, three containers, and what is wrong with a row."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from invented import endings, mirage, original, shuffled

from bench.core.errors import UserError
from bench.medqa.audit import difference
from bench.medqa.labels import read_labels
from bench.medqa.question import question_id
from bench.medqa.question_files import read_questions
from bench.medqa.sources import VARIABLE, load_questions


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
    assert any("1 of the questions" in one and "line 2" in one for one in found.warnings)
    question = found.questions[1]
    assert [letter for letter in options if question.accepts(letter)] == ["A", "C"]
    assert [one for one in "ABCD" if found.questions[0].accepts(one)] == [
        found.questions[0].answer_idx
    ]


@pytest.mark.parametrize("lines", [True, False])
@pytest.mark.parametrize("options", [4, 5])
def test_original_rows_are_read(lines: bool, options: int, tmp_path: Path):
    rows = [{**original(at, options, at), "metamap_phrases": ["x"]} for at in range(3)]
    found = read_questions(written(tmp_path / "x.json", rows, lines))
    assert found.options == options
    assert [one.answer_idx for one in found.questions] == ["A", "B", "C"]
    assert [one.answer for one in found.questions] == [row["answer"] for row in rows]
    assert found.questions[0].id == question_id(rows[0]["question"])
    assert found.questions[0].meta_info == "step1"


def test_the_lines_of_a_list_are_known(tmp_path: Path):
    path = written(tmp_path / "x.json", [original(0), original(1)], lines=False)
    (number,) = (
        at for at, line in enumerate(path.read_text().splitlines(), start=1) if "number 1" in line
    )
    # The object opens one line above its first field.
    assert read_questions(path).questions[1].where == f"{path}, line {number - 1}"


def test_endings_are_read(tmp_path: Path):
    found = read_questions(written(tmp_path / "test.json", [endings(0), endings(1, 0)]))
    assert [one.answer_idx for one in found.questions] == ["C", "A"]
    assert found.questions[0].question == original(0)["question"]
    assert found.ids == {question_id(original(at)["question"]) for at in range(2)}


@pytest.mark.parametrize("sets", [True, False])
def test_mirage_is_read_and_its_other_sets_are_not(sets: bool, tmp_path: Path):
    items: dict[str, Any] = {f"000{at}": mirage(at) for at in range(2)}
    whole = {"mmlu": {"a-0": mirage(9)}, "medqa": items} if sets else items
    path = tmp_path / "benchmark.json"
    path.write_text(json.dumps(whole, indent=1))
    found = read_questions(tmp_path)
    assert [one.answer_idx for one in found.questions] == ["B", "B"]
    assert found.questions[1].name == ("medqa.0001" if sets else "0001")
    line = int(found.questions[1].where.rpartition("line ")[2])
    assert '"0001"' in path.read_text().splitlines()[line - 1]


def test_the_letters_of_the_variants_are_kept_apart(tmp_path: Path):
    four = read_questions(written(tmp_path / "4.jsonl", [original(at) for at in range(3)]))
    five = read_questions(written(tmp_path / "5.jsonl", [shuffled(at) for at in range(3)]))
    assert four.ids == five.ids
    assert (four.options, five.options) == (4, 5)
    for first, second in zip(four.questions, five.questions, strict=True):
        assert first.answer == second.answer
        assert (first.answer_idx, second.answer_idx) == ("A", "E")


def test_the_gold_letter_of_another_variant_is_found_out(tmp_path: Path):
    mixed = {**shuffled(1), "answer_idx": original(1)["answer_idx"]}
    said = refused(written(tmp_path / "x.jsonl", [shuffled(0), mixed]))
    assert f"{tmp_path}/x.jsonl, line 2: the gold letter is A" in said
    assert "not of the same set of options" in said


def test_variants_in_one_file_are_refused(tmp_path: Path):
    said = refused(written(tmp_path / "x.jsonl", [original(0), shuffled(1)]))
    assert "x.jsonl, line 2: 5 options, where" in said
    assert "line 1 has 4" in said


def test_a_question_that_stands_twice_is_refused(tmp_path: Path):
    again = {**original(0), "question": original(0)["question"].upper()}
    said = refused(written(tmp_path / "x.jsonl", [original(0), original(1), again]))
    assert "line 3: the same question stands in" in said
    assert said.endswith("line 1")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"question": None}, "this is no question: a row has"),
        ({"question": " ?"}, "question is to be a text"),
        ({"question": 7}, "question is to be a text, and is 7"),
        ({"options": ["Tea"]}, "options are to be an object of letters"),
        ({"options": {"A": "Tea", "C": "Milk"}}, "A, B, ... without a gap, not A, C"),
        ({"options": {}}, "without a gap"),
        ({"options": {"A": "Tea", "B": ""}}, "option B is to be a text"),
        ({"answer_idx": "F"}, "answer_idx is to be a letter of A, B, C, D, not 'F'"),
        ({"answer_idx": 2}, "answer_idx is to be a letter"),
        ({"answer": "Rain"}, "the gold letter is A ('Porridge'), the gold answer 'Rain'"),
        ({"answer_idx": None}, "answer is to be a letter of A, B, C, D, not 'Porridge'"),
        ({"sent1": "Why?", "sent2": 5}, "sent2 is to be a text, and is 5"),
        ({"sent1": "Why?", "sent2": ["So"]}, "sent2 is to be a text, and is ['So']"),
        ({"question": "Why? " * 20_000}, "characters are more than a question has (100,000 at mo"),
        ({"sent1": "Why?"}, "options are to be A, B, ... without a gap, not None"),
        ({"sent1": "Why?", "ending1": "So"}, "endings are to be ending0, ending1, ..., not"),
        ({"meta_info": 3}, "meta_info is to be a text"),
    ],
)  # fmt: skip
def test_a_broken_row_gives_file_and_line(change: dict[str, Any], says: str, tmp_path: Path):
    said = refused(written(tmp_path / "x.jsonl", [original(0), {**original(1), **change}]))
    assert f"{tmp_path}/x.jsonl, line 2: " in said
    assert says in said


def test_options_that_differ_in_case_alone_are_two(tmp_path: Path):
    row = {"question": "Who carries it?", "options": {"A": "Aa", "B": "AA"}, "answer_idx": "A"}
    (one,) = read_questions(written(tmp_path / "x.jsonl", [row])).questions
    assert one.answer == "Aa"


@pytest.mark.parametrize("label", ["9" * 5000, 4, -1, "x", None, True, 1.0])
def test_a_label_outside_the_endings_is_refused(label: object, tmp_path: Path):
    row = {**endings(0), "label": label}
    assert "label is to be 0 to 3" in refused(written(tmp_path / "x.jsonl", [row]))


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("x.jsonl", '{"question": "a"\n', "x.jsonl, line 1: not JSON"),
        ("x.jsonl", "[1]\n", "x.jsonl, line 1: a question is a JSON object, not list"),
        (
            "x.jsonl",
            '{"label": ' + "9" * 5000 + "}\n",
            "x.jsonl, line 1: not JSON (Exceeds the limit",
        ),
        (
            "x.json",
            '[\n{},\n{"a": ' + "9" * 5000 + "}]",
            "x.json, line 3: not JSON (Exceeds the li",
        ),
        (
            "x.json",
            '{"question": ' + "9" * 5000 + "}\n",
            "x.json, line 1: not JSON (Exceeds the lim",
        ),
        ("x.json", "[\n" + "[" * 100_000, "x.json, line 2: not JSON (maximum recursion depth"),
        ("x.jsonl.gz", "", "x.jsonl.gz is packed: unpack it first"),
        ("x.JSON", "[\n7]", "x.JSON, line 2: a question is a JSON object, not int"),
        ("x.json", "[\n{},\n{\n]", "x.json, line 4: not JSON"),
        ("x.json", "[{}\n{}]", "x.json, line 2: not JSON (',' is wanted"),
        ("x.json", "7", "a list or an object of questions is wanted"),
        ("x.json", "[]", "holds no questions"),
        ("x.jsonl", "", "holds no questions"),
        ("x.json", "\udcff", "cannot be read"),
        ("x.parquet", "PAR1", "is Parquet"),
    ],
)
def test_a_broken_file_is_named(name: str, text: str, says: str, tmp_path: Path):
    (tmp_path / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    assert says in refused(tmp_path / name)


def test_of_a_folder_the_test_file_is_read(tmp_path: Path):
    written(tmp_path / "US" / "train.jsonl", [original(0)])
    path = written(tmp_path / "US" / "test.jsonl", [original(1)])
    assert read_questions(tmp_path).source == str(path)
    written(tmp_path / "US" / "4_options" / "phrases_no_exclude_test.jsonl", [original(1)])
    said = refused(tmp_path)
    assert "US/4_options/phrases_no_exclude_test.jsonl, US/test.jsonl" in said
    assert "name one of them" in said


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["latest_train.jsonl", "Test.JSONL", "dev.jsonl"], "Test.JSONL"),
        (["contest.jsonl", "us-test.v2.json"], "us-test.v2.json"),
        (["test.jsonl", "._test.jsonl", ".cache/test.json"], "test.jsonl"),
        (["test.jsonl", "test.jsonl.gz"], "test.jsonl"),
        (["x.JSONL", ".x.jsonl"], "x.JSONL"),
        (["a.json", "Benchmark.json"], "Benchmark.json"),
    ],
)
def test_a_test_file_is_known_by_its_name(names: list[str], found: str, tmp_path: Path):
    for at, name in enumerate(names):
        rows = [original(at)] if not name.startswith(".") else [7]
        written(tmp_path / name, rows)
    assert read_questions(tmp_path).source == str(tmp_path / found)


@pytest.mark.parametrize(
    ("names", "says"),
    [
        (["latest_train.jsonl", "dev.jsonl"], "several question files (dev.jsonl, latest_train.js"),
        (["train.jsonl", "test.jsonl.gz"], "test.jsonl.gz is packed: unpack it first"),
        (["data.ZIP"], "data.ZIP is packed: unpack it first"),
    ],
)
def test_a_folder_without_one_test_file_is_refused(names: list[str], says: str, tmp_path: Path):
    for name in names:
        written(tmp_path / name, [original(0)])
    assert says in refused(tmp_path)


@contextmanager
def without_rights() -> Iterator[None]:
    """Root may read everything: in here, it may not."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


def test_what_may_not_be_read_is_said_to_be_so():
    with TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o755)
        written(folder / "train.jsonl", [original(0)])
        test = written(folder / "US" / "test.jsonl", [original(1)])
        test.parent.chmod(0)
        with without_rights():
            assert refused(folder).startswith(f"{test.parent} cannot be read (Permission denied): ")
            assert refused(test).startswith(f"{test} cannot be read (Permission denied): name ano")
        test.parent.chmod(0o755)
        test.chmod(0)
        with without_rights():
            assert refused(folder) == f"{test} cannot be read (Permission denied)"
            with pytest.raises(UserError, match=r"cannot be read \(Permission denied\)"):
                read_labels(test)


@pytest.mark.parametrize("name", ["x" * 300, "a\0b"])
def test_a_name_that_no_file_has_is_refused(name: str, tmp_path: Path):
    said = refused(tmp_path / name)
    assert "cannot be read (" in said
    assert "name another file or folder" in said
    assert len(said) < 400


def test_a_pipe_is_refused(tmp_path: Path):
    os.mkfifo(tmp_path / "x.jsonl")
    assert "x.jsonl is a pipe or device: give a regular file" in refused(tmp_path / "x.jsonl")
    with pytest.raises(UserError, match=r"x.jsonl are no regular file: name the file"):
        read_labels(tmp_path / "x.jsonl")


def test_an_empty_folder_or_no_file_is_named(tmp_path: Path):
    assert "holds no questions (no .jsonl or .json file)" in refused(tmp_path)
    assert "there is no file or folder" in refused(tmp_path / "none")


def test_the_variable_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(UserError, match="no MedQA questions: name a file"):
        load_questions()
    monkeypatch.setenv(VARIABLE, str(written(tmp_path / "x.jsonl", [original(0)])))
    assert len(load_questions().questions) == 1


def test_another_set_is_taken_with_a_warning(tmp_path: Path):
    (told,) = load_questions(str(written(tmp_path / "x.jsonl", [original(0)]))).warnings
    assert "1 questions where the split has 1273 (missing 1272 at least)" in told
    assert "of its 326 questions with a department 0 are here, missing 326" in told
    many = frozenset(str(at) for at in range(1300))
    assert "(extra 27 at least)" in difference(many)
