"""A test question, answered by an agent that has learned something or nothing."""

from typing import Literal

from bench.backbones.prompt import AskError, Invalid, Refused
from bench.context import Context
from bench.medqa.question import Question
from bench.model import Model
from bench.training.choosing import ROLE, choose
from bench.training.learning import Learned
from bench.training.memory import Recalled
from bench.training.settings import TrainSettings

Outcome = Literal["right", "wrong", "refused", "invalid", "unreachable"]
OUTCOMES: tuple[Outcome, ...] = ("right", "wrong", "refused", "invalid", "unreachable")


class Answered(Model):
    """What became of one question."""

    question: str
    """Id of the question."""
    outcome: Outcome
    """`refused`, `invalid` (after the repairs) and `unreachable` are no wrong answers."""
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
    learned: Learned | None,
    context: Context,
    settings: TrainSettings,
    replicate: str,
) -> Answered:
    """The student's answer; zero-shot where nothing was learned.

    The gold letter is compared here, after the answer; nothing before knows it. `replicate` tells
    apart what is asked in the same words; it need not name the question.

    Raises:
        UserError: nobody is named for the role "student", or there is no encoder.
    """
    recalled = Recalled()
    if learned is not None:
        recalled = await learned.memory.recall(question.question, settings, context.encoder)
    where = "/".join(part for part in (replicate, question.id[:16]) if part)
    shown = {"question": question.id, "retrieved": recalled.ids, "words": recalled.words}
    try:
        given = await choose(
            context.role(ROLE),
            question.department or "",
            question.question,
            question.options,
            recalled.texts,
            where,
        )
    except AskError as failure:
        outcome = outcome_of(failure)
        return Answered(**shown, outcome=outcome, reason=failure.reason, keys=failure.keys)
    letter = given.value.letter
    return Answered(
        **shown,
        outcome="right" if letter == question.answer_idx else "wrong",
        letter=letter,
        reason=given.value.reasons,
        keys=given.keys,
    )


def outcome_of(failure: AskError) -> Literal["refused", "invalid", "unreachable"]:
    """The outcome's name of a question without an answer."""
    if isinstance(failure, Refused):
        return "refused"
    return "invalid" if isinstance(failure, Invalid) else "unreachable"
