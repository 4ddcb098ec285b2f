"""Departments of questions by a language model: three votes, the list in another order each time.

The gold answer is not shown. All three alike is `clear`, two of three `borderline`, else there is
no department. Every exchange is in the journal.
"""

import random
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from bench.agreement import cohen_kappa
from bench.backbones.asking import Respondent
from bench.backbones.prompt import JUDGING, Prompt
from bench.backbones.tasks import ChooseAnswer
from bench.errors import UserError
from bench.failure import Failure, guarded
from bench.flow import ordered_map
from bench.medqa.audit import DEPARTMENTS, Clarity, audited, is_audited_split
from bench.medqa.departments import Assigned
from bench.medqa.files import QuestionSet
from bench.medqa.question import Question
from bench.model import Model
from bench.prompts import Template
from bench.records.files import checked_as, json_lines
from bench.stats import Interval

TEMPLATE = Template(Path(__file__).with_name("classify.j2"))
PASSES = 3
NONE = "none"
OTHER = "other"
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
CHOICES: tuple[str, ...] = Department.__args__  # type: ignore[attr-defined]


class Vote(Model):
    """The answer to one pass."""

    department: Department
    confidence: float
    """0 to 1, as the model says; kept, and used for nothing."""


class Pass(Model):
    """What one pass gave."""

    department: str | None = None
    """None where there was no answer."""
    confidence: float | None = None
    outcome: str = "answer"
    """"answer", "refusal", "invalid" or "error"."""
    keys: tuple[str, ...] = ()
    """Journal keys of the exchanges."""


class Classified(Model):
    """One line of a label file."""

    id: str
    department: str
    """One of the list, or "none"."""
    label: Clarity | None
    """None where no two passes agreed."""
    votes: tuple[Pass, ...]
    model: str
    """Backbone, with its version where it has one."""
    prompt: str
    """sha256 of the prompt template."""

    @property
    def assigned(self) -> Assigned | None:
        """The department, if there is one."""
        if self.label is None or self.department == NONE:
            return None
        return Assigned(self.department, self.label, "llm")


class Agreement(Model):
    """How far labels agree with the audited list beyond chance."""

    kappa: float | None
    interval: Interval | None
    n: int
    """Questions compared."""
    agreed: int
    whole: bool
    """Whether unlisted questions are compared too, as "other": only in the audited split itself."""

    def __str__(self) -> str:
        value = "n/a" if self.kappa is None else f"{self.kappa:.3f}"
        between = ""
        if self.interval is not None:
            between = f" [{self.interval.low:.3f}, {self.interval.high:.3f}]"
        over = "all questions" if self.whole else "the questions on the list only"
        return (
            f"Cohen's kappa with the audited list: {value}{between}, n = {self.n} "
            f"({self.agreed} agree; six departments and other, {over}, audited borderline left out)"
        )


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
    votes = Counter(one.department for one in passes if one.department is not None)
    department, most = votes.most_common(1)[0] if votes else (NONE, 0)
    label: Clarity | None = None
    if most >= 2:
        label = "clear" if most == PASSES else "borderline"
    return Classified(
        id=question.id,
        department=department if label else NONE,
        label=label,
        votes=tuple(passes),
        model=model,
        prompt=TEMPLATE.sha256,
    )


def read_labels(path: Path) -> dict[str, Assigned | None]:
    """The labels of a file by question id; none for a question of no department.

    Raises:
        UserError: naming the line that is no label.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path} of labels; pzbench medqa classify makes one")
    rows = checked_as(Classified, json_lines(path), str(path))
    return {row.id: row.assigned for row in rows}


def agreement(questions: QuestionSet, labels: Mapping[str, Assigned | None]) -> Agreement:
    """Kappa of labels with the audited list, over the questions that have both.

    A department is one of the six, or "other". Questions that the list calls borderline, or that
    repeat another, are left out. An unlisted question was audited, as "other", only if the set is
    the audited split; of any other set only the listed ones can be compared.
    """
    whole = is_audited_split(questions.ids)
    pairs = []
    for identity in sorted(questions.ids & labels.keys()):
        listed, given = audited().get(identity), labels[identity]
        if listed is None and not whole:
            continue
        if listed is not None and (listed.label != "clear" or listed.dup_of in questions.ids):
            continue
        name = OTHER if given is None else given.department
        pairs.append(
            (OTHER if listed is None else listed.department, name if name in DEPARTMENTS else OTHER)
        )
    kappa, interval = cohen_kappa([a for a, _ in pairs], [b for _, b in pairs])
    agreed = sum(a == b for a, b in pairs)
    return Agreement(kappa=kappa, interval=interval, n=len(pairs), agreed=agreed, whole=whole)
