"""One multiple-choice question to the student: practice or test, with what is remembered.

No department is named: it was often told from the right answer, and would hint at it.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, create_model

from bench.backbones.prompt import JUDGING, Answer, Prompt
from bench.backbones.requests import ChooseAnswer, ChosenOption
from bench.backbones.respondent import Respondent
from bench.backbones.templates import Template
from bench.core.text import words

ROLE = "student"
PROMPT = Template(Path(__file__).with_name("answer.j2"))
Outcome = Literal["right", "wrong", "refused", "invalid", "unreachable", "error"]
"""What may become of a question."""
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
OF_FAILURE: dict[str, Outcome] = {
    "refusal": "refused",
    "invalid": "invalid",
    "unreachable": "unreachable",
    "error": "error",
}
"""Our names of the outcomes of an exchange that failed."""


async def choose(
    respondent: Respondent,
    question: str,
    options: Mapping[str, str],
    memory: Sequence[str],
    replicate: str,
) -> Answer[ChosenOption]:
    """The letter chosen. What is right is not known here.

    Greedy, so that conditions differ by what was learned and not by luck.

    Raises:
        AskError: there is none.
    """
    task = ChooseAnswer(question=question, options=dict(options), memory=tuple(memory))
    messages = PROMPT.messages(question=question, options=options, memory=memory)
    answer = choice_of(tuple(options.items()))
    return await respondent.ask(Prompt(task, messages, answer, JUDGING, replicate))


@lru_cache(maxsize=64)
def choice_of(options: tuple[tuple[str, str], ...]) -> type[ChosenOption]:
    """A choice among these letters only; any other is an invalid answer.

    "c", "(C)", "**C**", "Option C" and "C. " with the text of that option mean C.
    """
    texts = dict(options)

    def bare(value: object) -> object:
        match = _LETTER.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            return value
        letter, text = match[1].upper(), _plain(match[2])
        return letter if text in ("", _plain(texts.get(letter, ""))) else value

    fields: dict[str, Any] = {
        "letter": (Annotated[Literal[tuple(texts)], BeforeValidator(bare)], ...)
    }
    return create_model("ChosenOption", __base__=ChosenOption, **fields)


_LETTER = re.compile(r"\W*(?:(?:option|answer|choice)\W+)?([A-Za-z])(?:\W+(.*))?", re.I | re.S)


def _plain(text: str | None) -> str:
    return " ".join(words(text or ""))
