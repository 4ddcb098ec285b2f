"""A patient in a few words, as a question or a solved case has it."""

from collections.abc import Callable, Iterable, Iterator, Sequence

from bench.core.text import one_line
from bench.records.formats import describe_examination
from bench.records.record import Examination, PatientRecord
from bench.students.experience import count_words
from bench.students.names import hints, names_one, tells

CASE_WORDS = 90
"""Words of a description in the case base, at most: whole statements, the complaints first."""


def who(record: PatientRecord) -> str:
    """Age and sex, for instance "A 45-year-old woman"."""
    basic = record.basic_information
    grown = (
        {"female": "woman", "male": "man"} if basic.age >= 18 else {"female": "girl", "male": "boy"}
    )
    article = "An" if basic.age in (8, 11, 18) or 80 <= basic.age <= 89 else "A"
    return f"{article} {basic.age}-year-old {grown.get(basic.gender, 'patient')}"


def describe(record: PatientRecord, *, examined: bool, hidden: Sequence[str]) -> str | None:
    """The patient for a question; none if no complaint is left to tell.

    `examined` tells the results of examinations too. `hidden` are names that are not given away:
    complaints hold the words of none, history and results not in other forms either, nor the head
    of the first. A result whose wording gives one away keeps its value.
    """
    illness = record.disease_information
    complaints = [one for one in _lines(illness.symptoms) if not names_one(one, hidden)]
    if not complaints:
        return None
    since = [one for one in _lines((illness.duration,)) if not names_one(one, hidden)]

    def is_open(statement: str) -> bool:
        return not tells(statement, hidden) and not hints(statement, hidden[0])

    shown = [_open_result(one, is_open) for one in record.examination_results if examined]
    parts = (
        ("Complaints", [*complaints, *since]),
        ("History", [*filter(is_open, _lines(_history(record)))]),
        ("Results", [*filter(None, shown)]),
    )
    lines = (f"{title}: {'; '.join(statements)}." for title, statements in parts if statements)
    return " ".join((f"{who(record)} is seen.", *lines))


def _open_result(examination: Examination, is_open: Callable[[str], bool]) -> str:
    """A result, without its wording if that gives a name away; nothing if it then still does."""
    worded = _result(examination)
    plain = _result(examination.model_copy(update={"finding": ""})) if examination.value else ""
    return next((one for one in (worded, plain) if one and is_open(one)), "")


def summarize(record: PatientRecord) -> str:
    """The patient for the case base, in at most `CASE_WORDS` words."""
    left = CASE_WORDS - count_words(who(record))
    kept = []
    illness = record.disease_information
    results = map(_result, record.examination_results)
    for statement in _lines((*illness.symptoms, illness.duration, *results, *_history(record))):
        if count_words(statement) <= left:
            kept.append(statement)
            left -= count_words(statement)
    return f"{who(record)}: {'; '.join(kept)}."


def _history(record: PatientRecord) -> tuple[str, ...]:
    own = record.epidemiology
    return (*own.medical_history, *own.lifestyle, *own.family_history)


def _result(examination: Examination) -> str:
    return next(_lines((f"{examination.test}: {describe_examination(examination)}",)))


def _lines(statements: Iterable[str]) -> Iterator[str]:
    """Statements, each on one line and without the stop at its end; empty ones are left out."""
    cleaned = (one_line(statement).rstrip(".;") for statement in statements)
    return (statement for statement in cleaned if statement)
