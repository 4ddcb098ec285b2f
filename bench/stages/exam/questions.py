"""The questions of a run's exam: read, dealt to departments, and known by a hash."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.core.errors import UserError
from bench.medqa.audit import is_audited_split, joining
from bench.medqa.departments import Departments
from bench.medqa.hub import SCHEME
from bench.medqa.labels import DEPARTMENTS, read_labels
from bench.medqa.question import Question, QuestionSet
from bench.medqa.sources import SAMPLE, SAMPLE_FILE, VARIABLE, load_questions
from bench.stages.exam.settings import ExamSettings

UNREVIEWED = "questions written for this project, not reviewed by a clinician: no MedQA score"


@dataclass(frozen=True)
class TestSet:
    """The questions of an exam."""

    __test__ = False

    questions: Mapping[str, tuple[Question, ...]]
    """By department, in the order of the paper's table; departments without any are left out."""
    digest: str
    """sha256 of all questions that the set and its labels give, whatever departments are asked."""
    options: int
    """Options of every question."""
    described: Mapping[str, Any]
    """What the manifest says of them."""
    notes: tuple[str, ...]
    """What is to be said before its figures are trusted."""

    @property
    def all(self) -> list[Question]:
        """Every question, department by department."""
        return [question for several in self.questions.values() for question in several]


def read_test(exam: ExamSettings, departments: tuple[str, ...]) -> TestSet:
    """The questions of an exam in some departments.

    Raises:
        UserError: if they cannot be read, are others than the exam's digest says, or none belongs
            to the departments.
    """
    read = load_questions(exam.questions or os.environ.get(VARIABLE) or SAMPLE)
    dealt = Departments(read, read_labels(exam.labels) if exam.labels else None)
    chosen = dealt.select(include_borderline=exam.include_borderline)
    held = {name: chosen[name] for name in DEPARTMENTS if name in departments and chosen[name]}
    source = _called(read)
    if not held:
        why = "; ".join(dealt.notes()) or "`pzbench medqa show` counts those it has"
        raise UserError(f"{source} has no questions of {', '.join(departments)}: {why}")
    digest = _digest(chosen)
    if exam.digest is not None and exam.digest != digest:
        raise UserError(
            f"{source} is not the set that exam.digest names: its digest is {digest[:12]}..., not "
            f"{exam.digest[:12]}..."
        )
    described = {
        "source": source,
        "digest": digest,
        "options": read.options,
        "audited": is_audited_split(read.ids),
        "ids joined": joining(read.ids),
        "departments by": dealt.described(),
        "questions": {name: len(several) for name, several in held.items()},
    }
    absent = [name for name in departments if name not in held]
    notes = (*read.warnings, *_notes(exam, read, absent), *dealt.notes())
    return TestSet(held, digest, read.options, described, notes)


def _called(read: QuestionSet) -> str:
    """What they are called in tables; no path, so that tables are the same elsewhere."""
    if read.source == str(SAMPLE_FILE):
        return f"the built-in {SAMPLE}"
    return read.source if read.source.startswith(SCHEME) else Path(read.source).name


def _notes(exam: ExamSettings, read: QuestionSet, absent: list[str]) -> Iterator[str]:
    if read.source == str(SAMPLE_FILE):
        yield UNREVIEWED
    if exam.include_borderline:
        yield "with questions that may as well belong to another department"
    if absent:
        yield f"no questions of {', '.join(absent)}"


def _digest(chosen: Mapping[str, tuple[Question, ...]]) -> str:
    rows = [
        (name, one.id, one.options, one.answer_idx)
        for name, questions in chosen.items()
        for one in questions
    ]
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()
