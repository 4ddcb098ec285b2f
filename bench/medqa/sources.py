"""Questions from wherever a user says they are."""

import os
from dataclasses import replace
from pathlib import Path

from bench.core.errors import UserError
from bench.medqa.audit import difference
from bench.medqa.hub import SCHEME, read_hub
from bench.medqa.question import QuestionSet
from bench.medqa.question_files import read_questions

VARIABLE = "PZBENCH_MEDQA"
SAMPLE = "sample"
SAMPLE_FILE = Path(__file__).with_name("sample.jsonl")
"""Our own questions, reviewed by no clinician."""


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
