"""What a record's phrases become in the patient's mouth: whole sentences in the first person."""

import random
import re

import pytest

from bench.backbones.requests import LabelFacts
from bench.backbones.rules.extracting import statements
from bench.backbones.rules.phrasing import lower_first
from bench.backbones.rules.recalling import read_fact
from bench.backbones.rules.relating import relate
from bench.backbones.rules.speaking import say
from bench.knowledge.library import Library

LIBRARY = Library()


def said(fact: str) -> str:
    return say(read_fact(fact))


@pytest.mark.parametrize(
    ("phrase", "told"),
    [
        # A verb of the third person, and those joined to it.
        ("shifts weight to the other buttock", "I shift weight to the other buttock"),
        ("idealizes new people and despises them", "I idealize new people and despise them"),
        ("gasps and breathes fast", "I gasp and breathe fast"),
        ("avoids courses and trips", "I avoid courses and trips"),
        ("no longer feels like a real man", "I no longer feel like a real man"),
        ("reaches the letter box with difficulty", "I reach the letter box with difficulty"),
        # A phrase that is a clause.
        ("replies miss the question", "Replies miss the question"),
        ("blood drains from the face", "Blood drains from my face"),
        ("getting the right leg into the bath is awkward",
         "Getting my right leg into the bath is awkward"),
        ("eyes drift out of line", "My eyes drift out of line"),
        ("both eyes bloodshot", "Both my eyes are bloodshot"),
        # Nouns that look like verbs.
        ("tears run down the left cheek", "Tears run down my left cheek"),
        ("visits to the toilet have doubled", "Visits to the toilet have doubled"),
        ("dull ache in the left groin", "I have a dull ache in my left groin"),
        ("intense fear of gaining weight", "I have intense fear of gaining weight"),
        # States.
        ("certain of having a heart attack", "I am certain of having a heart attack"),
        ("being easily startled", "I am easily startled"),
        ("queasy since the pain began", "I have been queasy since the pain began"),
        ("hardly any sleep", "I have hardly any sleep"),
        ("slow, steady rise in weight", "I have a slow, steady rise in weight"),
        # Words that are nouns as well stay nouns.
        ("relives it with all its sounds and smells", "I relive it with all its sounds and smells"),
        ("failed attempts to cut down", "I have failed attempts to cut down"),
        # What happened.
        ("broke into a cold sweat", "I broke into a cold sweat"),
        ("vomited twice since the pain began", "I vomited twice since the pain began"),
        # What is neither a noun nor a clause.
        ("desire for intimacy gone", "There is this: desire for intimacy gone"),
        ("energy used up by noon", "There is this: energy used up by noon"),
        # Who is meant.
        ("pain, the worst the patient can remember", "I have pain, the worst I can remember"),
        ("leaking when she skips, hops or does aerobics",
         "I have leaking when I skip, hop or do aerobics"),
        ("detests the own body", "I detest my own body"),
    ],
)  # fmt: skip
def test_a_symptom_is_told_in_a_whole_sentence(phrase: str, told: str):
    assert said(f"Symptom: {phrase}") == told


@pytest.mark.parametrize(
    ("fact", "told"),
    [
        ("Family history: Mother has osteoarthritis of the spine",
         "My mother has osteoarthritis of the spine"),
        ("Family history: Aunt with vitiligo", "I have an aunt with vitiligo"),
        ("Family history: Sister healthy", "My sister is healthy"),
        ("Family history: Uncle on dialysis", "My uncle is on dialysis"),
        ("Family history: Father lost to a heart attack at 54",
         "My father was lost to a heart attack at 54"),
        ("Family history: Mother lost her reading sight in old age",
         "My mother lost her reading sight in old age"),
        ("Lifestyle: Lives with his wife", "I live with my wife"),
        ("Lifestyle: Mother of two, sleeps six hours at best",
         "I am a mother of two and sleep six hours at best"),
        ("Lifestyle: Short-sighted, wears glasses", "I am short-sighted and wear glasses"),
        ("Lifestyle: Neither smokes nor drinks", "I neither smoke nor drink"),
        ("Lifestyle: House painter", "I am a house painter"),
        ("Medical history: Asthma diagnosed 9 years ago, with cough in winter",
         "I have had asthma diagnosed 9 years ago, with cough in winter"),
        ("Medical history: Appendix removed 20 years ago",
         "I had my appendix removed 20 years ago"),
        ("Medical history: Hashimoto thyroiditis for 3 years",
         "I have had Hashimoto thyroiditis for 3 years"),
        ("Medical history: Obese as a child", "I was obese as a child"),
        ("Vaccination history: Zoster vaccine declined",
         "As for my vaccinations: zoster vaccine declined"),
    ],
)  # fmt: skip
def test_history_and_relatives_are_told_in_a_whole_sentence(fact: str, told: str):
    assert said(fact) == told


@pytest.mark.parametrize("text", ["I have a cough.", "I'm ill.", "HbA1c is high.", "Crohn disease"])
def test_some_words_keep_their_capital_in_the_middle_of_a_sentence(text: str):
    assert lower_first(text) == text


_SLIPS = re.compile(
    r"\bme (?:can|has|is)\b|(?<!\w)i(?=[ '])|\bthe my\b|\bMy both\b|"
    r"^I have (?:came|broke|threw)\b|"
    r"^I am (?:hardly any|only)\b|eache\b|"
    r"^My (?:mother|father)\b.* of my (?:spine|hands|face)\b|"
    r"^I (?!have|am|was|had|felt)[a-z]+ .* and (?:then )?(?:leaves|takes|throws|despises|"
    r"breathes)\b"
)


def test_no_symptom_of_any_outline_shows_a_known_slip():
    told = [
        said(f"Symptom: {phrase}")
        for outline in LIBRARY
        for symptom in outline.symptoms
        for phrase in (symptom.name, *symptom.phrases)
    ]
    assert len(told) > 3000
    assert [one for one in told if _SLIPS.search(one)] == []


@pytest.mark.parametrize(
    ("answer", "question", "fact"),
    [
        ("I am 24 years old.", "How old are you?", "Age: 24"),
        ("I am female.", "Are you male or female?", "Gender: female"),
        ("My name is Ann Smith.", "What is your name?", "Name: Ann Smith"),
        ("I no longer dance.", "Any other symptoms?", "Symptom: no longer dances"),
        ("There is this: libido gone.", "How are you?", "Symptom: libido gone"),
        ("I have fits in which I cry out.", "", "Symptom: fits in which the child cries out"),
    ],
)  # fmt: skip
def test_what_is_known_is_not_learned_again(answer: str, question: str, fact: str):
    (statement,) = statements(answer, question)
    task = LabelFacts(statements=(statement,), facts={"F1": fact}, question=question)
    (made,) = relate(task, LIBRARY, random.Random(0)).statements
    assert [one.label for one in made.labels] == ["entail"]


def test_another_age_is_still_a_contradiction_when_told_in_the_third_person():
    task = LabelFacts(statements=("Is 25 years old",), facts={"F1": "Age: 24"}, question="")
    (made,) = relate(task, LIBRARY, random.Random(0)).statements
    assert [one.label for one in made.labels] == ["contradict"]
