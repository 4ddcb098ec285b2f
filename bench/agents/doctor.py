"""A doctor agent: asks the next question, knowing the department and this round's transcript."""

from collections.abc import Sequence
from pathlib import Path

from bench.backbones.prompt import GENERATING, Prompt
from bench.backbones.requests import Ask, Turn
from bench.backbones.respondent import Respondent
from bench.backbones.templates import Template

PROMPT = Template(Path(__file__).with_name("doctor.j2"))


class Doctor:
    """Interviews a patient, one question at a time; the first one greets."""

    def __init__(self, respondent: Respondent) -> None:
        """Ask by who answers in the role."""
        self._respondent = respondent

    async def ask(
        self, department: str, history: Sequence[Turn], left: int, replicate: str
    ) -> tuple[str, tuple[str, ...]]:
        """The next question and its journal keys; `left` counts the questions with this one.

        Raises:
            AskError: there is none.
        """
        task = Ask(department=department, history=tuple(history), left=left)
        messages = PROMPT.messages(department=department, history=history, left=left)
        answer = await self._respondent.ask(Prompt(task, messages, str, GENERATING, replicate))
        return answer.value.strip(), answer.keys
