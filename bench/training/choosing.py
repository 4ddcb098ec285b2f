"""One multiple-choice question to the student: practice or test, with what is remembered."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from pydantic import create_model, field_validator

from bench.backbones.asking import Respondent
from bench.backbones.prompt import JUDGING, Answer, Prompt
from bench.backbones.tasks import Choice, ChooseAnswer
from bench.prompts import Template

ROLE = "student"
PROMPT = Template(Path(__file__).with_name("answer.j2"))


async def choose(
    respondent: Respondent,
    department: str,
    question: str,
    options: Mapping[str, str],
    memory: Sequence[str],
    replicate: str,
) -> Answer[Choice]:
    """The letter chosen. What is right is not known here.

    Greedy, so that conditions differ by what was learned and not by luck.

    Raises:
        AskError: there is none.
    """
    task = ChooseAnswer(question=question, options=dict(options), memory=tuple(memory))
    messages = PROMPT.messages(
        department=department, question=question, options=options, memory=memory
    )
    answer = choice_of(tuple(options))
    return await respondent.ask(Prompt(task, messages, answer, JUDGING, replicate))


@lru_cache(maxsize=64)
def choice_of(letters: tuple[str, ...]) -> type[Choice]:
    """A choice among these letters only; any other is an invalid answer."""
    fields: dict[str, Any] = {"letter": (Literal[letters], ...)}
    return create_model("Choice", __base__=_Bare, **fields)


class _Bare(Choice):
    """Understands "c", "(C)" and "C." for C."""

    @field_validator("letter", mode="before")
    @classmethod
    def _bare(cls, value: object) -> object:
        return value.strip(" .():\n").upper() if isinstance(value, str) else value
