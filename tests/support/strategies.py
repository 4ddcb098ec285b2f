"""Hypothesis strategies for records."""

from hypothesis import strategies as st

from bench.records.record import (
    BasicInformation,
    DiseaseInformation,
    Epidemiology,
    Examination,
    Origin,
    PatientRecord,
    Profile,
)

# Surrogates cannot be written as UTF-8, and no file could hold them.
characters = st.characters(exclude_categories=["Cs"])
# What a table has for an empty cell is no value.
words = st.text(characters, min_size=1, max_size=30).filter(
    lambda text: text.strip() not in ("nan", "NaN", "NAN", "<NA>")
)
statements = st.lists(words, max_size=3).map(tuple)
maybe = st.none() | words

examinations = st.builds(
    Examination,
    category=words,
    test=words,
    value=maybe,
    unit=maybe,
    reference_range=maybe,
    finding=st.just("") | words,
)
profiles = st.builds(
    Profile, race=maybe, occupation=maybe, pain=st.none() | st.integers(0, 10), allergies=maybe
)
records = st.builds(
    PatientRecord,
    id=words,
    department=words,
    basic_information=st.builds(
        BasicInformation,
        name=words,
        gender=st.sampled_from(["female", "male", "other"]),
        age=st.integers(0, 120),
    ),
    epidemiology=st.builds(
        Epidemiology,
        medical_history=statements,
        lifestyle=statements,
        vaccination_history=statements,
        family_history=statements,
    ),
    disease_information=st.builds(
        DiseaseInformation,
        disease=words,
        severity=st.sampled_from([None, "mild", "moderate", "severe"]),
        symptoms=statements,
        duration=words,
    ),
    examination_results=st.lists(examinations, max_size=3).map(tuple),
    profile=st.none() | profiles,
    origin=st.none() | st.builds(Origin, generator=words, keys=st.just(("ab", "cd"))),
)
