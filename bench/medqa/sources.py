"""Questions from wherever a user says they are."""

import json
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench.core.errors import UserError
from bench.medqa.audit import difference
from bench.medqa.hub import SCHEME, read_hub
from bench.medqa.question import QuestionSet, question_set
from bench.medqa.shapes import is_question
from bench.records.record_files import json_lines, without_none

VARIABLE = "PZBENCH_MEDQA"
SAMPLE = "sample"
SAMPLE_FILE = Path(__file__).with_name("sample.jsonl")
"""Our own questions, reviewed by no clinician."""
ENDINGS = (".jsonl", ".json")
TEST = re.compile(r"(?:^|[_\-. ])test(?:[_\-. ]|$)|^benchmark\.json$", re.IGNORECASE)
"""What names a test file: `phrases_no_exclude_test.jsonl`, but not `latest_train.jsonl`."""
MIRAGE_SET = "medqa"
"""The set taken of MIRAGE's benchmark.json, which holds five."""


def load_questions(source: str | None = None) -> QuestionSet:
    """The questions of a file or folder, of "hub:REPO@REVISION", or the built-in "sample".

    Without a source, the environment variable says where they are. A set that is not the audited
    test split is taken, with a warning that says how it differs.

    Raises:
        UserError: if there is none, or they cannot be read; file and place are named.
    """
    given = source or os.environ.get(VARIABLE)
    if not given:
        raise UserError(
            "no MedQA questions: name a file or folder (--medqa PATH, or the variable "
            f"{VARIABLE}), hub:OWNER/NAME@REVISION, or the built-in sample (--medqa {SAMPLE}); "
            "where the file comes from stands in docs/medqa.md"
        )
    if given == SAMPLE:
        return read_questions(SAMPLE_FILE)
    questions = read_hub(given) if given.startswith(SCHEME) else read_questions(Path(given))
    differs = difference(questions.ids)
    return replace(questions, warnings=(*questions.warnings, differs)) if differs else questions


def read_questions(path: Path) -> QuestionSet:
    """The questions of a file, or of the one test file of a folder.

    Raises:
        UserError: naming file and place of what is wrong, in one sentence.
    """
    file = _test_file(path) if path.is_dir() else path
    if not file.is_file():
        raise UserError(f"there is no file or folder {path} of MedQA questions")
    return question_set(_rows(file), str(file))


def _rows(path: Path) -> Iterator[tuple[str, object]]:
    """The items of a JSON list, of an object by their names, as MIRAGE has them, or of each line.

    Raises:
        UserError: if the file, or naming the line that, is not JSON.
    """
    data = path.read_bytes()
    try:
        whole = without_none(json.loads(data))
    except (ValueError, RecursionError) as error:
        if data.lstrip().startswith(b"["):
            raise UserError(f"{path}: not JSON ({error})") from error
        yield from json_lines(path)
        return
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
