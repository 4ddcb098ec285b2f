"""A multiple-choice question and what it is known by."""

import hashlib

from bench.core.schema import Model
from bench.core.text import folded


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
    question: str
    options: dict[str, str]
    """Texts by letter, from A on."""
    answer_idx: str
    """Letter of the right option among these options; other variants have other letters."""
    meta_info: str = ""
    """Exam step, for instance "step2&3"."""
    department: str | None = None
    """What the question itself says of its department, as those of the built-in sample do."""
    explanation: str | None = None
    name: str = ""
    """What its file calls it."""
    where: str = ""
    """File and line it was read from."""

    @property
    def answer(self) -> str:
        """Text of the right option."""
        return self.options[self.answer_idx]

    def accepts(self, letter: str) -> bool:
        """Whether a letter is right: the gold one, or another option of the same text."""
        return self.options[letter].split() == self.answer.split()
