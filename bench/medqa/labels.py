"""Departments that a language model gave to questions: the file of labels, and how to read it.

All three votes alike is `clear`, two of three `borderline`, else there is no label, which is not
the label "none".
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, get_args

from pydantic import Field, model_validator

from bench.core.errors import UserError
from bench.core.schema import Model
from bench.medqa.audit import Clarity
from bench.medqa.departments import Assigned
from bench.medqa.question_files import QuestionSet
from bench.records.record_files import checked_as, json_lines

PASSES = 3
NONE: Literal["none"] = "none"
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
        if self.votes and (self.department, self.label) != (counted := decided(self.votes)):
            raise ValueError(
                f"the votes give {counted[0]} ({counted[1] or 'no two alike'}), "
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


def decided(passes: Iterable[Pass]) -> tuple[Department, Clarity | None]:
    """The department of the votes, and how clear it is; no label where no two are alike."""
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
