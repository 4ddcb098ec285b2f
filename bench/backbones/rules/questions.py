"""Asks the doctor's questions: a fixed interview."""

import random

from bench.backbones.requests import Ask
from bench.knowledge.library import Library

QUESTIONS = (
    "Hello, I am your doctor today. What brings you here?",
    "Can you describe your symptoms in more detail?",
    "When did this start, and how has it changed since then?",
    "How bad is it, and what makes it better or worse?",
    "Have you had other complaints, such as fever, vomiting or loss of weight?",
    "Which illnesses have you had before?",
    "Do you take any medication, and do you have any allergies?",
    "Do you smoke or drink alcohol?",
    "Does any illness run in your family?",
    "Which vaccinations have you had?",
    "What work do you do, and who do you live with?",
    "Which examinations have you had for this so far?",
    # Asked where there are more than the usual 13 questions.
    "Have you ever had an operation?",
    "How do you sleep?",
    "How much exercise do you get, and what do you eat?",
    "How old are you, and what is your name?",
)
CLOSING = "Is there anything else that you would like to tell me?"


def ask(task: Ask, library: Library, drawn: random.Random) -> str:
    """The next question, the last one closing; `library` and `drawn` are not needed."""
    asked = len(task.history)
    if asked and task.left <= 1:
        return CLOSING
    return QUESTIONS[asked % len(QUESTIONS)]
