"""The requests: the typed form of what is asked of a backbone.

A kind says what is wanted and what is known, never which method asks. Language models read the
prompt's messages; the rules read these inputs. A gold answer is never among them.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import AfterValidator

from bench.core.schema import Model, asked
from bench.knowledge.course import Presentation
from bench.knowledge.outline import Outline
from bench.records.label import Label
from bench.records.record import RecordSections, Section

if TYPE_CHECKING:
    from bench.records.dialogue import Exchange


class Request(Model):
    """Base of the requests."""

    kind: ClassVar[str]
    tokens: ClassVar[int] = 4096
    """Most tokens of an answer; the paper's 4,096 (section 4.1.3) where a kind says no other."""


class Subject(Model):
    """What is fixed of the patient to be written."""

    department: str
    disease: str
    gender: Literal["female", "male"]
    age: int
    """Age in years."""


class Write(Request):
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


class Judge(Request):
    """Decide whether each section of a record agrees with the outline (paper section 4.1.2)."""

    kind: ClassVar[str] = "judge"
    tokens: ClassVar[int] = 2_048
    record: RecordSections
    outline: Outline


class Extract(Request):
    """State what a text says as atomic facts."""

    kind: ClassVar[str] = "extract"
    tokens: ClassVar[int] = 1_024
    text: str
    question: str = ""
    """What the text answers, if it is an answer."""


class LabelFacts(Request):
    """Relate each of some statements to each of some facts (paper equation 1)."""

    kind: ClassVar[str] = "label"
    tokens: ClassVar[int] = 2_048
    statements: tuple[str, ...]
    facts: dict[str, str]
    """Facts by id."""
    question: str = ""
    """What the statements answer, if they are one."""


class Turn(Model):
    """One question with its answer."""

    question: str
    answer: str | None = None
    """None for a closing turn of the doctor."""


def turns(exchanges: "Iterable[Exchange]") -> tuple[Turn, ...]:
    """What was said in some exchanges, without what went into it."""
    return tuple(Turn(question=one.question, answer=one.answer) for one in exchanges)


class Rate(Request):
    """Rate a dialogue by a rubric."""

    kind: ClassVar[str] = "rate"
    tokens: ClassVar[int] = 1_024
    rubric: str
    """Name of the rubric, for instance "fluency"; its words are in the prompt."""
    dialogue: tuple[Turn, ...]
    manner: dict[str, str] = {}
    """How the patient was to be, by axis, for instance {"style": "upset"}."""
    low: int
    high: int


class Reply(Request):
    """Answer a doctor's question as the patient."""

    kind: ClassVar[str] = "reply"
    tokens: ClassVar[int] = 512
    memory: str
    """What the patient knows, in the agent's format."""
    manner: dict[str, str] = {}
    """How the patient is to be, by axis."""
    history: tuple[Turn, ...]
    """This round's exchanges so far."""
    question: str
    avoid: tuple[str, ...] = ()
    """Facts that an earlier try contradicted."""


class Ask(Request):
    """Ask the next question as the doctor."""

    kind: ClassVar[str] = "ask"
    tokens: ClassVar[int] = 512
    department: str
    history: tuple[Turn, ...]
    """This round's exchanges so far."""
    left: int
    """Questions left, this one included."""


class ChooseAnswer(Request):
    """Answer a multiple-choice question."""

    kind: ClassVar[str] = "answer"
    tokens: ClassVar[int] = 2_048
    question: str
    options: dict[str, str]
    memory: tuple[str, ...] = ()
    """Cases and rules retrieved for the question."""


class Draft(Request):
    """Draft a part of a disease outline from source texts (paper section 3.1, step 1)."""

    kind: ClassVar[str] = "draft"
    tokens: ClassVar[int] = 16_000
    disease: str
    part: str
    sources: tuple[str, ...]


class Reflect(Request):
    """State a rule that would have avoided a failure."""

    kind: ClassVar[str] = "reflect"
    tokens: ClassVar[int] = 1_024
    situation: str
    given: str
    """The answer that was given."""
    correct: str
    """What the practised record supports; never a test question's gold answer."""


def _given(reasons: str) -> str:
    if not any(letter.isalnum() for letter in reasons):
        raise ValueError("reasons are wanted, in words")
    return reasons


Words = Annotated[str, asked(minLength=1, maxLength=1500)]
"""Reasons that may be missing."""
Reasons = Annotated[Words, AfterValidator(_given)]
"""What an answer rests on; one without any is invalid."""


class SectionVerdict(Model):
    """One section's verdict, reasons first."""

    reasons: Reasons
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


class Labelled(Model):
    """What a statement is to one fact; a fact that is not named is neutral."""

    fact: Annotated[str, asked(minLength=1, maxLength=40)]
    """Id of the fact."""
    label: Label


class StatementLabels(Model):
    """One statement's labels."""

    statement: Annotated[int, asked(minimum=1, maximum=100)]
    """Number of the statement, from 1."""
    labels: Annotated[tuple[Labelled, ...], asked(maxItems=100)]
    """Facts that the statement entails or contradicts; those it is neutral to may be left out."""


class Labels(Model):
    """The answer to `LabelFacts`."""

    statements: Annotated[tuple[StatementLabels, ...], asked(minItems=1, maxItems=40)]


class Extracted(Model):
    """The answer to `Extract`: the smallest self-contained statements, in order."""

    facts: Annotated[tuple[Annotated[str, asked(maxLength=300)], ...], asked(maxItems=40)]


class Rating(Model):
    """The answer to `Rate`, reasons first."""

    reasons: Reasons
    score: int


class ChosenOption(Model):
    """The answer to `ChooseAnswer`, reasons first; asked for with the question's own letters."""

    reasons: Reasons
    """What speaks for the option chosen and against the others."""
    letter: str
    """Letter of the option chosen."""


class Lesson(Model):
    """The answer to `Reflect`, reasons first."""

    reasons: Reasons
    """What was overlooked."""
    rule: Annotated[str, asked(minLength=1, maxLength=600)]
    """What to do in such a situation, in one or two sentences."""
