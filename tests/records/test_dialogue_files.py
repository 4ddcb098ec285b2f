"""Reading and writing dialogues: JSON lines and transcripts."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_dialogues import dialogue, dialogues
from patients import patient

from bench.core.errors import UserError
from bench.records.dialogue import Dialogue
from bench.records.dialogue_files import (
    DialogueFile,
    holds_dialogues,
    transcript,
    with_records,
    write_dialogues,
)
from bench.records.record_files import json_line

several = st.lists(dialogues, max_size=3, unique_by=lambda one: " ".join(one.id.split()))
reuse_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


def read(path: Path, text: str) -> list[Dialogue]:
    path.write_text(text, encoding="utf-8")
    return list(DialogueFile(path))


def fault(path: Path, text: str) -> str:
    with pytest.raises(UserError) as raised:
        read(path, text)
    return str(raised.value)


def said(read: Dialogue) -> list[list[tuple[str, str | None]]]:
    return [[(one.question, one.answer) for one in part.exchanges] for part in read.rounds]


def kept(text: str | None) -> str | None:
    """What a transcript keeps of a turn."""
    if text is None:
        return None
    return "\n".join(line.strip() for line in text.splitlines() if line.strip())


@reuse_folder
@given(written=several)
def test_dialogues_survive_json_lines(tmp_path, written):
    path = tmp_path / "d.jsonl"
    write_dialogues(path, written)
    assert list(DialogueFile(path)) == written
    assert list(DialogueFile(path)) == written  # and once more


@reuse_folder
@given(written=several)
def test_what_was_said_survives_a_transcript(tmp_path, written):
    written = [one for one in written if one.id.split()]
    path = tmp_path / "d.txt"
    write_dialogues(path, written)
    found = list(DialogueFile(path))
    assert [one.id for one in found] == [" ".join(one.id.split()) for one in written]
    for ours, theirs in zip(found, written, strict=True):
        assert said(ours) == [
            [(kept(asked), kept(answer)) for asked, answer in part] for part in said(theirs)
        ]
        assert ours.style == theirs.style
        assert ours.department == " ".join(theirs.department.split())
    assert "".join(map(transcript, found)) == path.read_text("utf-8")


def test_a_plain_transcript_is_one_dialogue_named_like_its_file(tmp_path):
    (found,) = read(
        tmp_path / "visit.txt",
        "\ufeffDoctor: What brings you here?\n\n"
        "PATIENT: My leg burns.\nAll down the left.\n"
        "Doctor : Since when?\r\n\r\n"
        "patient:\n  Two weeks.\n",
    )
    assert found.id == "visit"
    assert said(found) == [
        [
            ("What brings you here?", "My leg burns.\nAll down the left."),
            ("Since when?", "Two weeks."),
        ]
    ]
    assert (found.style, found.department, found.record) == (None, "", None)


@pytest.mark.parametrize(
    "between", ["---", "------", "## Round 2", "---\n## round 2", "## ROUND 2"]
)
def test_rounds_are_separated_by_a_rule_or_a_heading(tmp_path, between):
    text = f"## Round 1\nDoctor: a\nPatient: b\n{between}\nDoctor: c\nPatient: d\n---\n"
    (found,) = read(tmp_path / "x.txt", text)
    assert said(found) == [[("a", "b")], [("c", "d")]]


def test_a_file_holds_several_dialogues_with_style_and_department(tmp_path):
    first, second = read(
        tmp_path / "x.txt",
        "=== 10024\nStyle: upset\nDepartment: General Surgery\nDoctor: a\nPatient: b\n"
        "Style: this is said\n\n=== two words\nDoctor: c\nPatient: d\n",
    )
    assert (first.id, first.style, first.department) == ("10024", "upset", "General Surgery")
    assert said(first) == [[("a", "b\nStyle: this is said")]]
    assert (second.id, second.style) == ("two words", None)


def test_a_style_that_nobody_gave_is_none_in_either_form(tmp_path):
    for name in ("x.jsonl", "x.txt"):
        written = [
            dialogue("a", [("q", "r")]),
            dialogue("b", [("q", "r")], manner={"style": "upset"}),
        ]
        write_dialogues(tmp_path / name, written)
        assert [one.style for one in DialogueFile(tmp_path / name)] == [None, "upset"]
        assert "tyle" not in (tmp_path / name).read_text().partition("b")[0]


def test_the_transcript_of_the_protocol_is_one(tmp_path):
    page = Path(__file__).parents[2].joinpath("docs/protocol.md").read_text("utf-8")
    (text,) = re.findall(r"^```text\n(===.*?)^```", page, re.MULTILINE | re.DOTALL)
    (found,) = read(tmp_path / "x.txt", text)
    assert (found.id, found.style, found.department) == ("10024", "upset", "General Surgery")
    assert said(found) == [
        [("What brings you here?", "My belly hurts.\nIt has hurt for ten days.")],
        [("Good morning. How are you today?", "Not well.")],
    ]


def test_an_indented_line_is_never_a_mark(tmp_path):
    (found,) = read(tmp_path / "x.txt", "Doctor: a\nPatient: He said:\n  Doctor: b\n  ---\n")
    assert said(found) == [[("a", "He said:\nDoctor: b\n---")]]


def test_a_colon_alone_makes_no_speaker(tmp_path):
    lines = ("It began so: I fell.", "https://a.example", "At 10:30.", "Here is it all: pain")
    text = "\n".join(("Doctor: a", "Patient: b", *lines, "  Nurse: hello"))
    (found,) = read(tmp_path / "x.txt", text)
    assert said(found) == [[("a", "\n".join(("b", *lines, "Nurse: hello")))]]


def test_a_question_without_answer_at_the_end_of_a_round_is_a_closing_turn(tmp_path):
    text = (
        "=== P1\n## Round 1\nDoctor: a\nPatient: b\nDoctor: Goodbye, then.\n"
        "## Round 2\nDoctor: Nobody there?\n\n"
    )
    (found,) = read(tmp_path / "x.txt", text)
    assert said(found) == [[("a", "b"), ("Goodbye, then.", None)], [("Nobody there?", None)]]
    assert [one.question for one in found.answered()] == ["a"]
    assert len(found.exchanges()) == 3
    assert transcript(found) == text
    assert "null" not in json_line(found)


def test_a_style_beside_the_manner_is_read_into_it(tmp_path):
    path = tmp_path / "x.jsonl"
    old = {
        "id": "a",
        "style": "upset",
        "rounds": [{"exchanges": [{"question": "q", "answer": "r"}]}],
    }
    (found,) = read(path, json.dumps(old))
    assert (found.style, found.manner) == ("upset", {"style": "upset"})
    assert found.model_dump()["manner"] == {"style": "upset"}
    assert "style" not in found.model_dump()
    assert "field manner.style: Input should be a valid string" in fault(
        path, json.dumps(old | {"style": 3})
    )
    assert "field manner: " in fault(path, json.dumps(old | {"manner": "upset"}))
    (silent,) = read(path, json.dumps(old | {"style": None}))
    assert (silent.style, silent.manner) == (None, {})


@pytest.mark.parametrize(
    ("text", "line", "word"),
    [
        ("Patient: b\n", 1, "the doctor begins"),
        ("Hello.\nDoctor: a\n", 1, "begins with a line 'Doctor: ...'"),
        ("Doctor: a\nDoctor: b\n", 2, "no answer"),
        ("Doctor: a\nPatient: b\nPatient: c\n", 3, "the patient answers twice"),
        ("Doctor: a\nPatient: b\n---\nmore\n", 4, "begins with a line 'Doctor: ...'"),
        ("Doctor: a\nPatient: b\n## Round 3\n", 3, "this is round 2 of 'x', not 3"),
        ("Doctor: a\nNurse: b\nPatient: c\n", 2, "'Nurse' is neither 'Doctor' nor 'Patient'"),
        ("Doctor: a\nPatient: b\nnurse :\n", 3, "indent the line"),
        ("Doctor: a\nPatient: b\nDr. Smith: c\n", 3, "'Dr. Smith' is neither"),
        ("Doctor: a\nPatient 2: b\n", 2, "'Patient 2' is neither"),
        ("## Round 2\nDoctor: a\nPatient: b\n", 1, "this is round 1 of 'x', not 2"),
        ("\n=== P1\nDoctor: a\n", 2, "no question has an answer"),
        ("=== P\nDoctor: a\nPatient: b\n=== P\nDoctor: a\nPatient: b\n", 4, "stands in line 1"),
    ],
)
def test_a_faulty_transcript_is_named_with_its_line(tmp_path, text, line, word):
    path = tmp_path / "x.txt"
    found = fault(path, text)
    assert found.startswith(f"{path}, line {line}: ")
    assert word in found


def test_faulty_json_lines_are_named_with_line_and_field(tmp_path):
    path = tmp_path / "x.jsonl"
    good = dialogue("a", [("q", "r")]).model_dump_json()
    assert f"{path}, line 2: not JSON" in fault(path, f"{good}\nno\n")
    assert "line 2: the id 'a' stands in line 1 too" in fault(path, f"{good}\n{good}\n")
    bad = json.loads(good) | {"id": "b"}
    exchanges = bad["rounds"][0]["exchanges"]
    exchanges[0].pop("answer")
    wrong = fault(path, f"{good}\n\n{json.dumps(bad)}\n")
    assert "line 3: field rounds: no question has an answer" in wrong
    exchanges.append({"question": "p", "answer": "s"})
    wrong = fault(path, json.dumps(bad))
    assert "field rounds.0: only the last question of a round may lack" in wrong
    exchanges[0].pop("question")
    wrong = fault(path, json.dumps(bad))
    assert "line 1: field rounds.0.exchanges.0.question: Field required" in wrong
    bad["rounds"] = []
    assert "field rounds: Tuple should have at least 1 item" in fault(path, json.dumps(bad))
    bad = json.loads(good) | {"turns": []}
    assert "field turns: Extra inputs are not permitted" in fault(path, json.dumps(bad))


def test_reading_holds_one_dialogue_at_a_time(tmp_path):
    for name, rest in (("x.jsonl", "no json"), ("x.txt", "=== b\nPatient: first")):
        path = tmp_path / name
        write_dialogues(path, [dialogue("a", [("q", "r")])])
        with path.open("a") as file:
            file.write(rest)
        reader = iter(DialogueFile(path))
        assert next(reader).id == "a"
        with pytest.raises(UserError):
            next(reader)


def test_text_that_is_none_is_refused(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"Doctor: \xff\xfe\n")
    with pytest.raises(UserError, match="cannot be read as UTF-8"):
        list(DialogueFile(path))
    with pytest.raises(UserError, match="cannot be read"):
        list(DialogueFile(tmp_path / "absent.txt"))


def test_dialogues_are_told_from_records(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text("\n" + dialogue("a", [("q", "r")]).model_dump_json() + "\n")
    assert holds_dialogues(path)
    path.write_text(patient("a", "d", "x").model_dump_json() + "\n")
    assert not holds_dialogues(path)
    for name in ("x.txt", "X.TXT"):
        path = tmp_path / name
        path.write_text("Doctor: a\nPatient: b\n")
        assert holds_dialogues(path)
        assert said(*DialogueFile(path)) == [[("a", "b")]]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", " holds no records and no dialogues: it is empty"),
        ("\n \n", " holds no records and "),
        ("[]\n", ", line 1: this is neither a dialogue"),
        ('\n{"id": "a", "style": "upset"}\n', ", line 2: this is neither a dialogue, which has"),
    ],
)
def test_what_is_neither_is_told_as_such(tmp_path, text, words):
    path = tmp_path / "x.jsonl"
    path.write_text(text)
    with pytest.raises(UserError, match=re.escape(f"{path}{words}")):
        holds_dialogues(path)


def test_records_are_attached_where_there_is_none(tmp_path):
    own = patient("b", "Urology", "own")
    attached = with_records(
        [
            dialogue("a", [("q", "r")]),
            dialogue("b", [("q", "r")], record=own),
            dialogue("c", [("q", "r")]),
        ],
        {"a": patient("a", "Orthopedics", "x"), "b": patient("b", "Urology", "other")},
    )
    first, second, third = attached
    assert first.record is not None
    assert first.record.id == "a"
    assert first.department == "Orthopedics"
    assert second.record is own
    assert third.record is None
