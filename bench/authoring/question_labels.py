"""Departments of questions by a language model: three votes, the list in another order each time.

All three alike is `clear`, two of three `borderline`, else there is no label, which is not the
label "none". The gold answer is not shown. Every exchange is in the journal.
"""

import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field

from bench.api.failure import Failure, guarded
from bench.backbones.prompt import JUDGING, Prompt, Unreachable
from bench.backbones.requests import ChooseAnswer
from bench.backbones.respondent import Respondent
from bench.backbones.templates import Template
from bench.core.concurrency import ordered_map
from bench.core.errors import UserError
from bench.core.schema import Model
from bench.medqa.audit import DEPARTMENTS, audited, is_audited_split
from bench.medqa.labels import CHOICES, NONE, Label, Vote
from bench.medqa.question import Question, QuestionSet
from bench.scoring.agreement import cohen_kappa

TEMPLATE = Template(Path(__file__).with_name("question_labels.j2"))
PASSES = 3
OTHER = "other"


class Sorted(Model):
    """The answer to one pass."""

    department: Literal[CHOICES]  # type: ignore[valid-type]
    confidence: float = Field(ge=0, le=1)
    """0 to 1, as the model says; kept, and used for nothing."""


async def classify(
    questions: Iterable[Question], respondent: Respondent, at_once: int = 8
) -> AsyncIterator[Label | Failure]:
    """The label of each question in order; a failure for one that could not be asked.

    Raises:
        UserError: if the respondent is no language model, or the run cannot go on.
    """
    if respondent.stand_in:
        raise UserError(f"{respondent.name} cannot tell departments: name a language model")

    async def one(question: Question) -> Label | Failure:
        votes = []
        for number in range(1, PASSES + 1):
            vote = await guarded(_vote(question, number, respondent), question.id, "classify")
            if isinstance(vote, Failure):
                if vote.outcome == Unreachable.outcome:
                    return vote
                vote = Vote(outcome=vote.outcome, keys=vote.keys)
            votes.append(vote)
        counted = Counter(vote.department for vote in votes if vote.department)
        department, most = next(iter(counted.most_common(1)), (NONE, 0))
        return Label(
            id=question.id,
            department=department if most > 1 else NONE,
            label="clear" if most == PASSES else "borderline" if most > 1 else None,
            votes=tuple(votes),
            model=respondent.pinned,
            prompt=TEMPLATE.sha256,
        )

    async for made in ordered_map(one, questions, at_once):
        yield made


async def _vote(question: Question, number: int, respondent: Respondent) -> Vote:
    order = list(CHOICES)
    random.Random(f"{question.id}/{number}").shuffle(order)
    messages = TEMPLATE.messages(
        departments=order, question=question.question, options=question.options
    )
    task = ChooseAnswer(
        question=f"{question.question}\n\nTo which department does this question belong?",
        options={str(at): name for at, name in enumerate(order, start=1)},
    )
    replicate = f"classify/{question.id}/{number}"
    answer = await respondent.ask(Prompt(task, messages, Sorted, JUDGING, replicate))
    return Vote(
        department=answer.value.department, confidence=answer.value.confidence, keys=answer.keys
    )


def agreement(questions: QuestionSet, labels: Iterable[Label]) -> str:
    """Cohen's kappa of labels with the audited list, in a sentence.

    A department is one of the six, or "other". Questions that the list calls borderline, or that
    repeat another, are left out, and so are those without a label: no answer is no "other". An
    unlisted question was audited, as "other", only if the set is the audited split; of any other
    set only the listed ones can be compared.
    """
    whole = is_audited_split(questions.ids)
    pairs = []
    for row in labels:
        listed = audited().get(row.id)
        if row.label is None or (listed is None and not whole):
            continue
        if listed is not None and (listed.label != "clear" or listed.dup_of in questions.ids):
            continue
        expected = OTHER if listed is None else listed.department
        pairs.append((expected, row.department if row.department in DEPARTMENTS else OTHER))
    kappa, interval = cohen_kappa([a for a, _ in pairs], [b for _, b in pairs])
    value = "n/a" if kappa is None else f"{kappa:.3f}"
    if interval is not None:
        value += f" [{interval.low:.3f}, {interval.high:.3f}]"
    over = "all questions" if whole else "those on the list only"
    return (
        f"Cohen's kappa with the audited list: {value}, n = {len(pairs)} ({over}; "
        f"{sum(a == b for a, b in pairs)} agree)"
    )
