"""The rules at multiple choice: by shared words with outlines and memory, and no gold answer."""

import random

from bench.backbones.requests import ChooseAnswer, Reflect
from bench.backbones.rules.lesson import reflect
from bench.backbones.rules.options import choose
from bench.knowledge.library import Library

LIBRARY = Library()
NONSENSE = "Someone glorps the zibble. Which zorch is quaxed?"
ZIBBLES = {"A": "Frobnication", "B": "Wibblement", "C": "Snarfling"}


def letter(task: ChooseAnswer, seed: int = 0) -> str:
    return choose(task, LIBRARY, random.Random(seed)).letter


def test_complaints_lead_to_their_disease_far_more_often_than_by_chance() -> None:
    outlines = list(LIBRARY)[::4]
    right = 0
    for number, outline in enumerate(outlines):
        others = [outlines[(number + step) % len(outlines)].name for step in (1, 2, 3)]
        others.insert(number % 4, outline.name)
        options = dict(zip("ABCD", others, strict=True))
        complaints = ", ".join(
            symptom.phrases[0] for symptom in outline.symptoms if symptom.phrases
        )
        task = ChooseAnswer(question=f"A patient has {complaints}. Diagnosis?", options=options)
        right += options[letter(task)] == outline.name
    assert right > 0.75 * len(outlines)


def test_memory_decides_what_the_knowledge_does_not_hold() -> None:
    told = ("Case: someone glorps the zibble. Diagnosis: Wibblement.",)
    task = ChooseAnswer(question=NONSENSE, options=ZIBBLES, memory=told)
    assert {letter(task, seed) for seed in range(3)} == {"B"}


def test_what_nobody_knows_is_guessed() -> None:
    tasks = [
        ChooseAnswer(question=f"Glorp {glorp}? {NONSENSE}", options=ZIBBLES) for glorp in range(12)
    ]
    first = [letter(task) for task in tasks]
    assert set(first) == {"A", "B", "C"}
    assert letter(tasks[0], seed=5) == first[0]
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
    task = Reflect(situation=NONSENSE, given="Cataract", correct="Wibblement")
    rule = reflect(task, LIBRARY, random.Random(0)).rule
    assert rule.endswith("think of Wibblement.")
    assert "zibble" in rule
    assert "Cataract" not in rule
