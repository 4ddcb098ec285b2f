"""Questions from a local file or folder, checked as a set."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.errors import UserError
from bench.medqa.question import Question
from bench.medqa.rows import Row, read_rows
from bench.medqa.shapes import parse_row

ENDINGS = (".jsonl", ".json")


@dataclass(frozen=True)
class QuestionSet:
    """Questions of one file, all with the same number of options; none stands twice."""

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
        return frozenset(one.id for one in self.questions)


def read_questions(path: Path) -> QuestionSet:
    """The questions of a file, or of the one test file of a folder.

    Raises:
        UserError: naming file and line of what is wrong, in one sentence.
    """
    found = _test_file(path) if path.is_dir() else path
    if not found.is_file():
        raise UserError(f"there is no file or folder {path} of MedQA questions")
    return question_set(read_rows(found), str(found))


def question_set(rows: Iterable[Row], source: str) -> QuestionSet:
    """The questions of some rows, checked.

    Raises:
        UserError: for no row, one that is no question, one that stands twice, or other options.
    """
    questions: dict[str, Question] = {}
    first: Question | None = None
    for place, name, row in rows:
        one = parse_row(row, f"{source}, {place}", name)
        first = first or one
        if len(one.options) != len(first.options):
            raise UserError(
                f"{one.where}: {len(one.options)} options, where {first.where} has "
                f"{len(first.options)}: the variants have letters of their own, keep them apart"
            )
        if one.id in questions:
            raise UserError(f"{one.where}: the same question stands in {questions[one.id].where}")
        questions[one.id] = one
    if not questions:
        raise UserError(f"{source} holds no questions")
    return QuestionSet(tuple(questions.values()), source)


def _test_file(folder: Path) -> Path:
    """The file of a folder to read: its only one, or the only one named a test."""
    files = sorted(path for path in folder.rglob("*") if path.suffix in ENDINGS and path.is_file())
    tests = [path for path in files if "test" in path.stem or path.name == "benchmark.json"]
    found = tests or files
    if not found:
        raise UserError(f"{folder} holds no questions (no .jsonl or .json file)")
    if len(found) > 1:
        names = ", ".join(path.relative_to(folder).as_posix() for path in found[:6])
        raise UserError(f"{folder} holds several question files ({names}): name one of them")
    return found[0]
