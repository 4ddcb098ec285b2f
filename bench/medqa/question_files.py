"""The rows of a file of questions, and the test file of a folder."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from bench.core.errors import UserError
from bench.medqa.question import QuestionSet, Row, question_set
from bench.medqa.shapes import is_question, question_fields
from bench.records.record_files import json_lines, without_none

ENDINGS = (".jsonl", ".json")
TEST = re.compile(r"(?:^|[_\-. ])test(?:[_\-. ]|$)|^benchmark\.json$", re.IGNORECASE)
"""What names a test file: `phrases_no_exclude_test.jsonl`, but not `latest_train.jsonl`."""
MIRAGE_SET = "medqa"
"""The set taken of MIRAGE's benchmark.json, which holds five."""


def read_questions(path: Path) -> QuestionSet:
    """The questions of a file, or of the one test file of a folder.

    Raises:
        UserError: naming file and place of what is wrong, in one sentence.
    """
    try:
        file = _test_file(path) if path.is_dir() else path
        if not file.is_file():
            raise UserError(f"there is no file or folder {path} of MedQA questions")
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise UserError(f"{str(path)[:250]} cannot be read ({error.strerror})") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{file} is no UTF-8 text: give JSON Lines or a JSON list, unpacked"
        ) from error
    return question_set(_rows(file, text), str(file))


def _rows(path: Path, text: str) -> Iterator[Row]:
    """The questions of a file in its order, whatever holds them.

    Raises:
        UserError: naming the line that is not JSON, or the value that is no question.
    """
    for where, value in json_lines(path) if _is_lines(path, text) else _items(path, text):
        yield where, question_fields(value, f"{path}, {where}")


def _is_lines(path: Path, text: str) -> bool:
    """Whether there is one question a line, as in hub copies named `.json`, too."""
    start = text.lstrip()
    if path.suffix.lower() != ".json":
        return not start.startswith("[")
    try:
        return is_question(json.loads(start.partition("\n")[0]))
    except (ValueError, RecursionError):
        return False


def _items(path: Path, text: str) -> Iterator[tuple[str, object]]:
    """The items of a JSON list, or of an object by their names, as MIRAGE has them."""
    try:
        whole = without_none(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not JSON ({error})") from error
    if isinstance(whole, dict):
        whole = whole.get(MIRAGE_SET, whole)
    if isinstance(whole, dict) and not is_question(whole):
        yield from whole.items()
    else:
        items = whole if isinstance(whole, list) else [whole]
        yield from ((f"question {number}", item) for number, item in enumerate(items, start=1))


def _test_file(folder: Path) -> Path:
    """The file of a folder to read: its only one, or the only one named a test."""
    files = [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in ENDINGS
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]
    chosen = [path for path in files if TEST.search(path.name)] or files
    if not chosen:
        raise UserError(f"{folder} holds no questions (no .jsonl or .json file)")
    if len(chosen) > 1:
        names = ", ".join(path.relative_to(folder).as_posix() for path in chosen[:6])
        raise UserError(f"{folder} holds several question files ({names}): name one of them")
    return chosen[0]
