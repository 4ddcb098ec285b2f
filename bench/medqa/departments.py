"""The department of each question of a set, and how it is known."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from bench.medqa.audit import audited, is_audited_split
from bench.medqa.labels import DEPARTMENTS, Clarity, Label
from bench.medqa.question import Question, QuestionSet

Source = Literal["audited list", "labels", "own field"]
SOURCES: tuple[Source, ...] = ("audited list", "labels", "own field")
"""Whose word on a department counts, the first before the others."""
SHOWN = 6
"""Other departments named in a note, at most."""


@dataclass(frozen=True)
class Assigned:
    """A question's department."""

    department: str
    """One of the six, or whatever else the source says."""
    label: Clarity
    source: Source


def department_of(question: Question, labels: Mapping[str, Label]) -> Assigned | None:
    """The department of a question by the first of the `SOURCES` that says one; else none."""
    for source, known in zip(SOURCES, (audited(), labels), strict=False):
        if (label := known.get(question.id)) is not None and label.label != "undecided":
            return Assigned(label.department, label.label, source)
    named = question.department.casefold()
    own = next((name for name in DEPARTMENTS if name.casefold() == named), question.department)
    return Assigned(own, "clear", "own field") if own else None


class Departments:
    """The questions of a set, dealt to their departments."""

    def __init__(self, questions: QuestionSet, labels: Mapping[str, Label] | None = None) -> None:
        """`labels` are the user's, by question id."""
        self._set = questions
        self.assigned = [department_of(one, labels or {}) for one in questions.questions]
        """Of each question in order; none where no source knows one."""
        self.without = self.assigned.count(None)
        """Questions whose department nobody says."""

    def select(self, *, include_borderline: bool = False) -> dict[str, tuple[Question, ...]]:
        """The independent questions of each of the six departments, in the order of the set.

        Only those that clearly belong there, unless borderline ones are asked for. A question that
        nearly repeats another of the set is left out: it is no further evidence.
        """
        chosen: dict[str, list[Question]] = {name: [] for name in DEPARTMENTS}
        for question, assigned in zip(self._set.questions, self.assigned, strict=True):
            if assigned is None or assigned.department not in chosen or self._repeats(question):
                continue
            if assigned.label == "clear" or include_borderline:
                chosen[assigned.department].append(question)
        return {name: tuple(questions) for name, questions in chosen.items()}

    def _repeats(self, question: Question) -> bool:
        """Whether a question nearly repeats another one of the set."""
        listed = audited().get(question.id)
        return listed is not None and listed.dup_of in self._set.ids

    def described(self) -> dict[str, Any]:
        """How many of the set's questions have their department by which source."""
        by = Counter(assigned.source for assigned in self.assigned if assigned)
        return {source: by[source] for source in SOURCES} | {"without": self.without}

    def notes(self) -> Iterator[str]:
        """What is to be said of questions left out, and of the labels."""
        if self.without and not is_audited_split(self._set.ids):
            yield (
                f"{self.without} of {len(self._set.questions)} questions have no department and "
                "are left out: to use them, name theirs in a labels file (--labels; `pzbench medqa "
                "classify` makes one) or in the field `department` of their rows"
            )
        given = [assigned for assigned in self.assigned if assigned]
        others = Counter(one.department for one in given if one.department not in DEPARTMENTS)
        if others:
            names = ", ".join(f"{count} of {name}" for name, count in others.most_common(SHOWN))
            yield f"questions of departments beyond the six are left out: {names}"
        labelled = sum(one.source == "labels" for one in given)
        if labelled:
            yield f"{labelled} questions have their department by the labels file"
