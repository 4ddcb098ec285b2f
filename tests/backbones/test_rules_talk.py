"""The rules in a dialogue: replies true to memory, labels, statements, and linear time."""

import asyncio
import random
import time
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from bench.agents.memory import decompose_record
from bench.agents.styles import styles
from bench.backbones.prompt import GENERATING, JUDGING, Prompt
from bench.backbones.requests import (
    Ask,
    ChooseAnswer,
    Extract,
    Extracted,
    Judge,
    LabelFacts,
    Labels,
    Rate,
    Reflect,
    Reply,
    Request,
    Subject,
    Turn,
    Write,
)
from bench.backbones.rules.backbone import ANSWERERS, Rules
from bench.backbones.rules.facts import statements
from bench.backbones.rules.labels import label
from bench.backbones.rules.questions import CLOSING, QUESTIONS, ask
from bench.backbones.rules.ratings import rate
from bench.backbones.rules.replies import reply
from bench.backbones.rules.writer import write
from bench.core.text import sentences, stems
from bench.knowledge.cases import plan_case
from bench.knowledge.course import draw_presentation
from bench.knowledge.library import Library
from bench.knowledge.outline import Outline
from bench.records.formats import Atomic, Format, Json, Text
from bench.records.record import SECTIONS, PatientRecord, RecordSections

LIBRARY = Library()
FORMATS: tuple[Format, ...] = (Json(), Text(), Atomic())
CAPS = {name: one.sentences for name, one in styles().items()}
ASKED = len(QUESTIONS) + 1

RECORD = PatientRecord.model_validate(
    {
        "id": "P1",
        "basic_information": {"name": "Ann Smith", "gender": "female", "age": 42},
        "epidemiology": {
            "medical_history": [
                "Hypertension diagnosed 8 years ago",
                "Takes Lisinopril 10 mg daily for hypertension",
                "Penicillin allergy with skin rash",
                "Appendix removed 20 years ago",
            ],
            "lifestyle": ["Smokes ten cigarettes a day", "Lives with a sister"],
            "vaccination_history": ["Tetanus booster within the last 10 years"],
            "family_history": ["Father had type 2 diabetes"],
        },
        "disease_information": {
            "disease": "Lumbar disc herniation with sciatica",
            "severity": "moderate",
            "symptoms": ["burning pain in the left leg", "tingling in the left foot", "no fever"],
            "duration": "10 days. Onset was sudden, while lifting a box. Slowly worsening; "
            "worse with prolonged sitting; eased by rest",
        },
        "examination_results": [
            {"category": "imaging", "test": "MRI of the lumbar spine", "finding": "disc herniation"}
        ],
    }
)
FACTS = tuple(fact.text for fact in decompose_record(RECORD))


def labelled(statement: str, facts: Iterable[str] = FACTS) -> dict[str, set[str]]:
    """The facts that a statement entails, and those that it contradicts."""
    known = {f"F{number}": fact for number, fact in enumerate(facts)}
    task = LabelFacts(statements=(statement,), facts=known)
    (made,) = label(task, LIBRARY, random.Random(0)).statements
    return {
        name: {known[one.fact] for one in made.labels if one.label == name}
        for name in ("entail", "contradict")
    }


def answer(question: str, memory: str, style: str = "plain", **more: Any) -> str:
    task = Reply(
        memory=memory, manner={"style": style}, question=question, **{"history": ()} | more
    )
    return reply(task, LIBRARY, random.Random(0))


def interview(memory: str, style: str, questions: int = 13) -> list[Turn]:
    held: list[Turn] = []
    for left in range(questions, 0, -1):
        task = Ask(department="Urology", history=tuple(held), left=left)
        asked = ask(task, LIBRARY, random.Random(0))
        told = answer(asked, memory, style, history=tuple(held))
        held.append(Turn(question=asked, answer=told))
    return held


def written(outline: Outline, number: int) -> PatientRecord:
    case = plan_case(outline, number, seed=1)
    subject = Subject(
        department=case.department, disease=case.disease, gender=case.gender, age=case.age
    )
    course = draw_presentation(outline, case.gender, case.age_group, case.seed)
    task = Write(wanted=SECTIONS, subject=subject, outline=outline, presentation=course)
    made = write(task, LIBRARY, random.Random(f"{outline.id} {number}"))
    return PatientRecord.compose(dict(made), id=case.id)


def spelled(text: str) -> str:
    """The words of a text, spaces about each."""
    return f" {' '.join(stems(text))} "


@pytest.mark.parametrize("number", range(len(CAPS)))
def test_a_patient_of_any_disease_answers_every_question_and_gives_nothing_away(number: int):
    style, cap = list(CAPS.items())[number]
    for outline in LIBRARY:
        record = written(outline, number)
        facts = [fact.text for fact in decompose_record(record)]
        turns = interview(Atomic().render(record), style, ASKED)
        freely = spelled(f"{record.epidemiology} {record.disease_information.symptoms}")
        results = [
            f"{one.value} {one.unit}" if one.unit else one.finding
            for one in record.examination_results
        ]
        secret = {spelled(one) for one in (outline.name, *outline.synonyms, *results)}
        for turn in turns:
            assert turn.answer
            assert len(sentences(turn.answer)) <= cap, turn
            assert labelled(turn.answer, facts)["contradict"] == set(), turn
            told = [one for one in secret if one in spelled(turn.answer) and one not in freely]
            assert told == [], turn
        for form in FORMATS:
            assert interview(form.render(record), style, ASKED) == turns


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (QUESTIONS[0], "burning pain in the left leg"),
        ("How long have you had this?", "10 days; Onset was sudden"),
        ("What makes it better or worse?", "worse with prolonged sitting; eased by rest"),
        ("How bad is it?", "moderate"),
        ("Have you had a fever?", "no fever"),
        ("Have you had a cough?", "I do not know"),
        ("Is there tingling?", "tingling in the left foot"),
        ("Which illnesses have you had before?", "Hypertension diagnosed 8 years ago"),
        ("Which tablets do you take?", "Takes Lisinopril 10 mg daily"),
        ("Are you allergic to anything?", "Penicillin allergy with skin rash"),
        ("Have you ever had surgery?", "Appendix removed 20 years ago"),
        ("Do you smoke?", "Smokes ten cigarettes a day"),
        ("Who do you live with?", "Lives with a sister"),
        ("Do you drink alcohol?", "I do not know"),
        ("Any diseases in your family?", "Father had type 2 diabetes"),
        ("Are your vaccinations up to date?", "Tetanus booster within the last 10 years"),
        ("Which scans were done?", "MRI of the lumbar spine"),
        ("What is your name, and how old are you?", "My name: Ann Smith. My age: 42."),
        ("Who won the cup?", "I do not know"),
        (CLOSING, "No "),
    ],
)
def test_a_question_is_answered_from_memory(asked: str, told: str):
    for form in FORMATS:
        assert told in answer(asked, form.render(RECORD))


def test_only_what_memory_does_not_hold_is_denied():
    memory = Atomic().render(RECORD) + "\nHad numbness for a day"
    assert "no numbness" not in answer("Any numbness?", memory).lower()
    assert "No numbness" in answer("Any numbness?", f"{Atomic().render(RECORD)}\nNo numbness")


def test_what_was_told_is_not_told_again_as_if_new():
    first, again = (turn.answer for turn in interview(Text().render(RECORD), "plain", 17)[:2])
    assert again == f"As I said: {first}"


def test_what_an_earlier_try_contradicted_is_told_rightly():
    for fact in ("Age: 42", "Symptom: burning pain in the left leg", FACTS[4], FACTS[8]):
        told = answer("Any cough?", Json().render(RECORD), "reserved", avoid=(fact,))
        assert fact in labelled(told)["entail"]
        assert labelled(told)["contradict"] == set()


@pytest.mark.parametrize("memory", ["", "{", "{}", "[1]", "Age:", ": : :", '{"learned": 1}'])
def test_an_unreadable_memory_is_no_error(memory: str):
    assert all(turn.answer for turn in interview(memory, "plain", ASKED))


@pytest.mark.parametrize("questions", [1, 2, 13, 40])
def test_an_interview_opens_with_a_greeting_and_ends_with_a_close(questions: int):
    asked = [turn.question for turn in interview("", "plain", questions)]
    assert (asked[0], asked[-1]) == (QUESTIONS[0], CLOSING if questions > 1 else QUESTIONS[0])
    if questions == 13:
        for word in ("symptoms", "illness", "smoke", "family", "vaccin", "examin", "allerg"):
            assert any(word in one for one in asked)


@pytest.mark.parametrize(
    ("statement", "facts"),
    [
        ("I am 52 years old.", {"Age: 42"}),
        ("My age: 24.", {"Age: 42"}),
        ("I am a 42-year-old man.", {"Gender: female"}),
        ("My symptoms: mild. Severity: mild.", {"Severity: moderate"}),
        ("I don't have any tingling.", {"Symptom: tingling in the left foot"}),
        ("No pain in my leg.", {"Symptom: burning pain in the left leg"}),
        ("Yes, a high fever.", {"Symptom: no fever"}),
        ("I take lisinopril 20 mg daily.", {FACTS[4]}),
        ("I never had hypertension.", {FACTS[3], FACTS[4]}),
        ("I have no allergies, and no penicillin allergy.", {FACTS[5]}),
        ("My father never had diabetes.", {"Family history: Father had type 2 diabetes"}),
        ("Fine. I have no diabetes.", set()),
        ("My mother is 70 years old.", set()),
        ("I live alone.", set()),
        ("No pain in the right arm.", set()),
        ("Do you think I have no tingling?", set()),
    ],
)
def test_contradictions_are_found_by_typed_fields(statement: str, facts: set[str]):
    assert labelled(statement)["contradict"] == facts
    assert labelled(f"My mother lives in Spain. {statement}")["contradict"] == facts


@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_entails_itself_and_contradicts_nothing(fact: str):
    found = labelled(fact)
    assert fact in found["entail"]
    assert found["contradict"] == set()


def test_statements_are_taken_sentence_by_sentence():
    text = "Thank you, doctor. I live with my sister; no pets. I do not know that. Will it heal?"
    assert statements(text) == ["I live with my sister", "no pets"]


def test_a_rating_is_a_constant_and_says_so():
    turns = tuple(interview(Text().render(RECORD), "upset"))
    tasks = [Rate(rubric="r", dialogue=turns[:n], manner={}, low=1, high=7) for n in (0, 13)]
    first, second = (rate(task, LIBRARY, random.Random(0)) for task in tasks)
    assert first == second
    assert (first.score, "constant" in first.reasons.lower()) == (4, True)


def test_the_backbone_gives_the_same_answer_in_the_shape_that_was_asked_for():
    tasks: list[tuple[Request, Any]] = [
        (Reply(memory=Text().render(RECORD), history=(), question="Do you smoke?"), str),
        (Ask(department="Urology", history=(), left=13), str),
        (Extract(text="I smoke."), Extracted),
        (LabelFacts(statements=("I smoke.",), facts={"F1": FACTS[0]}), Labels),
    ]
    for task, kind in tasks:
        prompt: Prompt[Any] = Prompt(task, (), kind, GENERATING if kind is str else JUDGING, "1")
        made, again = (asyncio.run(Rules().complete(prompt, "key")).text for _ in range(2))
        assert made == again
        assert made if kind is str else kind.model_validate_json(made)


SIZE = 20_000
HOSTILE = ("7", "1.", "1 ", "no ", "fever, ", "no fever; ", "(a): ", "it is, and ", "a: ", "{", "*")


def judged(text: str) -> Request:
    data = RECORD.model_dump(include=set(RecordSections.model_fields))
    data["disease_information"] |= {"disease": text, "symptoms": (text,), "duration": text}
    data["epidemiology"]["medical_history"] = (text,)
    result = {"category": "x", "test": text, "value": text, "finding": text}
    data["examination_results"] = ({**result, "reference_range": text},)
    outline = LIBRARY.get("ORT-02")
    return Judge(record=RecordSections.model_validate(data), outline=outline)


TASKS: tuple[Callable[[str], Request], ...] = (
    judged,
    lambda text: LabelFacts(statements=(text,), facts={"F1": text, "F2": FACTS[6]}, question=text),
    lambda text: Extract(text=text),
    lambda text: Reply(memory=text, history=(Turn(question=text, answer=text),), question=text),
    lambda text: ChooseAnswer(question=text, options={"A": text, "B": "x"}, memory=(text,)),
    lambda text: Reflect(situation=text, given=text, correct=text),
)


@pytest.mark.parametrize(
    "task", TASKS, ids=["judge", "label", "extract", "reply", "answer", "reflect"]
)
@pytest.mark.parametrize("piece", HOSTILE)
def test_long_texts_take_no_long_time(piece: str, task: Callable[[str], Request]):
    """What was quadratic took 45 seconds for so many characters."""
    request = task((piece * SIZE)[:SIZE])
    began = time.process_time()
    ANSWERERS[type(request)](request, LIBRARY, random.Random(0))
    assert time.process_time() - began < 5
