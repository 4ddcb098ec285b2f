"""Records that are nearly test questions are found, and left out."""

import asyncio

from wards import ALPHA, Student, careful, school, ward, ward_patient

from bench.core.text import sentences
from bench.medqa.question import Question
from bench.medqa.sources import load_questions
from bench.records.record import Examination, PatientRecord
from bench.students.contamination import Suspect, guard, without

QUESTIONS = load_questions("sample").questions


def copied(question: Question, share: float = 1.0) -> PatientRecord:
    """A patient into whose complaints and findings a question's sentences were copied."""
    told = sentences(question.question)[:-1]
    told = told[: round(len(told) * share)]
    half = len(told) // 2
    plain = ward_patient("copy", ALPHA, "Asthma as a child", "Broken arm 10 years ago")
    illness = plain.disease_information.model_copy(update={"symptoms": tuple(told[:half])})
    found = tuple(Examination(category="x", test="Report", finding=one) for one in told[half:])
    return plain.model_copy(update={"disease_information": illness, "examination_results": found})


def guarded(records: list[PatientRecord]) -> list[Suspect]:
    async def scene() -> list[Suspect]:
        async with school(Student(careful)) as context:
            return await guard(records, QUESTIONS, context)

    return asyncio.run(scene())


def test_a_planted_copy_is_found_and_left_out() -> None:
    question = QUESTIONS[7]
    records = [*ward(), copied(question)]
    (suspect,) = guarded(records)
    assert (suspect.record, suspect.question) == ("copy", question.id)
    assert suspect.cosine >= 0.4
    assert suspect.overlap >= 0.5
    assert without(records, [suspect]) == ward()


def test_other_patients_are_not_suspect() -> None:
    assert guarded(ward()) == []
    assert guarded([]) == []
    # A stock sentence of a question alone makes no copy.
    assert guarded([copied(QUESTIONS[7], share=0.15)]) == []


def test_copies_of_questions_of_all_departments_are_found() -> None:
    copies = [
        copied(question).model_copy(update={"id": question.id}) for question in QUESTIONS[::7]
    ]
    found = guarded(copies)
    asked = [question.id for question in QUESTIONS[::7]]
    assert [(one.record, one.question) for one in found] == list(zip(asked, asked, strict=True))
