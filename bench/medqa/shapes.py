"""The shapes in which a question comes, each made into the fields of a `Question`.

- MedQA, with four or five options: `question`, `options` by letter, `answer_idx`, and the gold text
  in `answer`. Its Parquet copies hold the same, and null for an option that a question lacks.
- MIRAGE: `question`, `options`, and a letter in `answer`.
- The hub's copy for lm-eval: `sent1`, perhaps `sent2`, `ending0` and on, and the number of the
  right ending in `label`.

A letter is read with the options of its own row only: the four- and the five-option file have the
same questions with other letters. Any row may say its `department`.
"""

import hashlib
from itertools import count, takewhile
from string import ascii_uppercase
from typing import Any

from bench.core.errors import UserError
from bench.core.text import folded

SHAPES = (
    "a row has `question`, `options` and `answer_idx` (MedQA), `question`, `options` and a letter "
    "in `answer` (MIRAGE), or `sent1`, `ending0` ... and `label`"
)


def question_id(text: str) -> str:
    """The id of a question, in hex: the same whatever its case, spacing and punctuation.

    sha256 of the letters and digits alone (NFKC, case folded), as the department list has it; the
    four- and the five-option file of MedQA give the same ids.
    """
    return hashlib.sha256("".join(filter(str.isalnum, folded(text))).encode()).hexdigest()


def is_question(row: object) -> bool:
    """Whether a value looks like a row of a question, well formed or not."""
    return isinstance(row, dict) and ("question" in row or "sent1" in row)


def question_fields(row: object, where: str) -> dict[str, Any]:
    """The fields of the question that a row holds.

    Raises:
        UserError: saying where it stands and what is wrong, in one sentence.
    """
    if not isinstance(row, dict) or not is_question(row):
        raise UserError(f"{where}: this is no question: {SHAPES}")
    fields = _with_endings(row) if "sent1" in row else _with_options(row, where)
    text = str(fields["question"])
    return {"id": question_id(text), **fields, "department": row.get("department") or ""}


def _with_endings(row: dict[str, Any]) -> dict[str, Any]:
    names = takewhile(row.__contains__, (f"ending{number}" for number in count()))
    options = dict(zip(ascii_uppercase, (row[name] for name in names), strict=False))
    letters = {str(number): letter for number, letter in enumerate(options)}
    label = str(row.get("label"))
    sentences = [row["sent1"], row.get("sent2") or ""]
    texts = all(isinstance(sentence, str) for sentence in sentences)
    return {
        "question": " ".join(sentences) if texts else sentences,
        "options": options,
        "answer_idx": letters.get(label, f"label {label}"),
    }


def _with_options(row: dict[str, Any], where: str) -> dict[str, Any]:
    options, answer = row.get("options"), row.get("answer")
    letter = row.get("answer_idx", answer)
    if isinstance(options, dict) and isinstance(letter, str) and "answer_idx" in row:
        right = options.get(letter)
        if isinstance(right, str) and answer is not None and right.strip() != str(answer).strip():
            raise UserError(
                f"{where}: the gold letter is {letter} ({right[:60]!r}), the gold answer "
                f"{str(answer)[:60]!r}: they are not of the same set of options"
            )
    return {"question": row.get("question"), "options": options, "answer_idx": letter}
