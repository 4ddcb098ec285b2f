"""A test question, answered by an agent that has learned something or nothing."""

from typing import Literal, get_args

from bench.api.context import Context
from bench.backbones.prompt import AskError
from bench.core.schema import Model
from bench.medqa.question import Question
from bench.students.choice import ROLE, choose
from bench.students.experience import Recalled
from bench.students.training import Training
from bench.students.training_settings import TrainSettings

Outcome = Literal["right", "wrong", "refused", "invalid", "unreachable", "error"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
PUT: tuple[Outcome, ...] = ("right", "wrong", "refused", "invalid")
"""What becomes of a question that the student got; the others were never put."""

OF_FAILURE: dict[str, Outcome] = {
    "refusal": "refused",
    "invalid": "invalid",
    "unreachable": "unreachable",
    "error": "error",
}
"""Our names of the outcomes of an exchange that failed."""


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
    training: Training | None,
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
    if training is not None:
        recalled = await training.experience.recall(question.question, settings, context.encoder)
    where = "/".join(part for part in (replicate, question.id[:16]) if part)
    known = {
        "id": question.id,
        "department": question.department or "",
        "retrieved": recalled.ids,
        "words": recalled.words,
    }
    try:
        choice = await choose(
            context.role(ROLE),
            question.question,
            question.options,
            recalled.texts,
            where,
        )
    except AskError as failure:
        outcome = OF_FAILURE[failure.outcome]
        return Answered(**known, outcome=outcome, reason=failure.reason, keys=failure.keys)
    letter = choice.value.letter
    return Answered(
        **known,
        outcome="right" if question.accepts(letter) else "wrong",
        letter=letter,
        reason=choice.value.reasons,
        keys=choice.keys,
    )
