"""Questions from a local file or folder, checked as a set."""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.core.errors import UserError
from bench.medqa.question import Question
from bench.medqa.rows import PACKED, Row, read_rows
from bench.medqa.shapes import parse_row

ENDINGS = (".jsonl", ".json")
TEST = re.compile(r"(?:^|[_\-. ])test(?:[_\-. ]|$)", re.IGNORECASE)
"""What names a test file: `phrases_no_exclude_test.jsonl`, but not `latest_train.jsonl`."""


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
    name = shorten(str(path))
    try:
        file = _test_file(path) if path.is_dir() else path
        kind = file.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UserError(f"there is no file or folder {name} of MedQA questions") from error
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        why = (isinstance(error, OSError) and error.strerror) or error
        place = shorten(str((isinstance(error, OSError) and error.filename) or path))
        raise UserError(f"{place} cannot be read ({why}): name another file or folder") from error
    if not stat.S_ISREG(kind):
        raise UserError(f"{name} is a pipe or device: give a regular file of MedQA questions")
    return question_set(read_rows(file), str(file))


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
    checked = tuple(questions.values())
    return QuestionSet(checked, source, tuple(_repeating(checked)))


def _repeating(questions: Iterable[Question]) -> Iterator[str]:
    """A warning of questions with one text for two options."""
    alike = [
        one
        for one in questions
        if len({" ".join(text.split()) for text in one.options.values()}) < len(one.options)
    ]
    if alike:
        yield (
            f"{len(alike)} of the questions, the first in {alike[0].where}, have the same text "
            "for two options: where it is the gold answer, either letter is right"
        )


def _test_file(folder: Path) -> Path:
    """The file of a folder to read: its only one, or the only one named a test."""
    files = sorted(_files(folder))
    ready = [path for path in files if path.suffix.lower() in ENDINGS]
    packed = [path for path in files if path.suffix.lower() in PACKED]
    choices = ([*filter(_is_test, ready)], [*filter(_is_test, packed)], ready, packed)
    chosen = next((several for several in choices if several), [])
    if not chosen:
        raise UserError(f"{folder} holds no questions (no .jsonl or .json file)")
    if len(chosen) > 1:
        names = ", ".join(path.relative_to(folder).as_posix() for path in chosen[:6])
        raise UserError(f"{folder} holds several question files ({names}): name one of them")
    return chosen[0]


def _files(folder: Path) -> Iterator[Path]:
    """What lies in a folder and those in it, hidden files left out.

    Raises:
        OSError: for one that cannot be looked into: what it holds might be the file meant.
    """

    def fail(error: OSError) -> None:
        raise error

    for inside, folders, names in os.walk(folder, onerror=fail):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        paths = (Path(inside, name) for name in sorted(names) if not name.startswith("."))
        yield from (path for path in paths if path.is_file())


def _is_test(path: Path) -> bool:
    return TEST.search(path.name) is not None or path.name.casefold() == "benchmark.json"


def shorten(name: str) -> str:
    """A file's name, short enough for a sentence."""
    return name if len(name) <= 250 else f"{name[:80]}..."
