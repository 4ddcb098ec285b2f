"""Departments of questions by a language model: three votes, the list in another order each time.

The gold answer is not shown. All three alike is `clear`, two of three `borderline`, else there is
no label, which is not the label "none". Every exchange is in the journal.
"""

import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, model_validator

from bench.api.failure import Failure, guarded
from bench.backbones.prompt import JUDGING, Prompt
from bench.backbones.requests import ChooseAnswer
from bench.backbones.respondent import Respondent
from bench.backbones.templates import Template
from bench.core.concurrency import ordered_map
from bench.core.errors import UserError
from bench.core.schema import Model
from bench.medqa.audit import DEPARTMENTS, Clarity, audited, is_audited_split
from bench.medqa.departments import Assigned
from bench.medqa.question import Question
from bench.medqa.question_files import QuestionSet
from bench.records.record_files import checked_as, json_lines
from bench.scoring.agreement import cohen_kappa
from bench.scoring.intervals import Interval

TEMPLATE = Template(Path(__file__).with_name("classify.j2"))
PASSES = 3
NONE: Literal["none"] = "none"
OTHER = "other"
FEW = 30
"""Questions below which kappa's large-sample interval is not to be relied on."""
Department = Literal[
    "Cardiology",
    "Dermatology",
    "Emergency Medicine",
    "Endocrinology",
    "Gastroenterology",
    "General Surgery",
    "Hematology",
    "Infectious Diseases",
    "Nephrology",
    "Neurology",
    "Neurosurgery",
    "Obstetrics and Gynecology",
    "Oncology",
    "Ophthalmology",
    "Orthopedics",
    "Otolaryngology",
    "Pediatrics",
    "Psychiatry",
    "Respiratory Medicine",
    "Rheumatology",
    "Urology",
    "Anatomy",
    "Biochemistry",
    "Biostatistics and Epidemiology",
    "Genetics",
    "Immunology",
    "Internal Medicine",
    "Medical Ethics",
    "Microbiology",
    "Pathology",
    "Pharmacology",
    "Physiology",
    "none",
]
"""21 clinical departments and 11 other subjects, as many as Agent Hospital (arXiv 2405.02957v3)
has; it prints no list, so beyond those it names the choice is ours."""
CHOICES: tuple[Department, ...] = get_args(Department)
Lost = Literal["refused", "invalid", "no two alike"]
LOST: tuple[Lost, ...] = get_args(Lost)


class Vote(Model):
    """The answer to one pass."""

    department: Department
    confidence: float = Field(ge=0, le=1)
    """0 to 1, as the model says; kept, and used for nothing."""


class Pass(Model):
    """What one pass gave."""

    department: Department | None = None
    """None where there was no answer."""
    confidence: float | None = Field(default=None, ge=0, le=1)
    outcome: str = "answer"
    """"answer", "refusal", "invalid" or "error"."""
    keys: tuple[str, ...] = ()
    """Journal keys of the exchanges."""


class Classified(Model):
    """One line of a label file."""

    id: str
    department: Department
    """One of the list, or "none"."""
    label: Clarity | None = None
    """None where no two passes agreed."""
    votes: tuple[Pass, ...]
    model: str
    """Backbone, with its version where it has one."""
    prompt: str
    """sha256 of the prompt template."""

    @model_validator(mode="after")
    def _follows(self) -> "Classified":
        """Refuse a line whose label was changed by hand, or miscounted."""
        if self.votes and (self.department, self.label) != (told := _decided(self.votes)):
            raise ValueError(
                f"the votes give {told[0]} ({told[1] or 'no two alike'}), "
                f"the line says {self.department} ({self.label or 'no two alike'})"
            )
        return self

    @property
    def assigned(self) -> Assigned | None:
        """The department; none where the model said there is none, or where there is no label."""
        if self.label is None or self.department == NONE:
            return None
        return Assigned(self.department, self.label, "llm")

    @property
    def lost(self) -> Lost | None:
        """Why there is no label, if there is none."""
        if self.label is not None:
            return None
        outcomes = Counter(vote.outcome for vote in self.votes)
        if outcomes["answer"] >= 2 or not self.votes:
            return "no two alike"
        return "refused" if outcomes["refusal"] >= outcomes["invalid"] else "invalid"


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
    department, label = _decided(passes)
    return Classified(
        id=question.id,
        department=department,
        label=label,
        votes=tuple(passes),
        model=model,
        prompt=TEMPLATE.sha256,
    )


def _decided(passes: Iterable[Pass]) -> tuple[Department, Clarity | None]:
    votes = Counter(one.department for one in passes if one.department is not None)
    department, most = votes.most_common(1)[0] if votes else (NONE, 0)
    if most < 2:
        return NONE, None
    return department, "clear" if most == PASSES else "borderline"


def read_classified(path: Path) -> list[Classified]:
    """The lines of a label file.

    Raises:
        UserError: naming the line that is no label.
    """
    try:
        if not path.exists():
            raise UserError(f"there is no file {path} of labels; pzbench medqa classify makes one")
        if not path.is_file():
            raise UserError(f"the labels {path} are no regular file: name the file that holds them")
        return list(checked_as(Classified, json_lines(path), str(path)))
    except OSError as error:
        raise UserError(f"the labels {path} cannot be read ({error.strerror})") from error


def read_labels(path: Path) -> dict[str, Assigned | None]:
    """The labels of a file by question id; none where the model found no department.

    A question that was refused, answered invalidly or with three different departments has no
    label, and is left to whoever is asked next.

    Raises:
        UserError: naming the line that is no label.
    """
    return {row.id: row.assigned for row in read_classified(path) if row.lost is None}


def unlabelled(questions: QuestionSet, labels: Mapping[str, Assigned | None]) -> str:
    """What to say of labels that belong to none of the questions; nothing where one does."""
    if not questions.ids.isdisjoint(labels):
        return ""
    return (
        f"0 of {len(questions.ids)} questions have a label: is this the label file made for them?"
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
