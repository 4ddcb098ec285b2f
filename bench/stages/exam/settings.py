"""The section `exam` of an experiment file."""

from typing import Annotated

from pydantic import Field, model_validator

from bench.api.choice import refuse_twice
from bench.api.stage import FREE, GROWS, StageSettings
from bench.core.schema import AnyPath
from bench.students.answer import Answering
from bench.students.experience import Limits

CURVE = (5, 10, 20, 50, 100)
"""Numbers of patients at which the learning curve is read."""


class ExamSettings(StageSettings):
    """MedQA questions to students, untrained and trained on each method's records (paper 4.4)."""

    questions: Annotated[str | None, FREE] = None
    """File or folder, "hub:OWNER/NAME@REVISION" or "sample"; none for what PZBENCH_MEDQA names, or
    else the sample."""
    labels: Annotated[AnyPath | None, FREE] = None
    """File of departments for questions that the audited list lacks: `pzbench medqa classify`."""
    include_borderline: bool = False
    """Whether questions count that may as well belong elsewhere."""
    cases: int = Field(default=10, gt=0)
    """Patients of each department to practise on, the same for every method; fewer if there are."""
    k_cases: int = Field(default=3, ge=0)
    """Solved cases shown with a question, at most."""
    k_rules: int = Field(default=4, ge=0)
    """Rules shown with a question, at most."""
    budget: int = Field(default=600, ge=0)
    """Words of memory shown with a question, at most."""
    answering: Answering = "words"
    """How questions are answered: in words, or by the letter whose log-probability is the highest,
    as lm-evaluation-harness does; that needs a student that gives log-probabilities."""
    curve: Annotated[tuple[Annotated[int, Field(gt=0)], ...], GROWS] = CURVE
    """Numbers of patients after which all questions are put, too, as far as there are patients."""
    guard: bool = True
    """Whether records that are nearly test questions are left out; they are reported anyway."""
    digest: Annotated[str | None, GROWS] = None
    """sha256 of the questions, which a run fills in; questions of another are refused."""

    @model_validator(mode="after")
    def _told_apart(self) -> "ExamSettings":
        refuse_twice("exam.curve", list(map(str, self.curve)))
        # Only a curve that somebody wrote: the default goes as far as it can.
        last = max(self.curve, default=0) if "curve" in self.model_fields_set else 0
        if last > self.cases and "cases" in self.model_fields_set:
            raise ValueError(
                f"exam.curve names {last}, which is more than the {self.cases} patients of each "
                "department to practise on (exam.cases)"
            )
        return self

    @property
    def limits(self) -> Limits:
        """What may be shown from memory with a question."""
        return Limits(self.k_cases, self.k_rules, self.budget)
