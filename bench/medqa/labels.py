"""Departments in a file of the user's: by a language model (`pzbench medqa classify`) or by hand.

A line needs no more than `{"id": ..., "department": ...}`.
"""

from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, field_validator

from bench.core.errors import UserError
from bench.core.registry import nearest
from bench.core.schema import Model
from bench.records.record_files import checked_as, json_lines

DEPARTMENTS = (
    "Psychiatry",
    "Urology",
    "Orthopedics",
    "Ophthalmology",
    "Endocrinology",
    "General Surgery",
)
"""The six of the paper's Table 5, in its order."""
Clarity = Literal["clear", "borderline"]
OTHERS = (
    "Cardiology", "Dermatology", "Emergency Medicine", "Gastroenterology", "Hematology",
    "Infectious Diseases", "Nephrology", "Neurology", "Neurosurgery", "Obstetrics and Gynecology",
    "Oncology", "Otolaryngology", "Pediatrics", "Respiratory Medicine", "Rheumatology",
    "Anatomy", "Biochemistry", "Biostatistics and Epidemiology", "Genetics", "Immunology",
    "Internal Medicine", "Medical Ethics", "Microbiology", "Pathology", "Pharmacology",
    "Physiology",
)  # fmt: skip
NONE = "none"
CHOICES = (*DEPARTMENTS, *OTHERS, NONE)
"""21 clinical departments and 11 other subjects, as many as Agent Hospital (arXiv 2405.02957v3)
has; it prints no list, so beyond those it names the choice is ours."""


class Label(Model):
    """One line of a label file; what else it says is for its readers."""

    model_config = ConfigDict(extra="allow")

    id: str
    """`question_id` of the question."""
    department: str
    """One of the list, or "none"."""
    label: Clarity | Literal["undecided"] = "clear"
    """How sure it is; undecided where no two votes agreed, which is no label."""

    @field_validator("department")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in CHOICES:
            raise ValueError(f"there is no department {name!r}{nearest(name, list(CHOICES))}")
        return name


def read_labels(path: Path) -> dict[str, Label]:
    """The labels of a file by question id; undecided ones are left out.

    Raises:
        UserError: if there is no such file, or naming the line that is no label.
    """
    if not path.is_file():
        raise UserError(f"there is no file {path} of labels: `pzbench medqa classify` makes one")
    rows = checked_as(Label, json_lines(path), str(path))
    return {row.id: row for row in rows if row.label != "undecided"}
