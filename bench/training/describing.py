"""A patient in a few words, as a question or a solved case has it."""

from collections.abc import Iterable

from bench.records.formats import describe_examination
from bench.records.record import PatientRecord
from bench.training.names import tells

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


def history(record: PatientRecord, hidden: Iterable[str]) -> list[str]:
    """What was before, without the statements that give a hidden name away."""
    own = record.epidemiology
    told = (*own.medical_history, *own.lifestyle, *own.family_history)
    return _open(told, hidden)


def complaints(record: PatientRecord, hidden: Iterable[str]) -> list[str]:
    """What the patient complains of and since when, alike."""
    told = record.disease_information
    return _open((*told.symptoms, told.duration), hidden)


def results(record: PatientRecord, hidden: Iterable[str]) -> list[str]:
    """What examinations showed, alike."""
    every = record.examination_results
    return _open((f"{one.test}: {describe_examination(one)}" for one in every), hidden)


def describe(record: PatientRecord, *, examined: bool, hidden: Iterable[str] = ()) -> str:
    """The patient for a question; `examined` tells the results of examinations too."""
    names = tuple(hidden)
    parts = [f"{who(record)} is seen."]
    for head, told in (
        ("Complaints", complaints(record, names)),
        ("History", history(record, names)),
        ("Results", results(record, names) if examined else []),
    ):
        if told:
            parts.append(f"{head}: {'; '.join(told)}.")
    return " ".join(parts)


def summarize(record: PatientRecord) -> str:
    """The patient for the case base, in at most `CASE_WORDS` words."""
    left = CASE_WORDS - len(who(record).split())
    kept = []
    for told in (*complaints(record, ()), *results(record, ()), *history(record, ())):
        if len(told.split()) <= left:
            kept.append(told)
            left -= len(told.split())
    return f"{who(record)}: {'; '.join(kept)}."


def _open(told: Iterable[str], hidden: Iterable[str]) -> list[str]:
    names = tuple(hidden)
    cleaned = (" ".join(one.split()).rstrip(".;") for one in told)
    return [one for one in cleaned if one and not tells(one, names)]
