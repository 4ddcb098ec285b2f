"""Training on records, one after the other (paper section 4.4; Agent Hospital, arXiv 2405.02957).

Shared memory is updated in the order of the records. The questions of one record are asked at the
same time, each knowing what was learned from the records before and nothing of its sisters, whose
texts could give its answer away; what they teach is added together, in their order. So a training
gives the same whatever is asked at once.
"""

from collections import Counter
from collections.abc import Awaitable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from bench.api.context import Context
from bench.api.failure import Failure, guarded
from bench.backbones.prompt import JUDGING, Answer, Prompt, Unreachable
from bench.backbones.requests import ChosenOption, Lesson, Reflect
from bench.backbones.templates import Template
from bench.core.concurrency import ordered_map
from bench.core.schema import Model
from bench.core.text import one_line
from bench.records.record import PatientRecord
from bench.students.answer import OF_FAILURE, ROLE, Answering, Outcome, choose
from bench.students.experience import Experience, ExperienceEntry, Limits, count_words, within
from bench.students.practice import Kind, Practice, PracticeItem
from bench.students.summary import summarize

T = TypeVar("T", bound=BaseModel)
PROMPT = Template(Path(__file__).with_name("reflect.j2"))
RULE_WORDS = 60
"""Words that a rule is asked to have at most; one of more than twice as many is not tried."""
SAYS: dict[Kind, str] = {
    "examination": "Telling examination",
    "diagnosis": "Diagnosis",
    "treatment": "Treated with",
}
MISSING: tuple[Outcome, ...] = ("refused", "invalid", "error")
"""What becomes of an answer or rule that there is not."""


class PracticeStep(Model):
    """What became of one practice question."""

    after: int
    """Place of its record, from 1."""
    record: str
    kind: Kind
    outcome: Outcome
    """Of the first answer; `error` is a request that was rejected."""
    rule: Outcome | Literal["", "kept", "rejected", "long"] = ""
    """Of the rule that a wrong answer gave: kept if the question was then answered right with it,
    rejected if not (or `long`); refused, invalid or error if there was none, or no answer with
    it."""
    text: str = ""
    """The rule."""
    retrieved: tuple[str, ...] = ()
    """Ids of what was shown from memory."""
    reason: str = ""
    """Why an answer or a rule is missing."""
    keys: tuple[str, ...] = ()
    """Journal keys of all exchanges."""


@dataclass(frozen=True)
class Training:
    """What an agent learned from some records."""

    practised: int = 0
    """Records practised on."""
    experience: Experience = field(default_factory=Experience)
    """The case base and the experience base; `experience.after(n)` is what n records taught."""
    steps: tuple[PracticeStep, ...] = ()
    """Every practice question in order; what was not kept stands here too."""

    def count(self) -> dict[str, int]:
        """How often each outcome came and what became of the rules."""
        outcomes = Counter(step.outcome for step in self.steps)
        rules = Counter(step.rule for step in self.steps)
        return {
            "patients without a question": self.practised
            - len({step.after for step in self.steps}),
            "practice questions": len(self.steps),
            **{str(name): outcomes[name] for name in ("right", "wrong", *MISSING)},
            "cases kept": sum(entry.kind == "case" for entry in self.experience.entries),
            "rules kept": rules["kept"],
            "rules rejected": rules["rejected"] + rules["long"],
            "rules missing": sum(rules[name] for name in MISSING),
        }


async def train(
    records: Sequence[PatientRecord],
    context: Context,
    limits: Limits,
    *,
    seed: int,
    condition: str,
    answering: Answering = "words",
) -> Training:
    """Practise on records.

    `condition` says what they are, for instance "patient-zero", and is part of every replicate. A
    training that is interrupted goes on from the journal: what was answered is not asked again.

    Raises:
        Unreachable: an exchange failed and can be tried another day; what would be learned
            without it is not what the records teach. Whatever else fails costs its question.
        UserError: nobody is named for the role "student", or there is no encoder.
    """
    training = Training()
    practice = Practice(records, context.outlines, seed)
    for number, record in enumerate(records, start=1):
        items = practice.items(record)
        where = "/".join(filter(None, (condition, "train", str(number))))
        student = _Student(training.experience, number, where, context, limits, answering)
        steps = [step async for step in ordered_map(student.practise, items, context.at_once)]
        # Nothing is encoded for a record that taught nothing.
        learned = list(_learned(record, number, items, steps))
        experience = await training.experience.plus(learned, context.encoder)
        training = Training(number, experience, (*training.steps, *steps))
    return training


@dataclass(frozen=True)
class _Student:
    """The agent as it is when it meets a record."""

    experience: Experience
    number: int
    where: str
    context: Context
    limits: Limits
    answering: Answering

    async def practise(self, item: PracticeItem) -> PracticeStep:
        """Answer a question and, if wrong, draw a rule."""
        recalled = await self.experience.recall(item.question, self.limits, self.context.encoder)
        step = PracticeStep(
            after=self.number,
            record=item.record,
            kind=item.kind,
            outcome="right",
            retrieved=tuple(entry.id for entry in recalled),
        )
        first = await self._answer(item, recalled, "")
        became: dict[str, Any] = {"keys": first.keys}
        if isinstance(first, Failure):
            became |= {"outcome": OF_FAILURE[first.outcome], "reason": first.reason}
        elif first.value.letter != item.correct:
            became |= {"outcome": "wrong"}
            became |= await self._reflect(item, first.value.letter, recalled, first.keys)
        return step.model_copy(update=became)

    async def _answer(
        self, item: PracticeItem, recalled: Sequence[ExperienceEntry], again: str
    ) -> Answer[ChosenOption] | Failure:
        memory = [entry.text for entry in recalled]
        student, where = self.context.role(ROLE), f"{self._place(item)}{again}"
        asked = (item.question, item.options, memory, where)
        return await _attempt(choose(student, *asked, self.answering))

    async def _reflect(
        self,
        item: PracticeItem,
        letter: str,
        recalled: Sequence[ExperienceEntry],
        keys: tuple[str, ...],
    ) -> dict[str, Any]:
        """What the step says of the rule: its verdict, text, keys and why it is missing.

        It is tried with the options turned and as they stood: neither a rule that only names a
        letter nor a student who likes one passes both.
        """
        lesson = await _attempt(self._lesson(item, item.options[letter]))
        keys += lesson.keys
        if isinstance(lesson, Failure):
            return {"rule": OF_FAILURE[lesson.outcome], "reason": lesson.reason, "keys": keys}
        rule = one_line(lesson.value.rule)
        if not rule:
            return {"rule": "invalid", "reason": "the rule is empty", "keys": keys}
        entry = _rule(item, self.number, 1, rule)
        room = self.limits.budget
        if entry.words > room or count_words(rule) > 2 * RULE_WORDS:
            return {"rule": "long", "text": rule, "keys": keys}
        shown = tuple(within((entry, *recalled), room))
        for way, again in ((item.turned(), "/with-rule"), (item, "/with-rule-again")):
            tried = await self._answer(way, shown, again)
            keys += tried.keys
            told = {"text": rule, "keys": keys}
            if isinstance(tried, Failure):
                return {"rule": OF_FAILURE[tried.outcome], "reason": tried.reason, **told}
            if tried.value.letter != way.correct:
                return {"rule": "rejected", **told}
        return {"rule": "kept", **told}

    async def _lesson(self, item: PracticeItem, given: str) -> Answer[Lesson]:
        known = {"situation": item.question, "given": given, "correct": item.answer}
        messages = PROMPT.messages(**known, words=RULE_WORDS)
        where = f"{self._place(item)}/reflect"
        prompt = Prompt(Reflect(**known), messages, Lesson, JUDGING, where)
        return await self.context.role(ROLE).ask(prompt)

    def _place(self, item: PracticeItem) -> str:
        return f"{self.where}/{item.record}/{item.kind}"


async def _attempt(work: Awaitable[Answer[T]]) -> Answer[T] | Failure:
    """What was answered, or why nothing was.

    Raises:
        Unreachable: what is not answered today may be another day.
    """
    answer = await guarded(work, "", "practice")
    if isinstance(answer, Failure) and answer.outcome == Unreachable.outcome:
        raise Unreachable(answer.reason, answer.keys)
    return answer


def _learned(
    record: PatientRecord, number: int, items: Sequence[PracticeItem], steps: Sequence[PracticeStep]
) -> Iterator[ExperienceEntry]:
    """What a record taught: one case of all that was answered right at once, and its rules."""
    paired = list(zip(items, steps, strict=True))
    solved = [
        f"{SAYS[item.kind]}: {item.answer}." for item, step in paired if step.outcome == "right"
    ]
    if solved:
        about = summarize(record)
        yield ExperienceEntry(
            id=f"case {number}",
            kind="case",
            after=number,
            record=record.id,
            text=f"Case: {about} {' '.join(solved)}",
            about=about,
        )
    kept = [(item, step.text) for item, step in paired if step.rule == "kept"]
    for place, (item, rule) in enumerate(kept, start=1):
        yield _rule(item, number, place, rule)


def _rule(item: PracticeItem, number: int, place: int, rule: str) -> ExperienceEntry:
    return ExperienceEntry(
        id=f"rule {number}.{place}",
        kind="rule",
        after=number,
        record=item.record,
        text=f"Rule: {rule}",
        about=f"{rule}\n{item.question}",
    )
