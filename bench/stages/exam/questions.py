"""The questions of a run's exam: read, dealt to departments, and known by a hash."""

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.core.errors import UserError
from bench.medqa.audit import DEPARTMENTS, is_audited_split
from bench.medqa.departments import Departments
from bench.medqa.hub import SCHEME
from bench.medqa.labels import read_labels, unlabelled
from bench.medqa.question import Question
from bench.medqa.question_files import QuestionSet
from bench.medqa.sources import SAMPLE, SAMPLE_FILE, VARIABLE, load_questions
from bench.stages.exam.settings import ExamSettings

UNREVIEWED = "questions written for this project, not reviewed by a clinician: no MedQA score"


@dataclass(frozen=True)
class TestSet:
    """The questions of an exam."""

    __test__ = False

    questions: dict[str, tuple[Question, ...]]
    """By department, in the order of the paper's table; departments without any are left out."""
    digest: str
    """sha256 of all questions that the set and its labels give, whatever departments are asked."""
    options: int
    """Options of every question."""
    source: str
    """What it is called in tables; no path, so that they are the same elsewhere."""
    audited: bool
    """Whether the set is the audited MedQA split, by the hash of its ids."""
    notes: tuple[str, ...]
    """What is to be said before its figures are trusted."""

    @property
    def all(self) -> list[Question]:
        """Every question, department by department."""
        return [question for several in self.questions.values() for question in several]

    def described(self) -> dict[str, Any]:
        """What the manifest says of it."""
        return {
            "source": self.source,
            "digest": self.digest,
            "options": self.options,
            "audited": self.audited,
            "questions": {name: len(several) for name, several in self.questions.items()},
        }


def read_test(exam: ExamSettings, departments: tuple[str, ...]) -> TestSet:
    """The questions of an exam in some departments.

    Raises:
        UserError: if they cannot be read, are others than the exam's digest says, or none belongs
            to the departments.
    """
    found = load_questions(exam.questions or os.environ.get(VARIABLE) or SAMPLE)
    labels = read_labels(exam.labels) if exam.labels else None
    known = Departments(found, labels)
    chosen = known.select(include_borderline=exam.include_borderline)
    held = {name: chosen[name] for name in DEPARTMENTS if name in departments and chosen[name]}
    source = _called(found)
    if not held:
        raise UserError(
            f"{source} has no questions of {', '.join(departments)}: `pzbench medqa show` counts "
            "those it has"
        )
    absent = [name for name in departments if name not in held]
    notes = [*_notes(exam, found, absent), *_dealt(known, held)]
    if labels is not None and (told := unlabelled(found, labels)):
        notes.append(told)
    digest = _digest(chosen)
    if exam.digest is not None and exam.digest != digest:
        raise UserError(
            f"{source} is not the set that exam.digest names: its digest is {digest[:12]}..., not "
            f"{exam.digest[:12]}..."
        )
    return TestSet(
        questions=held,
        digest=digest,
        options=found.options,
        source=source,
        audited=is_audited_split(found.ids),
        notes=tuple(notes),
    )


def _called(found: QuestionSet) -> str:
    if found.source == str(SAMPLE_FILE):
        return f"the built-in {SAMPLE}"
    return found.source if found.source.startswith(SCHEME) else Path(found.source).name


def _notes(exam: ExamSettings, found: QuestionSet, absent: list[str]) -> list[str]:
    notes = list(found.warnings)
    if found.source == str(SAMPLE_FILE):
        notes.append(UNREVIEWED)
    if exam.include_borderline:
        notes.append("with questions that may as well belong to another department")
    if absent:
        notes.append(f"no questions of {', '.join(absent)}")
    return notes


def _dealt(known: Departments, held: dict[str, tuple[Question, ...]]) -> Iterator[str]:
    """How many questions nobody read before they were given a department."""
    found = Counter(
        assigned.source
        for questions in held.values()
        for one in questions
        if (assigned := known.find(one)) is not None
    )
    if found["llm"]:
        yield f"{found['llm']} questions have their department by labels of a language model"
    if found["rule"]:
        yield f"{found['rule']} questions have their department by the rule"


def _digest(chosen: dict[str, tuple[Question, ...]]) -> str:
    rows = [
        (name, one.id, one.options, one.answer_idx)
        for name, questions in chosen.items()
        for one in questions
    ]
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()
