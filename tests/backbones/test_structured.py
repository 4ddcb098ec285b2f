"""Texts of models as typed values: the last valid object, and nothing that has no end."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from patients import patient
from pydantic import BaseModel

from bench.backbones.objects import DEEPEST
from bench.backbones.prompt import JUDGING, Message, Prompt, Sampling
from bench.backbones.requests import (
    ChosenOption,
    Extract,
    Extracted,
    Labels,
    Lesson,
    Rating,
    Verdict,
)
from bench.backbones.structured import (
    SHOWN,
    bounded_schema,
    fields_message,
    parse,
    shape,
    strict_schema,
    with_fault,
)
from bench.records.record import PatientRecord, RecordSections
from bench.students.answer import choice_of
from metrics.dialogue_consistency import AnswerVerdict

words = st.text(st.sampled_from("ab {}[]\"'\\,:.\n\t√é😀"), max_size=12)
ratings = st.builds(
    lambda why, score: {"reasons": f"so{why}", "score": score}, words, st.integers()
)
labels = st.builds(
    lambda why, number, fact: {
        "reasons": f"so{why}",
        "statements": [{"statement": number, "labels": [{"fact": fact, "label": "entail"}]}],
    },
    words,
    st.integers(1, 9),
    words,
)
answers = ratings.map(lambda value: (Rating, value)) | labels.map(lambda one: (AnswerVerdict, one))
tame = st.builds(
    lambda why, score: (Rating, {"reasons": f"so{why}", "score": score}),
    st.text(st.sampled_from("ab {}é.'")),
    st.integers(),
)
"""What is mended is read as well as may be: without signs that mean something to JSON."""


def trailing(value: Any) -> str:
    return json.dumps(value, indent=1).removesuffix("\n}") + ",\n}"


WRITTEN: list[Callable[[Any], str]] = [
    json.dumps,
    lambda value: json.dumps(value, indent=2, ensure_ascii=False),
    trailing,
    str,
]
prose = st.text(st.sampled_from("Hope th\n.,`'-"), max_size=12)
around = st.sampled_from(["", "```json\n", "{this} ", 'Or {"score": 1}? ', "[a] ", "{} ", "}] "])


def read(text: str, answer: type[Any], *, whole: bool = True) -> Any:
    """The value as JSON, or none."""
    try:
        return parse(text, answer, whole=whole).model_dump(mode="json")
    except ValueError as error:
        assert "\n" not in str(error)
        return None


@given(
    st.tuples(answers, st.sampled_from(WRITTEN[:2])) | st.tuples(tame, st.sampled_from(WRITTEN)),
    around,
    prose,
    prose,
    around,
)
def test_an_object_is_read_amid_other_words(
    asked: tuple[tuple[type[Any], Any], Callable[[Any], str]],
    before: str,
    said: str,
    after: str,
    behind: str,
) -> None:
    (answer, value), write = asked
    assert read(f"{said}{before}{write(value)}{after}{behind}", answer) == value


@given(answers, st.sampled_from(WRITTEN), around, st.data())
def test_no_cut_point_of_an_answer_gives_a_value(
    asked: tuple[type[Any], Any], write: Callable[[Any], str], before: str, data: st.DataObject
) -> None:
    answer, value = asked
    draft = json.dumps(value)
    lead = before + data.draw(st.sampled_from(["", draft + "\n", "[" + draft + ", "]))
    text = write(value)
    place = data.draw(st.integers(1, len(text.rstrip()) - 1))
    assert read(lead + text[:place], answer) is None
    for whole in (True, False):
        assert read(text[:place], answer, whole=whole) is None


@given(answers, st.sampled_from(WRITTEN))
def test_what_was_cut_counts_if_it_is_one_object_and_nothing_else(
    asked: tuple[type[Any], Any], write: Callable[[Any], str]
) -> None:
    answer, value = asked
    assert read(json.dumps(value), answer, whole=False) == value
    assert read(f"{json.dumps(value)} so", answer, whole=False) is None
    assert read(f"{json.dumps(value)} {json.dumps(value)}", answer, whole=False) is None


@given(st.lists(ratings, min_size=1), st.lists(st.sampled_from(["{x}", '{"score": 9}', "{}"])))
def test_of_several_objects_the_last_valid_one_counts(drafts: list[Any], bad: list[str]) -> None:
    assert read("\n".join([*map(json.dumps, drafts), *bad]), Rating) == drafts[-1]
    assert read(json.dumps(drafts), Rating) == drafts[-1]
    assert read("".join(bad), Rating) is None


@given(labels, st.dictionaries(st.sampled_from(["confidence", "id", "x"]), words, min_size=1))
def test_keys_nobody_asked_for_are_ignored_at_every_depth(value: Any, more: Any) -> None:
    (entry,) = value["statements"]
    (label,) = entry["labels"]
    deep = {**entry, "labels": [{**label, **more}], **more}
    assert read(json.dumps({**value, "statements": [deep], **more}), AnswerVerdict) == value


def test_files_are_still_closed_to_other_keys() -> None:
    with pytest.raises(ValueError, match="confidence"):
        Rating.model_validate({"reasons": "so", "score": 1, "confidence": 1})


@given(st.text(st.sampled_from("{}[]\"':,\\ a1.n\n")), st.booleans())
def test_no_text_raises_anything_else(text: str, whole: bool) -> None:
    read(text, Rating, whole=whole)
    read(f'{{"reasons": {text}, "score": 1}}', Rating, whole=whole)


@pytest.mark.parametrize("deep", [DEEPEST + 1, 200_000])
@pytest.mark.parametrize("part", ['{"a":', "[", '{"reasons": [', "{'a': "])
def test_what_goes_too_deep_is_an_invalid_answer(part: str, deep: int) -> None:
    for text in (part * deep, '{"score": 1, "reasons": ' + part * deep):
        assert read(text, Rating) is None
        assert read(text, Rating, whole=False) is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "empty"),
        (" \n", "empty"),
        ("All is well.", "no JSON object"),
        ('{"verdict": 1}', '"reasons": "..."'),
        ('{"score": 3}', "reasons"),
        ('{"reasons": "  ", "score": 3}', "reasons"),
        ('{"reasons": "...", "score": 3}', "reasons"),
        ('{"reasons": "so", "score": NaN}', "score"),
        ('{"reasons": "so", "score": 1e999}', "score"),
        ('{"reasons": "so", "score": ' + "1" * 5000 + "}", "score"),
        ('{"reasons": "so", "score": 3', "no end"),
        ('{"reasons": "so", "score": 3} {"reasons": "no', "no end"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said.replace(".", r"\.")) as caught:
        parse(text, Rating)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("blank", ["", " ", "\n", "-", "...", "…"])
def test_a_judgement_without_reasons_is_invalid(blank: str) -> None:
    verdict = {name: {"reasons": "so", "aligned": True} for name in Verdict.model_fields}
    bad = {**verdict, "epidemiology": {"reasons": blank, "aligned": True}}
    one = {"statements": [{"statement": 1, "labels": []}]}
    assert read(json.dumps(verdict), Verdict) == verdict
    for answer, value in [
        (Verdict, bad),
        (AnswerVerdict, {"reasons": blank, **one}),
        (AnswerVerdict, one),
        (Rating, {"reasons": blank, "score": 3}),
        (ChosenOption, {"reasons": blank, "letter": "A"}),
        (Lesson, {"reasons": blank, "rule": "Look."}),
    ]:
        assert read(json.dumps(value), answer) is None


def test_an_exam_takes_a_letter_alone() -> None:
    answer = choice_of((("A", "one"), ("B", "two")))
    for text in ("B", '"B"', "**B**", '{"letter": "B"}', '{"reasons": "", "letter": "B", "x": 1}'):
        assert read(text, answer)["letter"] == "B"
    assert read("B", answer, whole=False) is None
    assert read("I take {", answer) is None


def test_half_a_character_is_replaced() -> None:
    assert read('{"reasons": "so \\ud83d", "score": 1}', Rating)["reasons"] == "so ?"
    assert read('{"reasons": "so \\ud83d\\ude00", "score": 1}', Rating)["reasons"] == "so 😀"


def test_files_may_go_beyond_what_a_model_is_asked_to_keep() -> None:
    made = json.loads(patient("X", "neurology", "Left leg hurts.").model_dump_json())
    told = made["disease_information"]
    long = {**made, "disease_information": {**told, "duration": "a" * 999, "symptoms": ["b"] * 99}}
    assert PatientRecord.model_validate(long).disease_information.duration == "a" * 999
    sections = {name: long[name] for name in RecordSections.model_fields}
    assert read(json.dumps(sections), RecordSections) == sections
    old = {**sections, "basic_information": {**made["basic_information"], "age": 121}}
    assert read(json.dumps(old), RecordSections) is None
    asked = json.dumps(bounded_schema(RecordSections))
    for bound in ('"maxLength": 300', '"maxItems": 20', '"maximum": 120'):
        assert bound in asked
        assert bound not in json.dumps(strict_schema(RecordSections))
    fields = PatientRecord.model_json_schema()["$defs"]["DiseaseInformation"]["properties"]
    assert not {"maxLength", "maxItems"} & (fields["duration"].keys() | fields["symptoms"].keys())


@pytest.mark.parametrize(
    "answer", [RecordSections, Verdict, AnswerVerdict, Labels, Extracted, Lesson, Rating]
)
def test_every_text_and_list_of_an_answer_is_bounded(answer: type[BaseModel]) -> None:
    def unbounded(node: Any) -> bool:
        if isinstance(node, list):
            return any(map(unbounded, node))
        if not isinstance(node, dict):
            return False
        free = node.get("type") == "string" and not node.keys() & {"maxLength", "enum"}
        free = free or (node.get("type") == "array" and "maxItems" not in node)
        return free or any(map(unbounded, node.values()))

    assert not unbounded(bounded_schema(answer))


def prompt(answer: type[Any], most: int = 2048) -> Prompt[Any]:
    said = (Message("system", "Judge."), Message("user", "The record."))
    return Prompt(Extract(text=""), said, answer, Sampling(0.0, most), "case-1")


def test_a_repair_goes_on_from_the_first_prompt_and_is_little_longer() -> None:
    first = prompt(Rating)
    worded = replace(first, messages=(*first.messages, fields_message(Rating)))
    text = "bad " * 1000
    for repair, asked in enumerate((first, worded), start=1):
        again = with_fault(
            asked, text, "score: a number is wanted\n" + "x" * 999, repair, cut=False
        )
        assert again.replicate == f"case-1/repair-{repair}"
        assert again.messages[:2] == first.messages
        assert [message.role for message in again.messages[2:]] == ["assistant", "user"]
        assert again.messages[2].content == text[:SHOWN] + "…"
        said = again.messages[3].content
        assert "score: a number is wanted" in said
        assert said.count(shape(Rating)) == 1
        assert sum(len(message.content) for message in again.messages[2:]) < 800
    plain = with_fault(prompt(str), "", "the answer is empty", 1, cut=False)
    assert plain.messages[2].content == "(empty)"
    assert "JSON" not in plain.messages[3].content


def test_a_cut_answer_is_asked_again_for_something_shorter() -> None:
    def most(said: str, repair: int, limit: int) -> int:
        asked = with_fault(prompt(Verdict, limit), said, "no end", repair, cut=True)
        return int(asked.messages[-1].content.partition("at most ")[2].split()[0])

    limits = [most("a " * 9999, 1, 3000), most("a " * 400, 1, 3000), most("a " * 400, 2, 3000)]
    assert limits == [1000, 400, 200]
    assert most("", 1, 600) == 200  # all was thinking
    assert most("a", 2, 3000) == 20
    assert "at most" not in with_fault(prompt(str), "a", "b", 1, cut=False).messages[-1].content
    assert JUDGING.temperature == 0
