"""The rules in a dialogue: replies true to memory, labels, statements, questions, ratings."""

import asyncio
import random
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from bench.agents.styles import styles
from bench.backbones.prompt import GENERATING, JUDGING, Prompt
from bench.backbones.requests import (
    Ask,
    Extract,
    Extracted,
    LabelFacts,
    Labels,
    Rate,
    Reply,
    Request,
    Subject,
    Turn,
    Write,
)
from bench.backbones.rules.backbone import Rules
from bench.backbones.rules.extracting import extract, statements
from bench.backbones.rules.phrasing import sentences
from bench.backbones.rules.questioning import ask
from bench.backbones.rules.rating import _CAPS, rate
from bench.backbones.rules.recalling import recall
from bench.backbones.rules.relating import relate
from bench.backbones.rules.replying import reply
from bench.backbones.rules.saying import sayings, under
from bench.backbones.rules.writer import write
from bench.knowledge.cases import plan_case
from bench.knowledge.course import draw_presentation
from bench.knowledge.library import Library
from bench.knowledge.outline import Outline
from bench.records.formats import Atomic, Format, Json, Text
from bench.records.formats import facts as facts_of
from bench.records.record import SECTIONS, PatientRecord

LIBRARY = Library()
FORMATS: dict[str, Format] = {"json": Json(), "text": Text(), "atomic": Atomic()}
CAPS = {name: one.sentences for name, one in styles().items()}
QUESTIONS = 13
each_outline = pytest.mark.parametrize("outline", list(LIBRARY), ids=lambda outline: outline.id)
each_format = pytest.mark.parametrize("name", FORMATS)
each_style = pytest.mark.parametrize("style", CAPS)

RECORD = PatientRecord.model_validate(
    {
        "id": "P1",
        "basic_information": {"name": "Ann Smith", "gender": "female", "age": 42},
        "epidemiology": {
            "medical_history": [
                "Hypertension diagnosed 8 years ago",
                "Takes Lisinopril 10 mg daily for hypertension",
                "Takes Ibuprofen 400 mg up to three times a day for the pain",
                "Penicillin allergy with skin rash",
                "Appendix removed 20 years ago",
            ],
            "lifestyle": ["Smokes ten cigarettes a day", "Drinks wine at weekends"],
            "vaccination_history": ["Tetanus booster within the last 10 years"],
            "family_history": ["Father had type 2 diabetes"],
        },
        "disease_information": {
            "disease": "Lumbar disc herniation with sciatica",
            "severity": "moderate",
            "symptoms": [
                "burning pain in the left leg",
                "tingling in the left foot",
                "no fever",
                "walks with a limp to spare the left leg",
            ],
            "duration": "10 days. Onset was sudden, while lifting a box. Slowly worsening; "
            "worse with prolonged sitting; eased by rest",
        },
        "examination_results": [
            {"category": "imaging", "test": "MRI of the lumbar spine", "finding": "disc herniation"}
        ],
    }
)


def fact_texts(record: PatientRecord) -> list[str]:
    return [str(fact) for fact in facts_of(record) if fact.path != "id"]


FACTS = fact_texts(RECORD)
ALLERGY = "Medical history: Penicillin allergy with skin rash"
PRESSURE = "Medical history: Hypertension diagnosed 8 years ago"


def at_odds(statement: str, facts: Iterable[str] = FACTS, question: str = "") -> list[str]:
    return labelled(statement, facts, question)["contradict"]


def labelled(
    statement: str, facts: Iterable[str] = FACTS, question: str = ""
) -> dict[str, list[str]]:
    held = {str(number): fact for number, fact in enumerate(facts)}
    task = LabelFacts(statements=(statement,), facts=held, question=question)
    (made,) = relate(task, LIBRARY, random.Random(0)).statements
    assert {one.label for one in made.labels} <= {"entail", "contradict"}
    return {
        label: [held[one.fact] for one in made.labels if one.label == label]
        for label in ("entail", "contradict")
    }


def answer(
    question: str,
    memory: str,
    *,
    style: str = "plain",
    history: Sequence[Turn] = (),
    avoid: tuple[str, ...] = (),
    seed: object = 0,
) -> str:
    task = Reply(
        memory=memory,
        manner={"style": style},
        history=tuple(history),
        question=question,
        avoid=avoid,
    )
    return reply(task, LIBRARY, random.Random(str(seed)))


def interview(memory: str, style: str, seed: object, questions: int = QUESTIONS) -> list[Turn]:
    held: list[Turn] = []
    for left in range(questions, 0, -1):
        asked = ask(
            Ask(department="Urology", history=tuple(held), left=left),
            LIBRARY,
            random.Random(f"{seed} ask {left}"),
        )
        told = answer(asked, memory, style=style, history=held, seed=f"{seed} {left}")
        held.append(Turn(question=asked, answer=told))
    return held


def written(outline: Outline, number: int) -> PatientRecord:
    case = plan_case(outline, number, seed=1)
    task = Write(
        wanted=SECTIONS,
        subject=Subject(
            department=case.department, disease=case.disease, gender=case.gender, age=case.age
        ),
        outline=outline,
        presentation=draw_presentation(outline, case.gender, case.age_group, case.seed)
        if number % 2
        else None,
    )
    made = write(task, LIBRARY, random.Random(f"{outline.id} {number}"))
    return PatientRecord.compose(dict(made), id=case.id)


@each_outline
def test_what_the_patient_says_never_contradicts_what_it_holds(outline: Outline):
    for number, style in enumerate(CAPS):
        record = written(outline, number)
        told = fact_texts(record)
        for name in FORMATS if number < 2 else ["atomic"]:
            for turn in interview(FORMATS[name].render(record), style, (number, name)):
                assert turn.answer is not None
                assert at_odds(turn.answer, told, turn.question) == [], turn
                for statement in statements(turn.answer, turn.question):
                    assert at_odds(statement, told, turn.question) == [], turn
                assert len(sentences(turn.answer)) <= CAPS[style], turn


@each_outline
def test_the_diagnosis_is_told_only_where_the_own_history_tells_it(outline: Outline):
    record = written(outline, 1)
    own = record.epidemiology
    history = " ".join((*own.medical_history, *own.family_history)).lower()
    for turn in interview(Text().render(record), "verbose", 3):
        assert turn.answer is not None
        for name in (outline.name, *outline.synonyms):
            assert name.lower() not in turn.answer.lower() or name.lower() in history, turn


def test_the_formats_are_read_alike():
    memories = [recall(made.render(RECORD)) for made in FORMATS.values()]
    read = [
        [(one.kind, one.value) for one in held if one.kind != "examination"] for held in memories
    ]
    assert read[0] == read[1] == read[2]
    assert len(read[0]) == len(FACTS) - 1


@each_outline
def test_the_formats_are_answered_alike(outline: Outline):
    record = written(outline, 1)
    made = [interview(made.render(record), "plain", 7) for made in FORMATS.values()]
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize(
    ("statement", "question", "facts"),
    [
        ("I am 52 years old.", "", ["Age: 42"]),
        ("I'm thirty-nine.", "How old are you?", ["Age: 42"]),
        ("Thirty-nine.", "How old are you?", ["Age: 42"]),
        ("I am a 42-year-old man.", "", ["Gender: female"]),
        ("My name is Bob Jones.", "", ["Name: Ann Smith"]),
        ("I have no pain in my leg.", "", ["Symptom: burning pain in the left leg"]),
        ("I don't have any tingling.", "", ["Symptom: tingling in the left foot"]),
        ("I have a fever.", "", ["Symptom: no fever"]),
        ("I have burning pain in my right leg.", "", ["Symptom: burning pain in the left leg"]),
        (
            "I've never had hypertension.",
            "",
            [PRESSURE],
        ),
        (
            "My hypertension was diagnosed 3 years ago.",
            "",
            [PRESSURE],
        ),
        (
            "I take lisinopril 20 mg daily.",
            "",
            ["Medical history: Takes Lisinopril 10 mg daily for hypertension"],
        ),
        (
            "I take ramipril 5 mg for hypertension.",
            "",
            ["Medical history: Takes Lisinopril 10 mg daily for hypertension"],
        ),
        (
            "I take ramipril, not lisinopril.",
            "",
            ["Medical history: Takes Lisinopril 10 mg daily for hypertension"],
        ),
        (
            "I have no allergies that I know of.",
            "",
            [ALLERGY],
        ),
        (
            "No.",
            "Do you have any allergies?",
            [ALLERGY],
        ),
        ("I have never had an operation.", "", ["Medical history: Appendix removed 20 years ago"]),
        ("I never smoked.", "", ["Lifestyle: Smokes ten cigarettes a day"]),
        ("I stopped smoking years ago.", "", ["Lifestyle: Smokes ten cigarettes a day"]),
        ("I smoke 20 cigarettes a day.", "", ["Lifestyle: Smokes ten cigarettes a day"]),
        ("I don't drink alcohol.", "", ["Lifestyle: Drinks wine at weekends"]),
        ("My father never had diabetes.", "", ["Family history: Father had type 2 diabetes"]),
        (
            "I have not had a tetanus vaccination.",
            "",
            ["Vaccination history: Tetanus booster within the last 10 years"],
        ),
    ],
)
def test_planted_contradictions_are_found_and_no_others(
    statement: str, question: str, facts: list[str]
):
    assert at_odds(statement, question=question) == facts
    # The same in the middle of what is true.
    reply_ = (
        f"{statement} My father had type 2 diabetes." if "father" not in statement else statement
    )
    assert at_odds(reply_, question=question) == facts


def test_another_length_of_the_complaints_is_a_contradiction():
    assert at_odds("It started two years ago.")[0].startswith("Duration: ")
    assert at_odds("3 months.", question="How long have you had this?")[0].startswith("Duration: ")
    assert at_odds("It began ten days ago.") == []


@pytest.mark.parametrize(
    ("statement", "other"),
    [
        ("I live alone.", "Lives with a sister"),
        ("I sleep about six hours a night.", "Sleeps about 8 hours a night"),
        ("I have no pets.", "Has a dog at home"),
        ("I have two children.", "Has no children"),
        ("I am divorced.", "Married, two grown-up children"),
        ("I work as a cook.", "Lifestyle: Works as a driver"),
    ],
)
def test_habits_and_homes_that_exclude_each_other(statement: str, other: str):
    assert at_odds(statement, [other]) == [other]


@pytest.mark.parametrize(
    ("statement", "fact"),
    [
        ("I am forty-two years old.", "Age: 42"),
        ("My name is Ann Smith.", "Name: Ann Smith"),
        ("I have burning pain in my left leg.", "Symptom: burning pain in the left leg"),
        ("My left foot is tingling.", "Symptom: tingling in the left foot"),
        ("I smoke 10 cigarettes a day.", "Lifestyle: Smokes ten cigarettes a day"),
        (
            "I'm allergic to penicillin, I get a skin rash.",
            ALLERGY,
        ),
        ("I have no fever.", "Symptom: no fever"),
    ],
)
def test_what_a_fact_says_is_entailed(statement: str, fact: str):
    found = labelled(statement)
    assert fact in found["entail"]
    assert found["contradict"] == []


@pytest.mark.parametrize(
    "statement",
    [
        "I live with my sister.",
        "My mother never smoked.",
        "My mother is 70 years old.",
        "I have no pain in my right arm.",
        "I took antibiotics when I was 5.",
        "I have two children.",
        "My legs are fine on the stairs.",
        "I have no other illnesses.",
        "I am really upset about this!",
        "It started to rain yesterday.",
        "Do you think I have diabetes?",
    ],
)
def test_what_is_new_or_beside_the_point_is_neutral(statement: str):
    assert labelled(statement) == {"entail": [], "contradict": []}


@each_format
def test_a_learned_statement_answers_the_question(name: str):
    """And without it, another seed makes up something else."""
    learned = "Lives with a cousin"
    shown = FORMATS[name].render(RECORD)
    memory = {
        "json": shown.rstrip()[:-1].rstrip() + f',\n  "learned": ["{learned}"]\n}}',
        "text": f"{shown}\nLearned in Conversation\n{learned}.",
        "atomic": f"{shown}\n{learned}",
    }[name]
    asked = "Who do you live with?"
    told = {answer(asked, memory, seed=seed) for seed in range(20)}
    assert told == {"I live with my cousin."}
    assert len({answer(asked, shown, seed=seed) for seed in range(20)}) > 2


def test_all_that_is_made_up_can_be_learned_and_is_then_told_again():
    for key in under("made."):
        for one in sayings()[key]:
            (fact,) = statements(f"{one}.")
            assert labelled(f"{one}.", [fact])["entail"] == [fact], (one, fact)
            asked = QUESTIONS_ABOUT.get(key.split(".")[1])
            if asked:
                memory = f"Age: 30\n{fact}"
                told = answer(asked, memory)
                assert at_odds(told, [fact]) == [] and labelled(told, [fact])["entail"], (
                    told,
                    fact,
                )


QUESTIONS_ABOUT = {
    "home": "Who do you live with?",
    "sleep": "How do you sleep?",
    "pets": "Do you have any pets?",
    "hobbies": "What do you do in your free time?",
    "travel": "Have you travelled anywhere recently?",
    "children": "Do you have any children?",
    "stress": "Are you under stress?",
    "weight": "Has your weight changed?",
    "work": "What is your job?",
    "smoking": "Do you smoke?",
    "alcohol": "Do you drink alcohol?",
    "medication": "Do you take any medication?",
    "allergies": "Do you have any allergies?",
    "coffee": "Do you drink coffee?",
}


@each_format
def test_what_an_earlier_try_contradicted_is_told_rightly(name: str):
    memory = FORMATS[name].render(RECORD)
    for fact in ("Age: 42", "Symptom: burning pain in the left leg", FACTS[4], FACTS[8]):
        told = answer("How are you?", memory, avoid=(fact,), style="reserved")
        assert fact in labelled(told)["entail"]
        assert at_odds(told) == []


@each_style
def test_a_style_shows_and_states_nothing(style: str):
    dialogue = interview(Atomic().render(RECORD), style, 1)
    assert all(len(sentences(turn.answer)) <= CAPS[style] for turn in dialogue)
    for key in (f"before.{style}", f"after.{style}", "nothing", "unsure", "greeting"):
        for phrase in sayings().get(key, ()):
            assert statements(phrase) == (), phrase
            assert labelled(phrase) == {"entail": [], "contradict": []}


@each_style
def test_no_answer_is_given_twice(style: str):
    told = [turn.answer for turn in interview(Json().render(RECORD), style, 2)]
    assert len(set(told)) == len(told)


def test_a_question_put_again_is_not_answered_in_the_same_words():
    memory, asked = Text().render(RECORD), "Do you smoke?"
    first = answer(asked, memory)
    again = answer(asked, memory, history=[Turn(question=asked, answer=first)])
    assert again != first
    assert "Lifestyle: Smokes ten cigarettes a day" in labelled(again)["entail"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("Do you smoke?", "I smoke ten cigarettes a day."),
        ("How old are you?", "I am 42 years old."),
        ("What is your name?", "My name is Ann Smith."),
        ("Are you allergic to anything?", "I have a penicillin allergy with skin rash."),
        ("Does anything make it worse?", "It is worse with prolonged sitting."),
        ("Have you ever had surgery?", "I had my appendix removed 20 years ago."),
        ("Any diseases in your family?", "My father had type 2 diabetes."),
        ("Is there tingling?", "I have tingling in my left foot."),
    ],
)
def test_a_question_is_answered_from_memory(asked: str, told: str):
    for shown in FORMATS.values():
        assert told in answer(asked, shown.render(RECORD))


def test_exactly_what_is_new_is_extracted():
    text = (
        "Thank you, doctor. I have burning pain in my left leg, and I live with my sister. "
        "I think it is nothing serious. Will it get better?"
    )
    found = extract(Extract(text=text), LIBRARY, random.Random(0)).facts
    assert found == ("Has burning pain in the left leg", "Lives with a sister")
    new = [one for one in found if labelled(one) == {"entail": [], "contradict": []}]
    assert new == ["Lives with a sister"]


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("I don't have any pets.", ("Does not have any pets",)),
        ("I usually go for a walk.", ("Usually goes for a walk",)),
        ("I'm scared. Maybe it is my heart.", ()),
        ("My mother has asthma.", ("Mother has asthma",)),
        ("", ()),
    ],
)
def test_statements_are_in_the_third_person(text: str, facts: tuple[str, ...]):
    assert statements(text) == facts


@pytest.mark.parametrize("questions", [1, 2, 5, 13, 20, 60])
def test_an_interview_opens_with_a_greeting_and_ends_with_a_close(questions: int):
    asked = [turn.question for turn in interview(Atomic().render(RECORD), "plain", 3, questions)]
    assert asked[0] in sayings()["ask.01.greeting"]
    if questions > 1:
        assert asked[-1] in sayings()["ask.02.closing"]
    if questions <= 20:
        assert len(set(asked)) == questions


def test_an_interview_covers_what_the_paper_asks_for():
    text = " ".join(
        turn.question for turn in interview(Atomic().render(RECORD), "plain", 3)
    ).lower()
    for word in ("symptoms", "illness", "smok", "famil", "vaccin", "examin", "allerg", "live"):
        assert word in text
    first = {interview("", "plain", seed)[0].question for seed in range(9)}
    assert first == set(sayings()["ask.01.greeting"])


def test_a_dialogue_in_another_style_is_rated_lower():
    for rubric, style in (("emotion", one) for one in CAPS):
        own = rated(interview(Atomic().render(RECORD), style, 5), style, rubric)
        other = "upset" if style in ("plain", "reserved", "pleasing", "tangent") else "plain"
        assert own > rated(interview(Atomic().render(RECORD), other, 5), style, rubric)
        assert own >= 5


def test_repetition_and_stage_directions_cost_fluency():
    good = interview(Atomic().render(RECORD), "plain", 5)
    scores = [
        rated(good, "plain", "fluency"),
        rated(
            [turn.model_copy(update={"answer": "*sighs* Yes"}) for turn in good], "plain", "fluency"
        ),
    ]
    assert scores == [7, 1]


def rated(dialogue: Sequence[Turn], style: str, rubric: str) -> int:
    task = Rate(rubric=rubric, dialogue=tuple(dialogue), manner={"style": style}, low=1, high=7)
    made = rate(task, LIBRARY, random.Random(0))
    assert made.reasons and 1 <= made.score <= 7
    return made.score


def test_the_backbone_answers_all_of_it():
    rules = Rules(library=LIBRARY)
    memory = Atomic().render(RECORD)
    tasks: list[tuple[Request, Any]] = [
        (
            Reply(memory=memory, manner={"style": "plain"}, history=(), question="Do you smoke?"),
            str,
        ),
        (Ask(department="Urology", history=(), left=13), str),
        (Extract(text="I smoke."), Extracted),
        (LabelFacts(statements=("I smoke.",), facts={"F1": FACTS[0]}), Labels),
    ]
    for task, kind in tasks:
        prompt: Prompt[Any] = Prompt(task, (), kind, GENERATING if kind is str else JUDGING, "1")
        made, again = (asyncio.run(rules.complete(prompt, "key")).text for _ in range(2))
        assert made == again
        assert made if kind is str else kind.model_validate_json(made)


def test_an_unreadable_memory_is_no_error():
    for memory in ("", "{", "{}", "[1]", "Age:", ": : :", '{"learned": [{"text": "Has a dog"}]}'):
        assert all(turn.answer for turn in interview(memory, "plain", 1))


def test_the_rater_knows_the_caps_of_the_styles():
    assert _CAPS == CAPS
