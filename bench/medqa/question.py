"""A multiple-choice question, and a checked set of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Annotated

from pydantic import StringConstraints, ValidationInfo, field_validator

from bench.core.errors import UserError
from bench.core.schema import Model
from bench.core.text import one_line
from bench.medqa.shapes import question_fields
from bench.records.record_files import checked_as

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


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


def question_set(rows: Iterable[tuple[str, object]], source: str) -> QuestionSet:
    """The questions of some rows, checked; each comes with where it stands, as "line 3".

    Raises:
        UserError: for no row, one that is no question, one that stands twice, or other options.
    """
    fields = ((where, question_fields(row, f"{source}, {where}")) for where, row in rows)
    questions = tuple(checked_as(Question, fields, source))
    if not questions:
        raise UserError(f"{source} holds no questions")
    variants = sorted({len(question.options) for question in questions})
    if len(variants) > 1:
        raise UserError(
            f"{source} holds questions of {' and of '.join(map(str, variants))} options: the "
            "variants have letters of their own, keep them apart"
        )
    alike = sum(
        len(set(map(one_line, question.options.values()))) < len(question.options)
        for question in questions
    )
    warning = (
        f"{alike} of the questions have the same text for two options: where it is the gold "
        "answer, either letter is right"
    )
    return QuestionSet(questions, source, (warning,) if alike else ())
