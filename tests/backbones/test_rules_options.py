"""The rules at multiple choice: by shared words with outlines and memory, and no gold answer."""

import random

import pytest

from bench.backbones.requests import ChooseAnswer, Reflect
from bench.backbones.rules.lesson import reflect
from bench.backbones.rules.options import choose
from bench.knowledge.library import Library

LIBRARY = Library()
PANCREAS = (
    "A 50-year-old man has had severe pain above the navel that goes through to the back since "
    "last night, with vomiting. Lipase is 1200 U/L. What is the most likely diagnosis?"
)
NONSENSE = "Someone glorps the zibble. Which zorch is quaxed?"
ZIBBLES = {"A": "Frobnication", "B": "Wibblement", "C": "Snarfling"}


def letter(task: ChooseAnswer, seed: int = 0) -> str:
    return choose(task, LIBRARY, random.Random(seed)).letter


@pytest.mark.parametrize("turn", range(4))
def test_knowledge_finds_a_plain_case_under_any_letter(turn: int) -> None:
    names = ["Acute pancreatitis", "Carpal tunnel syndrome", "Cataract", "Graves disease"]
    options = dict(zip("ABCD", names[turn:] + names[:turn], strict=True))
    found = letter(ChooseAnswer(question=PANCREAS, options=options))
    assert options[found] == "Acute pancreatitis"


def test_memory_decides_what_the_knowledge_does_not_hold() -> None:
    told = ("Case: someone glorps the zibble. Diagnosis: Wibblement.",)
    task = ChooseAnswer(question=NONSENSE, options=ZIBBLES, memory=told)
    assert {letter(task, seed) for seed in range(10)} == {"B"}


def test_what_nobody_knows_is_guessed() -> None:
    tasks = [
        ChooseAnswer(question=f"Glorp {glorp}? {NONSENSE}", options=ZIBBLES) for glorp in range(30)
    ]
    first = [letter(task) for task in tasks]
    assert set(first) == {"A", "B", "C"}
    assert [letter(task, seed=5) for task in tasks] == first
    # The guess is of the option, whatever its letter and whatever is remembered of other things.
    turned = dict(zip("ABC", ["Wibblement", "Snarfling", "Frobnication"], strict=True))
    again = [
        task.model_copy(update={"options": turned, "memory": ("Case: a cough.",)}) for task in tasks
    ]
    assert [turned[letter(task)] for task in again] == [ZIBBLES[one] for one in first]


def test_an_option_without_words_is_no_fault() -> None:
    task = ChooseAnswer(question="", options={"A": "-", "B": "12"})
    assert letter(task) in "AB"


def test_a_rule_names_the_situation_and_what_was_right() -> None:
    task = Reflect(situation=f"{NONSENSE} {PANCREAS}", given="Cataract", correct="Wibblement")
    rule = reflect(task, LIBRARY, random.Random(0)).rule
    assert rule.endswith("think of Wibblement.")
    assert "zibble" in rule
    assert "Cataract" not in rule
    assert len(rule.split()) < 30
