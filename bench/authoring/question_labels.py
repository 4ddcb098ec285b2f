"""Departments of questions by a language model: three votes, the list in another order each time.

The gold answer is not shown. Every exchange is in the journal.
"""

import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path

from pydantic import Field

from bench.api.failure import Failure, guarded
from bench.api.score import Interval
from bench.backbones.prompt import JUDGING, Prompt
from bench.backbones.requests import ChooseAnswer
from bench.backbones.respondent import Respondent
from bench.backbones.templates import Template
from bench.core.concurrency import ordered_map
from bench.core.errors import UserError
from bench.core.schema import Model
from bench.medqa.audit import DEPARTMENTS, audited, is_audited_split
from bench.medqa.labels import CHOICES, LOST, PASSES, Classified, Department, Lost, Pass, decided
from bench.medqa.question import Question
from bench.medqa.question_files import QuestionSet
from bench.scoring.agreement import cohen_kappa

TEMPLATE = Template(Path(__file__).with_name("question_labels.j2"))
OTHER = "other"
FEW = 30
"""Questions below which kappa's large-sample interval is not to be relied on."""


class Vote(Model):
    """The answer to one pass."""

    department: Department
    confidence: float = Field(ge=0, le=1)
    """0 to 1, as the model says; kept, and used for nothing."""


class Agreement(Model):
    """How far labels agree with the audited list beyond chance."""

    kappa: float | None
    interval: Interval | None
    n: int
    """Questions compared: those with a label."""
    agreed: int
    whole: bool
    """Whether unlisted questions are compared too, as "other": only in the audited split itself."""
    left_out: dict[Lost, int]
    """Questions to compare that have no label, by why."""

    def __str__(self) -> str:
        value = "n/a" if self.kappa is None else f"{self.kappa:.3f}"
        over = "all questions" if self.whole else "the questions on the list only"
        lost = ", ".join(f"{self.left_out.get(kind, 0)} {kind}" for kind in LOST)
        return (
            f"Cohen's kappa with the audited list: {value}{self._between()}, n = {self.n} "
            f"({self.agreed} agree; six departments and other, {over}, audited borderline left "
            f"out); without a label, and left out: {lost}"
        )

    def _between(self) -> str:
        few = f"; unreliable, n being under {FEW}" if 0 < self.n < FEW else ""
        if self.interval is not None:
            between = f" [{self.interval.low:.3f}, {self.interval.high:.3f}]"
            return f"{between} ({self.interval.level:.0%}, large-sample{few})"
        if not self.n:
            return " (nothing to compare)"
        if self.kappa is None:
            return f" (both name one department only, as chance would{few})"
        why = "they differ nowhere" if self.agreed == self.n else "its variance is 0"
        return f" (no interval: {why}, where the large-sample formula gives none{few})"


async def classify(
    questions: Iterable[Question], respondent: Respondent, at_once: int = 8
) -> AsyncIterator[Classified | Failure]:
    """The label of each question in order; a failure for one that could not be asked.

    Raises:
        UserError: if the respondent is no language model, or the run cannot go on.
    """
    if respondent.stand_in:
        raise UserError(f"{respondent.name} cannot tell departments: name a language model")

    async def one(question: Question) -> Classified | Failure:
        passes = []
        for number in range(1, PASSES + 1):
            found = await guarded(_vote(question, number, respondent), question.id, "classify")
            if isinstance(found, Failure):
                if found.outcome not in ("refusal", "invalid"):
                    return found
                found = Pass(outcome=found.outcome, keys=found.keys)
            passes.append(found)
        return _count(question, passes, respondent.pinned)

    async for made in ordered_map(one, questions, at_once):
        yield made


async def _vote(question: Question, number: int, respondent: Respondent) -> Pass:
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
    answer = await respondent.ask(Prompt(task, messages, Vote, JUDGING, replicate))
    return Pass(
        department=answer.value.department, confidence=answer.value.confidence, keys=answer.keys
    )


def _count(question: Question, passes: Sequence[Pass], model: str) -> Classified:
    department, label = decided(passes)
    return Classified(
        id=question.id,
        department=department,
        label=label,
        votes=tuple(passes),
        model=model,
        prompt=TEMPLATE.sha256,
    )


def agreement(questions: QuestionSet, labels: Iterable[Classified]) -> Agreement:
    """Kappa of labels with the audited list, over the questions that have both.

    A department is one of the six, or "other". Questions that the list calls borderline, or that
    repeat another, are left out, and so are those without a label: no answer is no "other". An
    unlisted question was audited, as "other", only if the set is the audited split; of any other
    set only the listed ones can be compared.
    """
    whole = is_audited_split(questions.ids)
    pairs = []
    left_out: Counter[Lost] = Counter()
    for row in labels:
        listed = audited().get(row.id)
        if row.id not in questions.ids or (listed is None and not whole):
            continue
        if listed is not None and (listed.label != "clear" or listed.dup_of in questions.ids):
            continue
        if row.lost is not None:
            left_out[row.lost] += 1
            continue
        expected = OTHER if listed is None else listed.department
        pairs.append((expected, row.department if row.department in DEPARTMENTS else OTHER))
    kappa, interval = cohen_kappa([a for a, _ in pairs], [b for _, b in pairs])
    return Agreement(
        kappa=kappa,
        interval=interval,
        n=len(pairs),
        agreed=sum(a == b for a, b in pairs),
        whole=whole,
        left_out=dict(left_out),
    )
