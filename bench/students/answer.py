"""A test question, answered by an agent that has learned something or nothing."""

from bench.api.context import Context
from bench.backbones.prompt import AskError
from bench.core.schema import Model
from bench.medqa.question import Question
from bench.students.choice import OF_FAILURE, ROLE, Outcome, choose
from bench.students.experience import Experience, Limits

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
    experience: Experience,
    limits: Limits,
    context: Context,
    replicate: str,
) -> Answered:
    """The student's answer; zero-shot where nothing was learned.

    The gold letter is compared here, after the answer; nothing before knows it, nor the department.
    `replicate` tells apart what is asked in the same words; it need not name the question.

    Raises:
        UserError: nobody is named for the role "student", or there is no encoder.
    """
    shown = await experience.recall(question.question, limits, context.encoder)
    memory = [entry.text for entry in shown]
    place = {
        "id": question.id,
        "department": department,
        "retrieved": tuple(entry.id for entry in shown),
        "words": sum(entry.words for entry in shown),
    }
    where = f"{replicate}/{question.id[:16]}"
    student = context.role(ROLE)
    try:
        choice = await choose(student, question.question, question.options, memory, where)
    except AskError as failure:
        outcome = OF_FAILURE[failure.outcome]
        return Answered(**place, outcome=outcome, reason=failure.reason, keys=failure.keys)
    letter = choice.value.letter
    return Answered(
        **place,
        outcome="right" if question.accepts(letter) else "wrong",
        letter=letter,
        reason=choice.value.reasons,
        keys=choice.keys,
    )
