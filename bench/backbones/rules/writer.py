"""Writes sections of a record from an outline, each part drawn by the outline's weights."""

import random
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from pydantic import BaseModel

from bench.backbones.prompt import AskError
from bench.backbones.requests import Write
from bench.knowledge.course import Presentation, draw_duration, draw_one, fitting
from bench.knowledge.library import Library
from bench.knowledge.outline import (
    SEVERITIES,
    AgeGroup,
    ExaminationGuide,
    HistoryItem,
    Outline,
    Quantity,
    Severity,
    age_group,
)
from bench.records.record import (
    BasicInformation,
    BasicSections,
    DiseaseInformation,
    Epidemiology,
    Examination,
    ExaminationSections,
    RecordSections,
)

MOST_SYMPTOMS = 8
FEWEST_SYMPTOMS = 3
MOST_STATEMENTS = 4
"""Most statements drawn for one field of the history."""
LONGEST_PAST = 20
"""Most years ago that something in the history began."""


def write(task: Write, library: Library, drawn: random.Random) -> BaseModel:
    """The wanted sections.

    The disease is known from the task's outline or else, as a model would remember it, from the
    library; what is drawn does not depend on which.

    Raises:
        AskError: if the disease is unknown.
    """
    outline = task.outline or library.find(task.subject.disease)
    if outline is None:
        raise AskError(f"the rules know no disease {task.subject.disease!r}")
    patient = _Patient(task, outline, drawn)
    if "basic_information" not in task.wanted:
        return ExaminationSections(examination_results=patient.examinations())
    basic = BasicSections(
        basic_information=patient.basic(),
        epidemiology=patient.epidemiology(),
        disease_information=patient.disease(),
    )
    if "examination_results" not in task.wanted:
        return basic
    return RecordSections(**dict(basic), examination_results=patient.examinations())


class _Patient:
    """One patient in the making; methods draw, so their order matters."""

    def __init__(self, task: Write, outline: Outline, drawn: random.Random) -> None:
        self.outline = outline
        self.gender = task.subject.gender
        self.age = task.subject.age
        self.group: AgeGroup = age_group(task.subject.age)
        self.presentation: Presentation | None = task.presentation
        self._drawn = drawn
        self.severity = self._severity(task)

    def _severity(self, task: Write) -> Severity:
        told = task.known.get("disease_information")
        if isinstance(told, dict) and told.get("severity") in SEVERITIES:
            return told["severity"]  # type: ignore[no-any-return]
        if self.presentation is not None:
            return self.presentation.severity
        return self._drawn.choice(SEVERITIES)

    def basic(self) -> BasicInformation:
        given, family = names(self.gender), names("family")
        name = f"{self._drawn.choice(given)} {self._drawn.choice(family)}"
        return BasicInformation(name=name, gender=self.gender, age=self.age)

    def epidemiology(self) -> Epidemiology:
        history = self.outline.history
        medical = [
            *self._statements(history.medical),
            *(f"Takes {_lower_first(text)}" for text in self._statements(history.medication, 0, 2)),
            *self._statements(history.allergy, 0, 1),
        ]
        return Epidemiology(
            medical_history=tuple(medical),
            lifestyle=self._statements(history.lifestyle),
            vaccination_history=self._statements(history.vaccination),
            family_history=self._statements(history.family),
        )

    def _statements(
        self, items: Iterable[HistoryItem], fewest: int = 1, most: int = MOST_STATEMENTS
    ) -> tuple[str, ...]:
        """Statements that fit the patient, each drawn by its own share."""
        possible = [
            item
            for item in items
            if item.fits(self.gender, self.group) and self._longest_past(item) >= 0
        ]
        taken = [item for item in possible if self._drawn.random() < item.weight]
        if len(taken) < fewest and possible:
            weights = [item.weight or 1e-9 for item in possible]
            taken = self._drawn.choices(possible, weights=weights)
        if len(taken) > most:
            taken = self._drawn.sample(taken, most)
        return tuple(self._dated(item) for item in taken)

    def _longest_past(self, item: HistoryItem) -> int:
        """Most whole years for which a statement can have held; below 0 if it cannot."""
        if "{n}" not in item.text:
            return self.age - item.from_age
        years = min(LONGEST_PAST, self.age - max(item.from_age, 1))
        return years if years >= 1 else -1

    def _dated(self, item: HistoryItem) -> str:
        if "{n}" not in item.text:
            return item.text
        years = self._drawn.randint(1, self._longest_past(item))
        said = item.text.replace("{n}", str(years))
        return said.replace("1 years", "1 year") if years == 1 else said

    def disease(self) -> DiseaseInformation:
        shares = [
            (symptom, symptom.share(self.severity, self.group, self.gender))
            for symptom in self.outline.symptoms
        ]
        taken = [symptom for symptom, share in shares if self._drawn.random() < share]
        if len(taken) < FEWEST_SYMPTOMS:
            likely = sorted(shares, key=lambda pair: -pair[1])[:FEWEST_SYMPTOMS]
            taken = [symptom for symptom, _ in likely]
        if len(taken) > MOST_SYMPTOMS:
            kept = set(self._drawn.sample(range(len(taken)), MOST_SYMPTOMS))
            taken = [symptom for place, symptom in enumerate(taken) if place in kept]
        return DiseaseInformation(
            disease=self.outline.name,
            severity=self.severity,
            symptoms=tuple(self._drawn.choice((item.name, *item.phrases)) for item in taken),
            duration=self._duration(),
        )

    def _duration(self) -> str:
        course = self.presentation
        if course is None:
            span = draw_duration(self.outline, self.severity, self._drawn)
            possible = fitting(self.outline.course.evolution, self.gender, self.group)
            return f"{span}, {draw_one(possible, self._drawn)}"
        said = f"{course.duration}. Onset was {course.onset}. {_upper_first(course.evolution)}"
        if course.triggers:
            said += f"; worse with {' and '.join(course.triggers)}"
        if course.relief:
            said += f"; eased by {' and '.join(course.relief)}"
        return said

    def examinations(self) -> tuple[Examination, ...]:
        made = [self._examination(guide) for guide in self._done()]
        return tuple(item for item in made if item is not None)

    def _done(self) -> Sequence[ExaminationGuide]:
        possible = [
            guide for guide in self.outline.examinations if guide.fits(self.gender, self.group)
        ]
        done = [guide for guide in possible if self._drawn.random() < guide.typicality]
        return done or sorted(possible, key=lambda guide: -guide.typicality)[:1]

    def _examination(self, guide: ExaminationGuide) -> Examination | None:
        if guide.quantity is not None:
            return self._measured(guide, guide.quantity)
        allowed = [item for item in guide.findings if self.severity in item.severities]
        if not allowed:
            return None
        weights = [item.weight or 1e-9 for item in allowed]
        (found,) = self._drawn.choices(allowed, weights=weights)
        return Examination(category=guide.category, test=guide.test, finding=found.text)

    def _measured(self, guide: ExaminationGuide, quantity: Quantity) -> Examination | None:
        span = quantity.patient_range.get(self.severity)
        reference = quantity.reference_for(self.gender, self.group)
        if span is None or reference is None:
            return None
        value = round(self._drawn.uniform(span.low, span.high), quantity.decimals)
        level = reference.level(value)
        return Examination(
            category=guide.category,
            test=guide.test,
            value=f"{value:.{quantity.decimals}f}",
            unit=quantity.unit,
            reference_range=reference.printed(quantity.decimals),
            finding={"high": "above", "low": "below", "normal": "within"}[level]
            + " the reference range",
        )


@cache
def names(kind: str) -> tuple[str, ...]:
    """Invented patients' names: "female", "male" given names, or "family" names."""
    lines = (Path(__file__).parent / "names.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        head, _, listed = line.partition(":")
        if head == kind:
            return tuple(name.strip() for name in listed.split(","))
    raise KeyError(kind)


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:] if text[1:2].islower() else text


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]
