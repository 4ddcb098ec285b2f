"""A patient in a few words, as a question or a solved case has it."""

from collections.abc import Iterable, Sequence

from bench.records.formats import describe_examination
from bench.records.record import PatientRecord
from bench.training.names import hints, tells
from bench.training.settings import count_words

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


def describe(record: PatientRecord, *, examined: bool, hidden: Sequence[str] = ()) -> str | None:
    """The patient for a question; none if no complaint is left to tell.

    `examined` tells the results of examinations too. `hidden` are names that are not given away:
    no statement holds all words of one, and history and results do not hold the head of the first.
    """
    told = record.disease_information
    complaints = _open(told.symptoms, hidden)
    if not complaints:
        return None
    name = hidden[0] if hidden else ""
    before = [one for one in _open(_history(record), hidden) if not hints(one, name)]
    found = [one for one in _open(_results(record), hidden) if not hints(one, name)]
    parts = (
        ("Complaints", [*complaints, *_open((told.duration,), hidden)]),
        ("History", before),
        ("Results", found if examined else []),
    )
    shown = (f"{title}: {'; '.join(statements)}." for title, statements in parts if statements)
    return " ".join((f"{who(record)} is seen.", *shown))


def summarize(record: PatientRecord) -> str:
    """The patient for the case base, in at most `CASE_WORDS` words."""
    left = CASE_WORDS - count_words(who(record))
    kept = []
    told = record.disease_information
    for one in _open((*told.symptoms, told.duration, *_results(record), *_history(record)), ()):
        if count_words(one) <= left:
            kept.append(one)
            left -= count_words(one)
    return f"{who(record)}: {'; '.join(kept)}."


def _history(record: PatientRecord) -> tuple[str, ...]:
    own = record.epidemiology
    return (*own.medical_history, *own.lifestyle, *own.family_history)


def _results(record: PatientRecord) -> tuple[str, ...]:
    every = record.examination_results
    return tuple(f"{one.test}: {describe_examination(one)}" for one in every)


def _open(told: Iterable[str], hidden: Sequence[str]) -> list[str]:
    """Statements that give no hidden name away, in one line each."""
    cleaned = (" ".join(one.split()).rstrip(".;") for one in told)
    return [one for one in cleaned if one and not tells(one, hidden)]
