"""An invented ward: diseases of a letter each, their patients, questions on them, a student."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from rules_run import LIBRARY
from scripted import Scripted

from bench.api.context import Context
from bench.backbones.prompt import Backbone, Completion, Prompt
from bench.backbones.requests import ChooseAnswer, ChosenOption, Lesson, Reflect
from bench.backbones.respondent import Respondent
from bench.journal.journal import Journal
from bench.medqa.question import Question
from bench.medqa.shapes import question_id
from bench.records.record import (
    BasicInformation,
    DiseaseInformation,
    Epidemiology,
    Examination,
    PatientRecord,
)

SIGNS = {
    "Morbus Alphae": "green spots on both palms that glow in the dark",
    "Morbus Betae": "a humming in the left ear whenever it rains",
    "Morbus Gammae": "hiccups after every mention of cheese",
    "Morbus Deltae": "knees that bend backwards while climbing stairs",
    "Morbus Epsilonae": "tears that taste of vinegar on cold mornings",
}
TESTS = {
    "Morbus Alphae": "Palm photometry",
    "Morbus Betae": "Rain audiogram",
    "Morbus Gammae": "Cheddar provocation",
    "Morbus Deltae": "Stair goniometry",
    "Morbus Epsilonae": "Lacrimal titration",
}
ALPHA, BETA, GAMMA, DELTA, EPSILON = SIGNS
REFUSAL = Completion("I cannot help with that.", outcome="refusal")


def ward_patient(identity: str, disease: str, *history: str) -> PatientRecord:
    """A patient with the sign and the test of a disease."""
    return PatientRecord(
        id=identity,
        department="Marvels",
        basic_information=BasicInformation(name="Ada Moss", gender="female", age=50),
        epidemiology=Epidemiology(
            medical_history=history,
            lifestyle=("Works as a florist",),
            vaccination_history=(),
            family_history=(),
        ),
        disease_information=DiseaseInformation(
            disease=disease, symptoms=(SIGNS[disease],), duration="3 weeks"
        ),
        examination_results=(
            Examination(category="special", test=TESTS[disease], finding="strongly abnormal"),
        ),
    )


def ward() -> list[PatientRecord]:
    """One patient of each disease."""
    return [ward_patient(f"P{at}", disease) for at, disease in enumerate(SIGNS, start=1)]


def test_question(disease: str, gold: str = "C") -> Question:
    """A test question on a disease, whose name is the option `gold`."""
    others = [one for one in SIGNS if one != disease][:3]
    options = dict(zip([one for one in "ABCD" if one != gold], others, strict=True))
    options[gold] = disease
    text = f"A 34-year-old man has {SIGNS[disease]}. Which is the most likely diagnosis?"
    return Question(
        id=question_id(text),
        question=text,
        options=dict(sorted(options.items())),
        answer_idx=gold,
        department="Marvels",
    )


test_question.__test__ = False  # type: ignore[attr-defined]


def letter_of(task: ChooseAnswer, text: str) -> str:
    """The letter of an option."""
    return next(letter for letter, one in task.options.items() if one == text)


def by_book(task: ChooseAnswer) -> str | None:
    """The right letter of a practice question, for who knows the ward; none for test questions."""
    if "is seen" not in task.question:
        return None
    disease = next(name for name, sign in SIGNS.items() if sign in task.question)
    right = (disease, TESTS[disease])
    return next(letter for letter, text in task.options.items() if text in right)


def by_memory(task: ChooseAnswer) -> str | None:
    """The option that what is remembered of the same sign names, if any."""
    for told in task.memory:
        sign = next((one for one in SIGNS.values() if one in told), "")
        if sign and sign in task.question:
            named = (letter for letter, text in task.options.items() if text in told)
            return next(named, None)
    return None


def wrong(task: ChooseAnswer) -> str:
    """An option that is wrong for the ward's signs."""
    disease = next(name for name, sign in SIGNS.items() if sign in task.question)
    right = (disease, TESTS[disease])
    return next(letter for letter, text in task.options.items() if text not in right)


def careful(task: ChooseAnswer) -> str:
    """Knows how to practise; solves a test question only by a remembered case."""
    return by_book(task) or by_memory(task) or wrong(task)


class Student(Scripted):
    """Answers by functions of the test's own, at most so late; how many at once is kept."""

    def __init__(
        self,
        choose: Callable[[ChooseAnswer], str | Completion],
        reflect: Callable[[Reflect], str | Completion] = lambda task: f"Think of {task.correct}.",
        *,
        jitter: float = 0.0,
    ) -> None:
        def chosen(task: ChooseAnswer) -> Any:
            said = choose(task)
            return ChosenOption(reasons="So.", letter=said) if isinstance(said, str) else said

        def learned(task: Reflect) -> Any:
            said = reflect(task)
            return Lesson(reasons="So.", rule=said) if isinstance(said, str) else said

        super().__init__("student", answer=chosen, reflect=learned)
        self.now = self.peak = 0
        self._jitter = jitter

    async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
        self.now += 1
        self.peak = max(self.peak, self.now)
        await asyncio.sleep(self._jitter * random.Random(key).random())
        self.now -= 1
        return await super().complete(prompt, key)


@asynccontextmanager
async def school(
    student: Backbone | Any, path: Path | None = None, at_once: int = 8
) -> AsyncIterator[Context]:
    """A context with a student, and a journal in a file if one is named."""
    journal = Journal.open(path)
    try:
        roles = {"student": Respondent("student", student, journal)}
        yield Context(journal, LIBRARY, roles, at_once=at_once)
    finally:
        await journal.close()


def prompts_of(student: Student) -> Sequence[str]:
    """Every word said to a student, prompt by prompt."""
    return ["\n".join(one.content for one in prompt.messages) for prompt in student.prompts]
