"""Training on records, one after the other (paper section 4.4; Agent Hospital, arXiv 2405.02957).

Shared memory is updated in the order of the records. The questions of one record are asked at the
same time, each knowing what was learned from the records before and nothing of its sisters, whose
texts could give its answer away; what they teach is added together, in their order. So a training
gives the same whatever is asked at once.
"""

from collections import Counter
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args

from pydantic import BaseModel

from bench.api.context import Context
from bench.api.failure import Failure, guarded
from bench.backbones.prompt import JUDGING, Answer, Prompt, Unreachable
from bench.backbones.requests import ChosenOption, Lesson, Reflect
from bench.backbones.templates import Template
from bench.core.concurrency import ordered_map
from bench.core.errors import UserError
from bench.core.schema import Model
from bench.records.record import PatientRecord
from bench.students.choice import ROLE, choose
from bench.students.experience import Experience, ExperienceEntry, Recalled, within
from bench.students.practice import Kind, Practice, PracticeItem
from bench.students.summary import summarize
from bench.students.training_settings import TrainSettings, count_words

T = TypeVar("T", bound=BaseModel)
PROMPT = Template(Path(__file__).with_name("reflect.j2"))
Missing = Literal["refused", "invalid", "error"]
MISSING: dict[str, Missing] = {"refusal": "refused", "invalid": "invalid", "error": "error"}
"""Our names of the outcomes of an exchange that failed for good."""
RULE_WORDS = 60
"""Words that a rule is asked to have at most; one of more than twice as many is not tried."""
SAYS: dict[Kind, str] = {
    "examination": "Telling examination",
    "diagnosis": "Diagnosis",
    "treatment": "Treated with",
}
Verdict = Missing | Literal["", "kept", "rejected", "long"]


class PracticeStep(Model):
    """What became of one practice question."""

    after: int
    """Place of its record, from 1."""
    record: str
    kind: Kind
    outcome: Missing | Literal["right", "wrong"]
    """Of the first answer; `error` is a request that was rejected."""
    rule: Verdict = ""
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
    """What an agent knows after some records."""

    settings: TrainSettings
    practised: int = 0
    """Records practised on."""
    experience: Experience = field(default_factory=Experience)
    """The case base and the experience base."""
    steps: tuple[PracticeStep, ...] = ()
    """Every practice question in order; what was not kept stands here too."""

    def after(self, cases: int) -> "Training":
        """What was known after the first records.

        Raises:
            UserError: if fewer were practised on.
        """
        if not 0 <= cases <= self.practised:
            raise UserError(f"{self.practised} cases were practised on, not {cases}")
        steps = tuple(step for step in self.steps if step.after <= cases)
        experience = self.experience.after(cases)
        return replace(self, practised=cases, experience=experience, steps=steps)

    @property
    def curve(self) -> tuple[int, ...]:
        """Numbers of cases at which the learning curve is read; the last is all of them."""
        inner = {point for point in self.settings.curve if 0 < point < self.practised}
        return (*sorted(inner), self.practised)

    def count(self) -> dict[str, int]:
        """How often each outcome came and what became of the rules; solved cases are `cases`.

        `patients without` are those whose record gave no question.
        """
        outcomes = Counter(step.outcome for step in self.steps)
        rules = Counter(step.rule for step in self.steps)
        return {
            "patients without": self.practised - len({step.after for step in self.steps}),
            "questions": len(self.steps),
            **{name: outcomes[name] for name in ("right", "wrong", *get_args(Missing))},
            "cases": len(self.experience.of("case")),
            "rules kept": rules["kept"],
            "rules rejected": rules["rejected"] + rules["long"],
            "rules missing": sum(rules[name] for name in get_args(Missing)),
        }


async def train(
    records: Sequence[PatientRecord], context: Context, settings: TrainSettings
) -> Training:
    """Practise on the first `settings.cases` records.

    A training that is interrupted goes on from the journal: what was answered is not asked again.

    Raises:
        Unreachable: an exchange failed and can be tried another day; what would be learned
            without it is not what the records teach. Whatever else fails costs its question.
        UserError: there are fewer records, nobody is named for the role "student", or there is no
            encoder.
    """
    if len(records) < settings.cases:
        name = f" on {settings.condition}" if settings.condition else ""
        raise UserError(
            f"a training{name} of {settings.cases} cases has {len(records)} records: conditions "
            "are compared by equal numbers, so take fewer cases for all or give more records"
        )
    taken = records[: settings.cases]
    training = Training(settings)
    practice = Practice(taken, context.outlines, settings.seed)
    for number, record in enumerate(taken, start=1):
        items = practice.items(record)
        student = _Student(training.experience, number, context, settings)
        results = [one async for one in ordered_map(student.practise, items, context.at_once)]
        entries = _entries(record, number, items, results)
        # Nothing is encoded for a record that taught nothing.
        experience = await training.experience.plus(entries, context.encoder)
        training = Training(settings, number, experience, (*training.steps, *results))
    return training


@dataclass(frozen=True)
class _Student:
    """The agent as it is when it meets a record."""

    experience: Experience
    number: int
    context: Context
    settings: TrainSettings

    async def practise(self, item: PracticeItem) -> PracticeStep:
        """Answer a question and, if wrong, draw a rule."""
        recalled = await self.experience.recall(item.question, self.settings, self.context.encoder)
        step = PracticeStep(
            after=self.number,
            record=item.record,
            kind=item.kind,
            outcome="right",
            retrieved=recalled.ids,
        )
        first = await self._answer(item, recalled, "")
        if isinstance(first, Failure):
            lost = {"outcome": MISSING[first.outcome], "reason": first.reason}
            return step.model_copy(update={**lost, "keys": first.keys})
        if first.value.letter == item.correct:
            return step.model_copy(update={"keys": first.keys})
        lesson = await self._reflect(item, first.value.letter, recalled)
        keys = (*first.keys, *lesson.pop("keys"))
        return step.model_copy(update={"outcome": "wrong", "keys": keys, **lesson})

    async def _answer(
        self, item: PracticeItem, recalled: Recalled, again: str
    ) -> Answer[ChosenOption] | Failure:
        where = self._where(item) + again
        student = self.context.role(ROLE)
        return await _attempt(choose(student, item.question, item.options, recalled.texts, where))

    async def _reflect(self, item: PracticeItem, letter: str, recalled: Recalled) -> dict[str, Any]:
        """What the step says of the rule: its verdict, text, keys and why it is missing.

        It is tried with the options turned and as they stood: neither a rule that only names a
        letter nor a student who likes one passes both.
        """
        lesson = await _attempt(self._lesson(item, item.options[letter]))
        if isinstance(lesson, Failure):
            return _without(lesson)
        rule = " ".join(lesson.value.rule.split())
        result: dict[str, Any] = {"text": rule, "keys": lesson.keys}
        if not rule:
            return result | {"rule": "invalid", "reason": "the rule is empty"}
        entry = _rule(item, self.number, 1, rule)
        room = self.settings.budget
        if entry.words > room or count_words(rule) > 2 * RULE_WORDS:
            return result | {"rule": "long"}
        shown = Recalled(tuple(within((entry, *recalled.entries), room)))
        for way, again in ((item.turned(), "/with-rule"), (item, "/with-rule-again")):
            second = await self._answer(way, shown, again)
            result["keys"] += second.keys
            if isinstance(second, Failure):
                return {**_without(second), **result}
            if second.value.letter != way.correct:
                return result | {"rule": "rejected"}
        return result | {"rule": "kept"}

    async def _lesson(self, item: PracticeItem, given: str) -> Answer[Lesson]:
        task = Reflect(situation=item.question, given=given, correct=item.answer)
        messages = PROMPT.messages(
            situation=item.question, given=given, correct=item.answer, words=RULE_WORDS
        )
        where = f"{self._where(item)}/reflect"
        prompt = Prompt(task, messages, Lesson, JUDGING, where)
        return await self.context.role(ROLE).ask(prompt)

    def _where(self, item: PracticeItem) -> str:
        parts = (self.settings.condition, "train", str(self.number), item.record, item.kind)
        return "/".join(part for part in parts if part)


async def _attempt(work: Awaitable[Answer[T]]) -> Answer[T] | Failure:
    """What was answered, or why nothing was.

    Raises:
        Unreachable: what is not answered today may be another day.
    """
    answer = await guarded(work, "", "practice")
    if isinstance(answer, Failure) and answer.outcome == Unreachable.outcome:
        raise Unreachable(answer.reason, answer.keys)
    return answer


def _without(failure: Failure) -> dict[str, Any]:
    return {"rule": MISSING[failure.outcome], "reason": failure.reason, "keys": failure.keys}


def _entries(
    record: PatientRecord, number: int, items: Sequence[PracticeItem], steps: Sequence[PracticeStep]
) -> list[ExperienceEntry]:
    """What a record taught: one case of all that was answered right at once, and its rules."""
    paired = list(zip(items, steps, strict=True))
    solved = [
        f"{SAYS[item.kind]}: {item.answer}." for item, step in paired if step.outcome == "right"
    ]
    entries = []
    if solved:
        about = summarize(record)
        entries.append(
            ExperienceEntry(
                id=f"case {number}",
                kind="case",
                after=number,
                record=record.id,
                text=f"Case: {about} {' '.join(solved)}",
                about=about,
            )
        )
    kept = [(item, step.text) for item, step in paired if step.rule == "kept"]
    return entries + [
        _rule(item, number, place, rule) for place, (item, rule) in enumerate(kept, start=1)
    ]


def _rule(item: PracticeItem, number: int, place: int, rule: str) -> ExperienceEntry:
    return ExperienceEntry(
        id=f"rule {number}.{place}",
        kind="rule",
        after=number,
        record=item.record,
        text=f"Rule: {rule}",
        about=f"{rule}\n{item.question}",
    )
