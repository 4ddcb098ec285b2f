"""The task kinds: the typed form of what is asked of a backbone.

A kind says what is wanted and what is known, never which method asks. Language models read the
prompt's messages; the rules read these inputs. A gold answer is never among them.
"""

from typing import ClassVar, Literal

from bench.knowledge.course import Presentation
from bench.knowledge.outline import Outline
from bench.model import Model
from bench.records.record import RecordSections, Section

Label = Literal["entail", "neutral", "contradict"]


class Task(Model):
    """Base of the task kinds."""

    kind: ClassVar[str]


class Subject(Model):
    """What is fixed of the patient to be written."""

    department: str
    disease: str
    gender: Literal["female", "male"]
    age: int
    """Age in years."""


class Write(Task):
    """Write sections of a patient record (paper section 3.1)."""

    kind: ClassVar[str] = "write"
    wanted: tuple[Section, ...]
    subject: Subject
    outline: Outline | None = None
    """The disease outline, where the method gives it."""
    presentation: Presentation | None = None
    """The drawn course of the illness, where the method gives it."""
    known: dict[Section, object] = {}
    """Sections written before, as JSON values."""


class Judge(Task):
    """Decide whether each section of a record agrees with the outline (paper section 4.1.2)."""

    kind: ClassVar[str] = "judge"
    record: RecordSections
    outline: Outline


class Extract(Task):
    """State what a text says as atomic facts or as the named fields."""

    kind: ClassVar[str] = "extract"
    text: str
    fields: tuple[str, ...] = ()
    """Fields wanted; empty for all atomic facts."""


class LabelTask(Task):
    """Relate a statement to each of some facts (paper equation 1)."""

    kind: ClassVar[str] = "label"
    statement: str
    facts: tuple[str, ...]


class Rate(Task):
    """Rate a text against a rubric."""

    kind: ClassVar[str] = "rate"
    text: str
    rubric: str
    low: int
    high: int


class Turn(Model):
    """One question with its answer."""

    question: str
    answer: str


class Reply(Task):
    """Answer a doctor's question as the patient."""

    kind: ClassVar[str] = "reply"
    memory: str
    """What the patient knows, in the agent's format."""
    style: str
    history: tuple[Turn, ...]
    question: str
    avoid: tuple[str, ...] = ()
    """Facts that an earlier try contradicted."""


class Ask(Task):
    """Ask the next question as the doctor."""

    kind: ClassVar[str] = "ask"
    department: str
    history: tuple[Turn, ...]


class ChooseAnswer(Task):
    """Answer a multiple-choice question."""

    kind: ClassVar[str] = "answer"
    question: str
    options: dict[str, str]
    memory: tuple[str, ...] = ()
    """Cases and rules retrieved for the question."""


class Draft(Task):
    """Draft a part of a disease outline from source texts (paper section 3.1, step 1)."""

    kind: ClassVar[str] = "draft"
    disease: str
    part: str
    sources: tuple[str, ...]


class Reflect(Task):
    """State a rule that would have avoided a failure."""

    kind: ClassVar[str] = "reflect"
    situation: str
    given: str
    """The answer that was given."""
    correct: str
    """What the practised record supports; never a test question's gold answer."""


class SectionVerdict(Model):
    """One section's verdict, reasons first."""

    reasons: str
    """What was compared and what was found."""
    aligned: bool
    """Whether everything in the section agrees with medical standards."""


class Verdict(Model):
    """The answer to `Judge`."""

    basic_information: SectionVerdict
    epidemiology: SectionVerdict
    disease_information: SectionVerdict
    examination_results: SectionVerdict

    @property
    def accurate(self) -> bool:
        """Whether every section is aligned."""
        return all(section.aligned for _, section in self)
