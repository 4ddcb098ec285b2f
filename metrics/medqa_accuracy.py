"""MedQA accuracy: a student's share of right answers to exam questions (paper Table 5).

Right answers count over all questions that were put to the student: one that was refused, or
stayed invalid, is not right, is missing, and is counted by its kind. A question that never reached
the student, for a dead line or a training that failed, says nothing of it: it is missing, too, and
counts in the bounds alone. The share among the questions that were answered is a part.
"""

from typing import ClassVar

from bench.api.context import Context
from bench.api.evaluation import Evaluation, Reason
from bench.api.failure import Failure
from bench.api.metric import MetricCard, PartCard
from bench.students.answer import OF_FAILURE, OUTCOMES, PUT, Answered

ANSWERED = "answered"
WORDS = "words"
_FAILURES = {outcome: failure for failure, outcome in OF_FAILURE.items() if failure != "cut"}
"""The outcome of a failure by what became of the question, which tells no cut answer apart."""


class MedqaAccuracy:
    """Share of questions answered right, of those put to the student; no judge is asked.

    Its parts are the share among the questions that were answered, the share of questions with each
    outcome, and the words that the student was shown from memory.
    """

    card: ClassVar[MetricCard] = MetricCard(
        name="medqa-accuracy",
        summary="Share of exam questions that a student answers right.",
        unit="share",
        better="higher",
        takes="answers",
        parts=(
            PartCard(ANSWERED),
            *(PartCard(name, better="higher" if name == "right" else "lower") for name in OUTCOMES),
            PartCard(WORDS, unit="words", better="lower"),
        ),
    )

    async def evaluate(self, answered: Answered, context: Context) -> Evaluation:
        """1 for a right answer, else 0; without an answer also what is missing, and why."""
        outcome = answered.outcome
        right = (float(outcome == "right"),)
        always = {str(name): (float(outcome == name),) for name in OUTCOMES}
        always[WORDS] = (float(answered.words),)
        if outcome not in _FAILURES:
            reason = Reason(value=right[0], text=answered.reason, keys=answered.keys)
            values = {"": right, ANSWERED: right, **always}
            return Evaluation(values=values, reasons=(reason,), keys=answered.keys)
        failure = Failure(
            item=answered.id,
            stage="scoring",
            outcome=_FAILURES[outcome],
            reason=answered.reason,
            keys=answered.keys,
        )
        put = outcome in PUT
        return Evaluation(
            values={"": right, **always} if put else always,
            assumed={"": 1} if put else {},
            missing={ANSWERED: 1} if put else {"": 1, ANSWERED: 1},
            keys=answered.keys,
            failures=(failure,),
        )
