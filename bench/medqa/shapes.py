"""The three shapes of a row, and one question made of each.

Original (MedQA; four or five options), `sent1`/`ending0`-`ending3`/`label` (the hub's copy for
lm-eval), and MIRAGE (`answer` is a letter). A letter is read with the options of its own row only:
the four- and the five-option file have the same questions with other letters.
"""

import re
from string import ascii_uppercase
from typing import Any

from bench.core.errors import UserError
from bench.medqa.question import Question, question_id

LONGEST = 100_000
"""Characters of a question with its options; MedQA's are under 5,000."""
SHAPES = (
    "a row has `question`, `options` and `answer_idx` (MedQA), `question`, `options` and a letter "
    "in `answer` (MIRAGE), or `sent1`, `ending0` ... and `label`"
)


def parse_row(row: object, where: str, name: str = "") -> Question:
    """The question that a row holds.

    Raises:
        UserError: saying where it stands and what is wrong, in one sentence.
    """
    if not isinstance(row, dict):
        raise UserError(f"{where}: a question is a JSON object, not {type(row).__name__}")
    if "sent1" in row:
        text = _sentences(row, where)
        options = _endings(row, where)
        gold = _label(row, options, where)
    elif "question" in row and "options" in row:
        text, options = _text(row, "question", where), _options(row["options"], where)
        gold = _letter(row, options, where)
    else:
        raise UserError(f"{where}: this is no question: {SHAPES}")
    length = len(text) + sum(map(len, options.values()))
    if length > LONGEST:
        raise UserError(
            f"{where}: {length:,} characters are more than a question has ({LONGEST:,} at most)"
        )
    return Question(
        id=question_id(text),
        question=text,
        options=options,
        answer_idx=gold,
        meta_info=_optional(row, "meta_info", where) or "",
        department=_optional(row, "department", where),
        explanation=_optional(row, "explanation", where),
        name=name or str(row.get("id", "")),
        where=where,
    )


def _text(row: dict[str, Any], field: str, where: str) -> str:
    value = row.get(field)
    if not isinstance(value, str) or not any(one.isalnum() for one in value):
        raise UserError(f"{where}: {field} is to be a text, and is {_shown(value)}")
    return value.strip()


def _sentences(row: dict[str, Any], where: str) -> str:
    first, second = _text(row, "sent1", where), row.get("sent2")
    if second is not None and not isinstance(second, str):
        raise UserError(f"{where}: sent2 is to be a text, and is {_shown(second)}")
    return f"{first} {second or ''}".strip()


def _optional(row: dict[str, Any], field: str, where: str) -> str | None:
    return _text(row, field, where) if row.get(field) not in (None, "") else None


def _options(given: object, where: str) -> dict[str, str]:
    if not isinstance(given, dict):
        raise UserError(f"{where}: options are to be an object of letters, not {_shown(given)}")
    letters = sorted(str(letter) for letter in given)
    if len(letters) < 2 or letters != list(ascii_uppercase[: len(letters)]):
        raise UserError(
            f"{where}: options are to be A, B, ... without a gap, not {', '.join(letters) or None}"
        )
    for letter in letters:
        if not isinstance(given[letter], str) or not given[letter].strip():
            raise UserError(
                f"{where}: option {letter} is to be a text, not {_shown(given[letter])}"
            )
    return {letter: given[letter].strip() for letter in letters}


def _endings(row: dict[str, Any], where: str) -> dict[str, str]:
    endings = sorted(name for name in row if name.startswith("ending"))
    wanted = [f"ending{at}" for at in range(len(endings))]
    if endings != wanted:
        raise UserError(
            f"{where}: endings are to be ending0, ending1, ..., not {', '.join(endings)}"
        )
    texts = zip(ascii_uppercase, (row[name] for name in wanted), strict=False)
    return _options(dict(texts), where)


def _label(row: dict[str, Any], options: dict[str, str], where: str) -> str:
    label = row.get("label")
    number = int(label) if isinstance(label, str) and re.fullmatch(r"\d{1,3}", label) else label
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < len(options):
        raise UserError(f"{where}: label is to be 0 to {len(options) - 1}, not {_shown(label)}")
    return list(options)[number]


def _letter(row: dict[str, Any], options: dict[str, str], where: str) -> str:
    """The gold letter; the gold text, where the row has one, must be that option's."""
    field = "answer_idx" if "answer_idx" in row else "answer"
    letter = row.get(field)
    if not isinstance(letter, str) or letter not in options:
        raise UserError(
            f"{where}: {field} is to be a letter of {', '.join(options)}, not {_shown(letter)}"
        )
    answer = row.get("answer", letter)
    if field == "answer_idx" and "answer" in row and str(answer).strip() != options[letter]:
        raise UserError(
            f"{where}: the gold letter is {letter} ({_shown(options[letter])}), "
            f"the gold answer {_shown(answer)}: they are not of the same set of options"
        )
    return letter


def _shown(value: object) -> str:
    """A foreign value, short enough for a sentence."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 60 else f"{text[:57]}..."
