"""Departments of questions by a language model: three votes, the list in another order each time.

All three alike is `clear`, two of three `borderline`, else there is no label, which is not the
label "none". The gold answer is not shown. Every exchange is in the journal.
"""

import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Literal

from bench.api.failure import Failure, guarded
from bench.backbones.prompt import JUDGING, Answer, Prompt, Unreachable
from bench.backbones.requests import ChooseAnswer
from bench.backbones.respondent import Respondent
from bench.backbones.templates import Template
from bench.core.concurrency import ordered_map
from bench.core.errors import UserError
from bench.core.schema import Model
from bench.medqa.audit import audited, is_audited_split
from bench.medqa.labels import CHOICES, DEPARTMENTS, NONE, Label
from bench.medqa.question import Question, QuestionSet
from bench.scoring.agreement import cohen_kappa

TEMPLATE = Template(Path(__file__).with_name("question_labels.j2"))
PASSES = 3
OTHER = "other"


class Vote(Model):
    """The answer to one pass."""

    department: Literal[CHOICES]  # type: ignore[valid-type]


class VotedLabel(Label):
    """A label, and what it comes from."""

    votes: tuple[str, ...]
    """What each pass gave: a department, or the outcome of an ask that failed."""
    keys: tuple[str, ...]
    """Journal keys of the exchanges."""
    model: str
    """Backbone, with its version where it has one."""
    prompt: str
    """sha256 of the prompt template."""


async def classify(
    questions: Iterable[Question], respondent: Respondent, at_once: int = 8
) -> AsyncIterator[VotedLabel | Failure]:
    """The label of each question in order; a failure for one that could not be asked.

    Raises:
        UserError: if the respondent is no language model, or the run cannot go on.
    """
    if respondent.stand_in:
        raise UserError(f"{respondent.name} cannot tell departments: name a language model")

    async def one(question: Question) -> VotedLabel | Failure:
        votes: list[str] = []
        keys: list[str] = []
        for number in range(1, PASSES + 1):
            vote = await guarded(_vote(question, number, respondent), question.id, "classify")
            if isinstance(vote, Failure) and vote.outcome == Unreachable.outcome:
                return vote
            votes.append(vote.outcome if isinstance(vote, Failure) else vote.value.department)
            keys += vote.keys
        ((department, most),) = Counter(votes).most_common(1)
        agreed = most > 1 and department in CHOICES
        return VotedLabel(
            id=question.id,
            department=department if agreed else NONE,
            label=("clear" if most == PASSES else "borderline") if agreed else "undecided",
            votes=tuple(votes),
            keys=tuple(keys),
            model=respondent.pinned,
            prompt=TEMPLATE.sha256,
        )

    async for made in ordered_map(one, questions, at_once):
        yield made


async def _vote(question: Question, number: int, respondent: Respondent) -> Answer[Vote]:
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
    return await respondent.ask(Prompt(task, messages, Vote, JUDGING, replicate))


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
        if row.label == "undecided" or (listed is None and not whole):
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
