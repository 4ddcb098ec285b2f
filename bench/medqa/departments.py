"""The department of each question of a set, and how it is known.

Looked up in this order: the audited list, the department that the question itself names (the
built-in sample), labels a language model gave (`pzbench medqa classify`), the rule where it is
sure. Neither a question's own word nor the rule counts in a set that holds audited questions: the
list stands against both, and all that the rule assigns there was read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from bench.medqa.audit import DEPARTMENTS, Clarity, audited
from bench.medqa.question import Question
from bench.medqa.question_files import QuestionSet
from bench.medqa.rule import decide

Source = Literal["own", "audited", "llm", "rule"]


@dataclass(frozen=True)
class Assigned:
    """A question's department."""

    department: str
    label: Clarity
    source: Source


class Departments:
    """The departments of a set's questions."""

    def __init__(
        self, questions: QuestionSet, labels: Mapping[str, Assigned | None] | None = None
    ) -> None:
        """`labels` are those a language model gave, by id; none for a question of no department."""
        self._set = questions
        self._labels = labels or {}
        self._audited = _holds_audited(questions)

    def find(self, question: Question) -> Assigned | None:
        """The department of a question, or none if no source knows one."""
        listed = audited().get(question.id)
        if listed is not None:
            return Assigned(listed.department, listed.label, "audited")
        own = None if self._audited else _own(question)
        if own is not None:
            return Assigned(own, "clear", "own")
        if question.id in self._labels:
            return self._labels[question.id]
        if not self._audited:
            decision = decide(question.question, question.answer)
            if decision is not None and decision.tier == "high":
                return Assigned(decision.department, "clear", "rule")
        return None

    def select(self, *, include_borderline: bool = False) -> dict[str, tuple[Question, ...]]:
        """The independent questions of each of the six departments, in the order of the set.

        Only those that clearly belong there, unless borderline ones are asked for. A question that
        nearly repeats another of the set is left out: it is no further evidence.
        """
        chosen: dict[str, list[Question]] = {name: [] for name in DEPARTMENTS}
        for one in self._set.questions:
            assigned = self.find(one)
            if assigned is None or assigned.department not in chosen or self.repeats(one):
                continue
            if assigned.label == "clear" or include_borderline:
                chosen[assigned.department].append(one)
        return {name: tuple(questions) for name, questions in chosen.items()}

    def repeats(self, question: Question) -> bool:
        """Whether a question nearly repeats another one of the set."""
        listed = audited().get(question.id)
        return listed is not None and listed.dup_of in self._set.ids


def ignored(questions: QuestionSet) -> str:
    """What to say of departments that questions name and that are not used; else nothing."""
    named = [one for one in questions.questions if one.department is not None]
    if _holds_audited(questions):
        unused, why = named, "the audited list says where they belong"
    else:
        unused = [one for one in named if _own(one) is None]
        why = f"none of the six ({', '.join(DEPARTMENTS)})"
    if not unused:
        return ""
    return f"the department that {len(unused)} questions name is not used: {why}"


def _holds_audited(questions: QuestionSet) -> bool:
    return not audited().keys().isdisjoint(questions.ids)


def _own(question: Question) -> str | None:
    """The one of the six that a question names, whatever its case."""
    named = (question.department or "").casefold()
    return next((name for name in DEPARTMENTS if name.casefold() == named), None)
