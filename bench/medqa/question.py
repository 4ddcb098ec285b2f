"""A multiple-choice question, what it is known by, and a checked set of them."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Annotated, Any

from pydantic import StringConstraints, ValidationInfo, field_validator

from bench.core.errors import UserError
from bench.core.schema import Model
from bench.core.text import folded, one_line
from bench.records.record_files import checked_as

Row = tuple[str, Mapping[str, Any]]
"""Where a question stands, for instance "line 3", and its fields."""
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


def question_id(text: str) -> str:
    """The id of a question, in hex: the same whatever its case, spacing and punctuation.

    sha256 of the letters and digits alone (NFKC, case folded), as the department list has it; the
    four- and the five-option file of MedQA give the same ids.
    """
    return hashlib.sha256("".join(filter(str.isalnum, folded(text))).encode()).hexdigest()


class Question(Model):
    """One question with its gold answer, which is never shown to who answers it."""

    id: str
    """`question_id` of the text."""
    question: Text
    options: dict[str, Text]
    """Texts by letter, from A on."""
    answer_idx: str
    """Letter of the right option among these options; other variants have other letters."""
    department: str = ""
    """What the question itself says of its department, as those of the built-in sample do."""

    @field_validator("options")
    @classmethod
    def _lettered(cls, options: dict[str, str]) -> dict[str, str]:
        letters = sorted(options)
        if len(letters) < 2 or letters != list(ascii_uppercase[: len(letters)]):
            raise ValueError(f"not A, B, ... without a gap, but {', '.join(letters) or 'none'}")
        return {letter: options[letter] for letter in letters}

    @field_validator("answer_idx")
    @classmethod
    def _among(cls, letter: str, given: ValidationInfo) -> str:
        options = given.data.get("options")
        if options is not None and letter not in options:
            raise ValueError(f"not a letter of {', '.join(options)}, but {letter[:40]!r}")
        return letter

    @property
    def answer(self) -> str:
        """Text of the right option."""
        return self.options[self.answer_idx]

    def accepts(self, letter: str) -> bool:
        """Whether a letter is right: the gold one, or another option of the same text."""
        return one_line(self.options[letter]) == one_line(self.answer)


@dataclass(frozen=True)
class QuestionSet:
    """Questions of one source, all with the same number of options; none stands twice."""

    questions: tuple[Question, ...]
    source: str
    """What it was read from."""
    warnings: tuple[str, ...] = ()
    """What is to be said before its figures are trusted."""

    @property
    def options(self) -> int:
        """Number of options of every question: the variant."""
        return len(self.questions[0].options)

    @property
    def ids(self) -> frozenset[str]:
        """Ids of the questions."""
        return frozenset(question.id for question in self.questions)


def question_set(rows: Iterable[Row], source: str) -> QuestionSet:
    """The questions of some rows, checked.

    Raises:
        UserError: for no row, one that is no question, one that stands twice, or other options.
    """
    places: dict[str, str] = {}
    questions: list[Question] = []
    for where, fields in rows:
        (question,) = checked_as(Question, [(where, fields)], source)
        if question.id in places:
            raise UserError(f"{source}, {where}: the same question stands in {places[question.id]}")
        if questions and len(question.options) != len(questions[0].options):
            raise UserError(
                f"{source}, {where}: {len(question.options)} options, where those before have "
                f"{len(questions[0].options)}: the variants have letters of their own, keep them "
                "apart"
            )
        places[question.id] = where
        questions.append(question)
    if not questions:
        raise UserError(f"{source} holds no questions")
    return QuestionSet(tuple(questions), source, _ambiguous(questions))


def _ambiguous(questions: Iterable[Question]) -> tuple[str, ...]:
    """A warning of questions with one text for two options."""
    texts = [set(map(one_line, question.options.values())) for question in questions]
    alike = sum(
        len(text) < len(question.options) for text, question in zip(texts, questions, strict=True)
    )
    told = (
        f"{alike} of the questions have the same text for two options: where it is the gold "
        "answer, either letter is right"
    )
    return (told,) if alike else ()
