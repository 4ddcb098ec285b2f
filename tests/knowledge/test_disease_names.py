"""A guess at the diagnosis is judged by names, and forgiving of spelling alone."""

from itertools import permutations

import pytest

from bench.knowledge.disease_names import judge_guess
from bench.knowledge.library import Library

LIBRARY = Library()
EVERY = [(name, one.name) for one in LIBRARY.listings for name in (one.name, *one.synonyms)]
LONG = [(name, disease) for name, disease in EVERY if len(name) > 8]


@pytest.mark.parametrize(
    ("guess", "disease"),
    [
        ("sciatica", "Sciatica"),
        ("SCIATICA.", "Lumbar disc herniation with sciatica"),
        ("I think it's sciatica!", "Sciatica"),
        ("herniated disc", "Sciatica"),
        ("a slipped disc", "Sciatica"),
        ("I think it might be a slipped disk", "Sciatica"),
        ("appendicitis", "Acute appendicitis"),
        ("apendicitis", "Acute appendicitis"),
        ("type 2 diabetis", "Type 2 diabetes mellitus"),
        ("hyperthyroidism", "Graves disease (hyperthyroidism)"),
        ("Graves' disease", "Graves disease (hyperthyroidism)"),
        ("kidney stones", "Nephrolithiasis"),
        ("hip fracture", "Femoral neck fracture"),
        ("sciatica", "Left-sided sciatica"),
        ("left-sided sciatica", "Sciatica"),
    ],
)
def test_it_is_right(guess: str, disease: str):
    assert judge_guess(guess, [disease], LIBRARY).verdict == "right"


def test_every_name_and_synonym_is_right():
    assert [one for one in EVERY if judge_guess(one[0], [one[1]], LIBRARY).verdict != "right"] == []


def test_a_missing_letter_costs_a_long_name_nothing():
    cut = [(name[: len(name) // 2] + name[len(name) // 2 + 1 :], one) for name, one in LONG]
    wrong = [one for one in cut if judge_guess(one[0], [one[1]], LIBRARY).verdict != "right"]
    assert len(wrong) / len(cut) < 0.02, wrong


def test_no_disease_is_taken_for_another():
    taken = [
        (guess, disease)
        for department in LIBRARY.departments
        for guess, disease in permutations([one.name for one in LIBRARY.diseases(department)], 2)
        if judge_guess(guess, [disease], LIBRARY).verdict != "wrong"
    ]
    assert taken == []


@pytest.mark.parametrize(
    ("guess", "disease"),
    [
        ("type 1 diabetes", "Type 2 diabetes mellitus"),
        ("type 1 diabetis", "Type 2 diabetes mellitus"),
        ("hypothyroidism", "Graves disease"),
        ("hyperparathyroidism", "Hypoparathyroidism"),
        ("hyperzorbitis", "Hypozorbitis"),
        ("gout", "Sciatica"),
        ("COPD", "Sciatica"),
        ("zorbitis", "Sciatica"),
    ],
)
def test_it_is_wrong(guess: str, disease: str):
    assert judge_guess(guess, [disease], LIBRARY).verdict == "wrong"


@pytest.mark.parametrize(
    "guess", ["sciatica or osteoporosis", "fracture", "cancer", "diabetes", "disease", "???", ""]
)
def test_it_says_too_little_or_too_much(guess: str):
    assert judge_guess(guess, ["Sciatica"], LIBRARY).verdict == "several"


def test_a_disease_that_the_library_lacks_is_known_by_its_own_name():
    assert judge_guess("zorbitus", ["Zorbitis"], LIBRARY).verdict == "right"
    assert judge_guess("sciatica", ["Zorbitis"], LIBRARY).verdict == "wrong"
