"""Practice questions: what the record says is right, and the question does not give it away."""

import random
import re

import pytest
from wards import ALPHA, BETA, SIGNS, TESTS, ward, ward_patient

from bench.backbones.requests import Subject, Write
from bench.backbones.rules.writer import write
from bench.knowledge.cases import plan
from bench.knowledge.disease_names import find_named
from bench.knowledge.library import Library
from bench.records.record import SECTIONS, Examination, PatientRecord, Profile, RecordSections
from bench.students.names import alike, forms, head, names_one, tells
from bench.students.practice import Practice, PracticeItem

LIBRARY = Library()


def written() -> list[PatientRecord]:
    """A record of each disease, by the rules."""
    made = []
    for case in plan(LIBRARY, LIBRARY.departments, 16, seed=1):
        subject = Subject(
            department=case.department, disease=case.disease, gender=case.gender, age=case.age
        )
        task = Write(wanted=SECTIONS, subject=subject)
        sections = write(task, LIBRARY, random.Random(case.seed))
        assert isinstance(sections, RecordSections)
        made.append(PatientRecord.compose(sections, id=case.id, department=case.department))
    return made


def practise(
    record: PatientRecord, others: list[PatientRecord], library: Library, seed: int
) -> list[PracticeItem]:
    """The questions of a record in a training with others."""
    every = others if record in others else [record, *others]
    return Practice(every, library, seed).items(record)


RECORDS = written()
PRACTICE = Practice(RECORDS, LIBRARY, 0)
ITEMS = [item for record in RECORDS for item in PRACTICE.items(record)]


def of(kind: str, record: PatientRecord, others: list[PatientRecord]) -> PracticeItem | None:
    return next((one for one in practise(record, others, LIBRARY, 0) if one.kind == kind), None)


def test_every_record_is_practised_by_examination_and_diagnosis() -> None:
    assert [item.kind for item in ITEMS] == ["examination", "diagnosis"] * len(RECORDS)
    assert len(RECORDS) == 96


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: f"{item.record} {item.kind}")
def test_a_question_does_not_hold_its_answer(item: PracticeItem) -> None:
    assert list(item.options) == list("ABCD")
    stem = item.question.rpartition(". ")[0]
    assert item.answer.lower() not in stem.lower()
    if item.kind == "diagnosis":
        outline = LIBRARY.get(item.answer)
        names = (outline.name, *outline.synonyms)
        complaints, *rest = re.split(r"\. (?:History|Results): ", stem)
        for statement in complaints.split("; "):
            assert not names_one(statement, names), statement
        for statement in "; ".join(rest).split("; "):
            assert not tells(statement, names), statement
        wrong = [text for text in item.options.values() if text != item.answer]
        assert not any(alike(text, name) for text in wrong for name in outline.synonyms)
    else:
        known = LIBRARY.get(item.record.rpartition("-")[0]).examinations
        wrong = [text for text in item.options.values() if text != item.answer]
        assert not any(alike(text, guide.test) for text in wrong for guide in known)


def test_letters_are_right_about_equally_often() -> None:
    seeds = range(6)
    letters = [
        item.correct
        for seed in seeds
        for practice in [Practice(RECORDS[:40], LIBRARY, seed)]
        for record in RECORDS[:40]
        for item in practice.items(record)
    ]
    # Of 480 draws of a quarter each, 4 standard deviations are 38.
    assert all(abs(letters.count(letter) - len(letters) / 4) < 38 for letter in "ABCD")


def test_options_follow_the_seed_and_nothing_else() -> None:
    first = practise(RECORDS[0], RECORDS, LIBRARY, 5)
    assert practise(RECORDS[0], RECORDS[::-1], LIBRARY, 5) == first
    assert practise(RECORDS[0], RECORDS, LIBRARY, 6) != first


def test_the_records_own_disease_is_right_whatever_the_knowledge_says() -> None:
    record = ward()[0]
    item = of("diagnosis", record, ward())
    assert item is not None
    assert item.answer == ALPHA
    assert set(item.options.values()) <= set(SIGNS)
    examination = of("examination", record, ward())
    assert examination is not None
    assert examination.answer == TESTS[ALPHA]
    assert "abnormal" not in examination.question


def test_statements_that_name_the_disease_are_left_out() -> None:
    told = "Her aunt had Morbus Alphae too"
    record = ward_patient("P9", ALPHA, told, "Asthma as a child")
    item = of("diagnosis", record, ward())
    assert item is not None
    assert told not in item.question
    assert "Asthma as a child" in item.question


DIABETES = "Type 2 diabetes mellitus"


def renamed(record: PatientRecord, **told: object) -> PatientRecord:
    """The same patient with another disease."""
    disease = record.disease_information.model_copy(update=told)
    return record.model_copy(update={"disease_information": disease})


def test_statements_that_give_the_disease_away_in_other_forms_are_left_out() -> None:
    history = ("Type II diabetes diagnosed 2015", "Diabetic retinopathy", "Hay fever")
    record = renamed(ward_patient("P9", ALPHA, *history), disease=DIABETES)
    found = Examination(category="laboratory", test="HbA1c", finding="in the diabetic range")
    other = Examination(category="laboratory", test="Creatinine", finding="raised")
    record = record.model_copy(update={"examination_results": (found, other)})
    item = of("diagnosis", record, ward())
    assert item is not None
    assert "iabet" not in item.question
    assert "History: Hay fever" in item.question
    assert "Creatinine: raised" in item.question


def test_a_patient_without_a_complaint_to_tell_is_no_question() -> None:
    record = renamed(ward_patient("P9", ALPHA), disease="Depression", symptoms=("Depression",))
    assert [item.kind for item in practise(record, ward(), LIBRARY, 0)] == ["examination"]


def test_a_result_whose_wording_tells_keeps_its_value() -> None:
    record = renamed(ward_patient("P9", ALPHA), disease=DIABETES)
    found = Examination(
        category="laboratory",
        test="HbA1c",
        value="8.9",
        unit="%",
        reference_range="<5.7",
        finding="in the diabetic range",
    )
    telling = found.model_copy(update={"test": "Diabetes screen"})
    record = record.model_copy(update={"examination_results": (found, telling)})
    item = of("diagnosis", record, ward())
    assert item is not None
    assert "Results: HbA1c: 8.9 % (reference <5.7)." in item.question


@pytest.mark.parametrize(
    "name",
    [
        "Inguinal hernia (right)",
        "Appendicitis (acute)",
        "Osteoarthritis (right knee)",
        "Benign Prostatic Hyperplasia (BPH)",
        "Graves' disease",
        "Nephrolithiasis (left ureteral stone)",
        "Conn syndrome",
    ],
)
def test_a_side_or_an_addition_costs_a_record_nothing(name: str) -> None:
    outline = find_named(name, LIBRARY)
    assert outline is not None
    (mine, *_) = [one for one in RECORDS if one.disease_information.disease == outline.name]
    record = renamed(mine, disease=name)
    assert [item.kind for item in practise(record, RECORDS, LIBRARY, 0)] == [
        "examination",
        "diagnosis",
    ]
    (diagnosis,) = [one for one in practise(record, RECORDS, LIBRARY, 0) if one.kind == "diagnosis"]
    wrong = [text for text in diagnosis.options.values() if text != name]
    assert not {outline.name, *outline.synonyms} & set(wrong)


def test_the_side_of_a_test_hides_no_complaint() -> None:
    record = renamed(ward_patient("P9", ALPHA), symptoms=("Loss of side vision in both eyes",))
    pressure = Examination(
        category="special", test="Intraocular pressure (right eye)", value="31", finding="raised"
    )
    record = record.model_copy(update={"examination_results": (pressure,)})
    item = of("examination", record, ward())
    assert item is not None
    assert "both eyes" in item.question


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("Prostate-specific antigen (PSA)", {"Prostate-specific antigen", "PSA"}),
        ("X-ray (right knee)", {"X-ray"}),
        ("Femoral neck (hip) fracture", {"Femoral neck fracture"}),
        ("Paget disease of bone", {"Paget disease"}),
        ("Lumbar disc herniation with sciatica", {"Lumbar disc herniation"}),
    ],
)
def test_forms_of_a_name(name: str, known: set[str]) -> None:
    assert set(forms(name)) - {name} == known


def test_names_without_telling_words_mean_nothing_else() -> None:
    assert not alike("right", "Morbus Alphae")
    assert not alike("", "")


@pytest.mark.parametrize(
    ("statement", "name", "told"),
    [
        ("Type II diabetes since 2015", "Type 2 diabetes mellitus", True),
        ("Type I diabetes since 2015", "Type 2 diabetes mellitus", False),
        ("Glaucomatous cupping", "Glaucoma", True),
        ("Raised, hypothyroid", "Hypothyroidism", True),
        ("Hyperthyroid", "Hypothyroidism", False),
        ("Myopic", "Myopia", True),
        ("Osteoporosis", "Osteoarthritis", False),
        ("Herniated lumbar disc", "Lumbar disc herniation", True),
        ("Lumbar pain", "Lumbar disc herniation", False),
    ],
)
def test_words_are_known_in_other_forms(statement: str, name: str, told: bool) -> None:
    assert tells(statement, (name,)) is told


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("Primary open-angle glaucoma", "glaucoma"),
        ("Lumbar disc herniation with sciatica", "herniation"),
        ("Fracture of the distal radius", "fracture"),
        ("Femoral neck (hip) fracture", "fracture"),
        ("Type 2 diabetes mellitus", "diabete"),
        ("Rotator cuff tear", ""),
        ("Overactive bladder (urge incontinence)", ""),
        ("Disease", ""),
    ],
)
def test_the_head_of_a_name_is_what_it_is_one_of(name: str, found: str) -> None:
    assert head(name) == found


def test_options_come_first_from_tests_of_the_same_head() -> None:
    blood = [f"Blood test {name}" for name in ("aardvark", "buffalo", "camel")]
    scans = [f"Scan {name}" for name in ("delta", "echo", "foxtrot")]
    others = [
        ward_patient(f"B{at}", BETA).model_copy(
            update={"examination_results": (Examination(category=head, test=test, finding="odd"),)}
        )
        for head, tests in (("laboratory", blood), ("imaging", scans))
        for at, test in enumerate(tests)
    ]
    mine = Examination(category="laboratory", test="Zebra titre", finding="high")
    record = ward_patient("A", ALPHA).model_copy(update={"examination_results": (mine,)})
    item = of("examination", record, others)
    assert item is not None
    assert sorted(item.options.values()) == [*blood, "Zebra titre"]


def test_what_a_record_does_not_support_is_not_asked() -> None:
    bare = ward()[0].model_copy(update={"examination_results": ()})
    assert [item.kind for item in practise(bare, ward(), LIBRARY, 0)] == ["diagnosis"]
    # No other disease, no wrong option.
    assert practise(ward()[0], ward()[:1], LIBRARY, 0) == []
    # Other departments lend none.
    away = [one.model_copy(update={"department": "Elsewhere"}) for one in ward()[1:]]
    assert practise(ward()[0], away, LIBRARY, 0) == []


def test_a_telling_test_goes_before_a_normal_one() -> None:
    dull = Examination(category="laboratory", test="Sodium", value="140", finding="normal")
    record = ward()[0]
    record = record.model_copy(update={"examination_results": (dull, *record.examination_results)})
    item = of("examination", record, ward())
    assert item is not None
    assert item.answer == TESTS[ALPHA]
    assert "Sodium" not in item.options.values()


DRUG = "Takes glowstatin 20 mg daily for Morbus Alphae"


def test_treatment_is_asked_where_the_record_names_a_drug_for_the_disease() -> None:
    others = [
        ward_patient(
            "B", BETA, "On rainprazole 5 mg", "Hummolol 10 mg twice daily for Morbus Betae"
        )
    ]
    record = ward_patient("A", ALPHA, DRUG, "Takes rainprazole 5 mg daily")
    item = of("treatment", record, others)
    assert item is not None
    assert item.answer == "Glowstatin"
    assert "lowstatin" not in item.question
    assert f"Diagnosis: {ALPHA}." in item.question
    # A drug that the patient takes as well is no wrong option.
    assert set(item.options.values()) == {"Glowstatin", "Hummolol"}


@pytest.mark.parametrize(
    "statement",
    [
        "Takes glowstatin 20 mg daily for high blood pressure",
        "Takes glowstatin for Morbus Alphae",
        "Morbus Alphae since 2020",
        "Allergic to penicillin",
    ],
)
def test_other_medication_is_not_asked(statement: str) -> None:
    others = [ward_patient("B", BETA, "Hummolol 10 mg twice daily for Morbus Betae")]
    assert of("treatment", ward_patient("A", ALPHA, statement), others) is None


def test_the_profiles_medication_counts_too() -> None:
    others = [ward_patient("B", BETA, "Hummolol 10 mg twice daily for Morbus Betae")]
    profile = Profile(medication=f"Vitamin D 400 IU daily; {DRUG}")
    record = ward_patient("A", ALPHA).model_copy(update={"profile": profile})
    item = of("treatment", record, others)
    assert item is not None
    assert item.answer == "Glowstatin"


def test_turned_options_are_the_same_under_other_letters() -> None:
    for item in ITEMS[:20]:
        turned = item.turned()
        assert turned.answer == item.answer
        assert sorted(turned.options.values()) == sorted(item.options.values())
        assert all(turned.options[letter] != item.options[letter] for letter in item.options)
