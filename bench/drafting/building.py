"""From source texts to a draft outline: one exchange for each part, every statement traced.

A quotation that no source holds is not believed: its field is marked for the human who checks the
draft (paper section 3.1, step 1, "human-verify and reconstruct"). Works are taken only with one.
"""

import asyncio
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bench.backbones.asking import Respondent
from bench.backbones.prompt import Answer, Prompt, Sampling
from bench.backbones.tasks import Draft
from bench.drafting.parts import (
    PARTS,
    Assessment,
    Complaint,
    Complaints,
    Examinations,
    Examined,
    Identity,
    Measured,
    Pasts,
    Quoted,
    Span,
    Unfolding,
)
from bench.drafting.source import Source, find_quote
from bench.knowledge.outline import (
    SEVERITIES,
    Evidence,
    Outline,
    Provenance,
    Range,
    Reference,
    SourceFile,
)
from bench.model import Model
from bench.prompts import Template

TEMPLATE = Template(Path(__file__).with_name("draft.j2"))
DRAFTING = Sampling(temperature=0.0, max_tokens=16_000)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")
Data = dict[str, Any]
Numbers = Mapping[str, float | None]
T = TypeVar("T", bound=Quoted)


@dataclass(frozen=True)
class Subject:
    """The outline to be drafted."""

    id: str
    name: str
    department: str


async def draft_outline(
    subject: Subject, sources: Sequence[Source], respondent: Respondent
) -> Outline:
    """The draft of an outline, with where each field comes from.

    Raises:
        AskError: if the backbone gives no valid answer for a part.
        UserError: if it cannot go on.
    """
    asked = (_ask(part, subject, sources, respondent) for part in PARTS)
    # All are heard out, so that what is answered is kept when another fails.
    answers = await asyncio.gather(*asked, return_exceptions=True)
    values: dict[str, Model] = {}
    for part, answer in zip(PARTS, answers, strict=True):
        if isinstance(answer, BaseException):
            raise answer
        values[part] = answer.value
    return assemble(subject, sources, values, respondent.pinned)


async def _ask(
    part: str, subject: Subject, sources: Sequence[Source], respondent: Respondent
) -> Answer[Model]:
    messages = TEMPLATE.messages(
        part=part, disease=subject.name, department=subject.department, sources=sources
    )
    task = Draft(disease=subject.name, part=part, sources=tuple(source.text for source in sources))
    return await respondent.ask(Prompt(task, messages, PARTS[part], DRAFTING, f"draft/{part}"))


def assemble(
    subject: Subject, sources: Sequence[Source], parts: Mapping[str, Any], backbone: str
) -> Outline:
    """The draft outline made of the answered parts, each field traced or marked."""
    trace = _Trace(sources)
    data: Data = {"id": subject.id, "name": subject.name, "department": subject.department}
    data |= _identity(parts["identity"], trace)
    data |= _complaints(parts["complaints"], trace)
    data["course"] = _course(parts["course"], trace)
    data["history"] = _history(parts["history"], trace)
    data["examinations"] = _examinations(parts["examinations"], trace)
    data |= _assessment(parts["assessment"], trace)
    provenance = Provenance(
        backbone=backbone,
        prompts=TEMPLATE.sha256,
        sources=tuple(SourceFile(name=one.name, sha256=one.sha256) for one in sources),
        evidence=tuple(trace.evidence),
        unsupported=tuple(trace.unsupported),
    )
    return Outline.model_validate(data | {"provenance": provenance})


@dataclass
class _Trace:
    """Where fields come from."""

    sources: Sequence[Source]
    evidence: list[Evidence] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)

    def take(self, item: Quoted, path: str, numbers: Numbers | None = None) -> Data:
        """An item without its quotation, traced; numbers that it does not hold are marked.

        `numbers` are the item's by the path below its own; a share may be quoted as a percentage.
        """
        found = find_quote(self.sources, item.quote, path)
        if found is None:
            self.unsupported.append(path)
        else:
            self.evidence.append(found)
            held = {float(one.replace(",", ".")) for one in _NUMBER.findall(found.quote)}
            for name, value in (numbers or {}).items():
                if value is not None and not {value, round(100 * value, 4)} & held:
                    self.unsupported.append(f"{path}.{name}")
        return item.model_dump(exclude={"quote"})

    def each(self, items: Iterable[T], path: str, *numbers: str) -> list[Data]:
        """Items of a list, with the names of their numbers."""
        return [
            self.take(item, f"{path}.{at}", {name: getattr(item, name) for name in numbers})
            for at, item in enumerate(items)
        ]

    def texts(self, items: Iterable[Quoted], path: str) -> list[str]:
        """Statements of a list."""
        return [str(data["text"]) for data in self.each(items, path)]


def _identity(told: Identity, trace: _Trace) -> Data:
    sexes = trace.take(told.sexes, "sex")
    frequency = told.frequency
    return {
        "synonyms": trace.texts(told.synonyms, "synonyms"),
        "codes": {
            name: trace.take(getattr(told, name), f"codes.{name}")["text"]
            for name in ("icd10", "icd10cm")
        },
        **sexes,
        "ages": trace.each(told.ages, "ages", "weight", "low", "high"),
        "frequency": frequency
        and trace.take(frequency, "frequency", {"low": frequency.low, "high": frequency.high}),
        "risk_factors": trace.texts(told.risk_factors, "risk_factors"),
        "causes": trace.texts(told.causes, "causes"),
    }


def _complaints(told: Complaints, trace: _Trace) -> Data:
    negatives = trace.texts(told.pertinent_negatives, "pertinent_negatives")
    symptoms = [_symptom(item, f"symptoms.{at}", trace) for at, item in enumerate(told.symptoms)]
    return {"symptoms": symptoms, "pertinent_negatives": negatives}


def _symptom(item: Complaint, path: str, trace: _Trace) -> Data:
    shares: Numbers = {
        "typicality": item.moderate,
        "by_severity.mild": item.mild,
        "by_severity.severe": item.severe,
    }
    data = trace.take(item, path, shares)
    data["typicality"] = data.pop("moderate")
    data["by_severity"] = {severity: data.pop(severity) for severity in ("mild", "severe")}
    return data


def _course(told: Unfolding, trace: _Trace) -> Data:
    phrased = {
        name: trace.each(getattr(told, name), f"course.{name}")
        for name in ("onset", "evolution", "triggers", "relief")
    }
    spans: dict[str, Span] = {severity: getattr(told, severity) for severity in SEVERITIES}
    duration = {
        severity: trace.take(
            span, f"course.duration.{severity}", {"low": span.low, "high": span.high}
        )
        for severity, span in spans.items()
    }
    return {**phrased, "duration": duration}


def _history(told: Pasts, trace: _Trace) -> Data:
    return {
        name: trace.each(getattr(told, name), f"history.{name}", "weight")
        for name in Pasts.model_fields
    }


def _examinations(told: Examinations, trace: _Trace) -> list[Data]:
    return [
        _examination(item, f"examinations.{at}", trace) for at, item in enumerate(told.examinations)
    ]


def _examination(item: Examined, path: str, trace: _Trace) -> Data:
    data = trace.take(item, path, {"typicality": item.typicality, **_limits(item.measured)})
    quantity = data.pop("measured")
    if quantity is not None:
        levels = {severity: quantity.pop(severity) for severity in SEVERITIES}
        quantity["patient_range"] = {name: span for name, span in levels.items() if span}
        data["quantity"] = quantity
    return data


def _limits(measured: Measured | None) -> Numbers:
    """The limits of reference intervals and of patients' results, by their paths."""
    if measured is None:
        return {}
    spans: dict[str, Reference | Range] = {
        f"quantity.reference.{at}": reference for at, reference in enumerate(measured.reference)
    }
    for severity in SEVERITIES:
        if (span := getattr(measured, severity)) is not None:
            spans[f"quantity.patient_range.{severity}"] = span
    return {
        f"{path}.{end}": getattr(span, end)
        for path, span in spans.items()
        for end in ("low", "high")
    }


def _assessment(told: Assessment, trace: _Trace) -> Data:
    works = [one for one in told.works if find_quote(trace.sources, one.quote, "sources")]
    return {
        "complications": trace.texts(told.complications, "complications"),
        "differentials": trace.each(told.differentials, "differentials"),
        "red_flags": trace.texts(told.red_flags, "red_flags"),
        "never_together": trace.each(told.never_together, "never_together"),
        "sources": trace.each(works, "sources"),
    }
