"""One multiple-choice question to the student: practice or test, with what is remembered.

No department is named: it was often told from the right answer, and would hint at it.
"""

import asyncio
import math
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, create_model, model_validator

from bench.api.context import Context
from bench.api.failure import Failure, guarded
from bench.backbones.prompt import JUDGING, Answer, AskError, Prompt
from bench.backbones.requests import ChooseAnswer, ChosenOption, Words
from bench.backbones.respondent import Respondent
from bench.backbones.templates import Template
from bench.core.schema import Model
from bench.core.text import folded, words
from bench.medqa.question import Question
from bench.students.experience import Experience, Limits

ROLE = "student"
PROMPT = Template(Path(__file__).with_name("answer.j2"))
Outcome = Literal["right", "wrong", "refused", "invalid", "unreachable", "error"]
"""What may become of a question."""
Answering = Literal["words", "letters"]
"""How a question is answered: in words, or by the letters' log-probabilities."""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
OF_FAILURE: dict[str, Outcome] = {
    "refusal": "refused",
    "invalid": "invalid",
    "cut": "invalid",
    "unreachable": "unreachable",
    "error": "error",
}
"""Our names of the outcomes of an exchange that failed."""
PUT: tuple[Outcome, ...] = ("right", "wrong", "refused", "invalid")
"""What becomes of a question that the student got; the others were never put."""


class Answered(Model):
    """What became of one question."""

    id: str
    """Id of the question."""
    department: str = ""
    """Its department."""
    outcome: Outcome
    """`refused` and `invalid` (after the repairs) are no wrong answers. `unreachable` is what the
    same command may heal; `error` is what was rejected, or went wrong here."""
    letter: str | None = None
    """Letter given; none without an answer."""
    reason: str = ""
    """The student's reasons, or why there is no answer."""
    keys: tuple[str, ...] = ()
    """Journal keys of the exchanges."""
    retrieved: tuple[str, ...] = ()
    """Ids of what was shown from memory, in order."""
    words: int = 0
    """Words shown from memory."""


async def answer(
    question: Question,
    department: str,
    experience: Experience | Failure,
    limits: Limits,
    context: Context,
    replicate: str,
    answering: Answering = "words",
) -> Answered:
    """The student's answer; zero-shot where nothing was learned, not asked where learning failed.

    The gold letter is compared here, after the answer; nothing before knows it, nor the department.
    `replicate` tells apart what is asked in the same words; it need not name the question.

    Raises:
        UserError: nobody is named for the role "student", or there is no encoder.
    """
    place: dict[str, Any] = {"id": question.id, "department": department}
    if isinstance(experience, Failure):
        return _unanswered(place, experience)
    shown = await experience.recall(question.question, limits, context.encoder)
    memory = [entry.text for entry in shown]
    place |= {
        "retrieved": tuple(entry.id for entry in shown),
        "words": sum(entry.words for entry in shown),
    }
    where = f"{replicate}/{question.id[:16]}"
    student = context.role(ROLE)
    work = choose(student, question.question, question.options, memory, where, answering)
    choice = await guarded(work, question.id, ROLE)
    if isinstance(choice, Failure):
        return _unanswered(place, choice)
    letter = choice.value.letter
    return Answered(
        **place,
        outcome="right" if question.accepts(letter) else "wrong",
        letter=letter,
        reason=choice.value.reasons,
        keys=choice.keys,
    )


def _unanswered(place: Mapping[str, Any], why: Failure) -> Answered:
    return Answered(**place, outcome=OF_FAILURE[why.outcome], reason=why.reason, keys=why.keys)


async def choose(
    respondent: Respondent,
    question: str,
    options: Mapping[str, str],
    memory: Sequence[str],
    replicate: str,
    answering: Answering = "words",
) -> Answer[ChosenOption]:
    """The letter chosen. What is right is not known here.

    Greedy, so that conditions differ by what was learned and not by luck.

    Raises:
        AskError: there is none.
        UserError: it is to be chosen by log-probabilities, and the backbone gives none.
    """
    if answering == "letters":
        return await _likeliest(respondent, question, options, memory, replicate)
    task = ChooseAnswer(question=question, options=dict(options), memory=tuple(memory))
    messages = PROMPT.messages(question=question, options=options, memory=memory)
    answer = choice_of(tuple(options.items()))
    return await respondent.ask(Prompt(task, messages, answer, JUDGING, replicate))


def as_text(question: str, options: Mapping[str, str], memory: Sequence[str]) -> str:
    """The text that the letter of an answer goes on, after one space.

    As lm-evaluation-harness has it in `medqa_4options`; what is remembered stands before it.
    """
    remembered = "".join(f"{one}\n\n" for one in memory)
    listed = "".join(f"{letter}. {text}\n" for letter, text in options.items())
    return f"{remembered}Question: {question}\n{listed}Answer:"


async def _likeliest(
    respondent: Respondent,
    question: str,
    options: Mapping[str, str],
    memory: Sequence[str],
    replicate: str,
) -> Answer[ChosenOption]:
    """The letter that the question's text most likely goes on with; of equals the first."""
    text = as_text(question, options, memory)
    asked = (respondent.logprobs(text, f" {letter}", replicate) for letter in options)
    # All of them come to their end, so that nothing goes on behind a failure.
    given = await asyncio.gather(*asked, return_exceptions=True)
    scored = [one for one in given if not isinstance(one, BaseException)]
    keys = tuple(key for _, key in scored)
    for failure in given:
        if isinstance(failure, BaseException):
            raise failure.after(keys) if isinstance(failure, AskError) else failure
    if not all(values for values, _ in scored):
        raise AskError(f"{respondent.name} gave no log-probability for a letter", keys)
    sums = {letter: math.fsum(one[0]) for letter, one in zip(options, scored, strict=True)}
    told = ", ".join(f"{letter} {value:.4f}" for letter, value in sums.items())
    letter = max(sums, key=sums.__getitem__)
    return Answer(ChosenOption(reasons=f"log-probabilities: {told}", letter=letter), keys)


@lru_cache(maxsize=64)
def choice_of(options: tuple[tuple[str, str], ...]) -> type[ChosenOption]:
    """A choice among these letters only; any other is an invalid answer.

    "c", "(C)", "**C**", "Option C", "C. " with the text of that option, and the text of one option
    alone mean C: as the letter of an answer, or as the whole of it, which then has no reasons.
    """
    texts = dict(options)

    def named(value: object) -> object:
        return _named(value, texts) if isinstance(value, str) else value

    fields: dict[str, Any] = {
        "letter": (Annotated[Literal[tuple(texts)], BeforeValidator(named)], ...)
    }
    return create_model("ChosenOption", __base__=_BareOption, **fields)


class _BareOption(ChosenOption):
    """A choice that may come without reasons: as an object without them, or as an option alone."""

    reasons: Words

    @model_validator(mode="before")
    @classmethod
    def _without_reasons(cls, given: Any) -> Any:
        if isinstance(given, str):
            given = {"letter": given}
        return {"reasons": "", **given} if isinstance(given, dict) else given


_LETTER = re.compile(
    r"[\W_]*(?:(?:option|answer|choice)[\W_]+)?([A-Za-z])(?:[\W_]+(.*))?", re.I | re.S
)
"""A letter, and what stands behind it. Linear: no two neighbours take the same characters."""


def _named(value: str, texts: Mapping[str, str]) -> str:
    """The letter of the one option that a text names and nothing else; the text if there is none.

    A letter alone is that letter, whatever the options say.
    """
    match = _LETTER.fullmatch(value)
    letter, behind = (match[1].upper(), _plain(match[2] or "")) if match else ("", "")
    if letter in texts and not behind:
        return letter
    found = {other for other, text in texts.items() if _bared(text) == _bared(value) != ""}
    if letter in texts and behind == _plain(texts[letter]):
        found.add(letter)
    return found.pop() if len(found) == 1 else value


def _plain(text: str) -> str:
    return " ".join(words(text))


def _bared(text: str) -> str:
    """A text without what is put around it; signs within it count, "<5" is not ">5"."""
    return folded(text).strip(" *_\"'`.")
