"""From source texts to a draft outline: one exchange for each part, every statement traced.

A quotation that no source holds is not believed: its field is marked for the human who checks the
draft (paper section 3.1, step 1, "human-verify and reconstruct"). Works are taken only if the
source names them.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bench.authoring.parts import (
    PARTS,
    Assessment,
    Band,
    Common,
    Complaint,
    Complaints,
    Examinations,
    Examined,
    Identity,
    Measured,
    Past,
    Pasts,
    Phrase,
    Quoted,
    Span,
    Statement,
    Unfolding,
    Work,
)
from bench.authoring.source import SourceText, find_quote
from bench.backbones.prompt import Answer, Prompt, Sampling
from bench.backbones.requests import Draft
from bench.backbones.respondent import Respondent
from bench.backbones.templates import Template
from bench.core.schema import Model
from bench.knowledge.outline import (
    SEVERITIES,
    Evidence,
    Outline,
    Provenance,
    Range,
    Reference,
    SourceFile,
)
from bench.knowledge.provenance import record

TEMPLATE = Template(Path(__file__).with_name("draft.j2"))
DRAFTING = Sampling(temperature=0.0, max_tokens=16_000)
NEAR = 300
"""Characters around quoted words in which the title and the year of a work stand."""
# A minus is no hyphen and no "to": it stands after no word, number or percent sign.
_NUMBER = re.compile(
    r"((?<![\w)%])(?<![\d%] )[-\u2010-\u2013\u2212])?"
    r"([1-9]\d{0,2}(?:[, \u00a0\u2009\u202f]\d{3})+(?!\d)|\d+)(?:[.,](\d+))?"
)
Data = dict[str, Any]
Numbers = Mapping[str, set[float]]
"""The numbers of an item by their paths below its own, each as the figures that would say it."""
T = TypeVar("T", bound=Quoted)


@dataclass(frozen=True)
class DraftSubject:
    """The outline to be drafted."""

    id: str
    name: str
    department: str


async def draft_outline(
    subject: DraftSubject, sources: Sequence[SourceText], respondent: Respondent
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
    part: str, subject: DraftSubject, sources: Sequence[SourceText], respondent: Respondent
) -> Answer[Model]:
    messages = TEMPLATE.messages(
        part=part, disease=subject.name, department=subject.department, sources=sources
    )
    task = Draft(disease=subject.name, part=part, sources=tuple(source.text for source in sources))
    return await respondent.ask(Prompt(task, messages, PARTS[part], DRAFTING, f"draft/{part}"))


def assemble(
    subject: DraftSubject, sources: Sequence[SourceText], parts: Mapping[str, Any], backbone: str
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
        sources=tuple(SourceFile(name=entry.name, sha256=entry.sha256) for entry in sources),
        evidence=tuple(trace.evidence),
        unsupported=tuple(trace.unsupported),
    )
    outline = Outline.model_validate(data | {"provenance": provenance})
    told = record(outline, [*(entry.field for entry in trace.evidence), *trace.unsupported])
    return outline.model_copy(update={"provenance": provenance.model_copy(update={"told": told})})


def figures(words: str) -> set[float]:
    """The numbers in a text, with their signs; "1,500" is one, "40-60" are two."""
    values = set()
    for sign, whole, part in _NUMBER.findall(words):
        digits = re.sub(r"\D", "", whole)
        value = float(f"{digits}.{part or 0}")
        values.add(-value if sign else value)
    return values


def _figure(value: float | None) -> set[float]:
    return set() if value is None else {value}


def _share(value: float | None) -> set[float]:
    """A share may be quoted as a percentage."""
    return set() if value is None else {value, round(100 * value, 4)}


@dataclass
class _Trace:
    """Where fields come from."""

    sources: Sequence[SourceText]
    evidence: list[Evidence] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)

    def take(
        self,
        item: Quoted,
        path: str,
        numbers: Numbers | None = None,
        says: Callable[[str], bool] = lambda words: True,
    ) -> Data:
        """An item without its quotation, traced; numbers that it does not hold are marked.

        `says` tells whether the words found say what they are quoted for.
        """
        found = find_quote(self.sources, item.quote, path)
        if found is None or not says(found.quote):
            self.unsupported.append(path)
        else:
            self.evidence.append(found)
            held = figures(found.quote)
            for name, wanted in (numbers or {}).items():
                if wanted and not wanted & held:
                    self.unsupported.append(f"{path}.{name}")
        return item.model_dump(exclude={"quote"})

    def each(
        self, items: Iterable[T], path: str, numbers: Callable[[T], Numbers] = lambda item: {}
    ) -> list[Data]:
        """Items of a list, with their numbers."""
        return [self.take(item, f"{path}.{at}", numbers(item)) for at, item in enumerate(items)]

    def texts(self, items: Iterable[Quoted], path: str) -> list[str]:
        """Statements of a list."""
        return [str(data["text"]) for data in self.each(items, path)]


def _identity(identity: Identity, trace: _Trace) -> Data:
    sexes = trace.take(identity.sexes, "sex")
    share = _share(identity.sexes.female_share)
    if share:
        trace.take(identity.sexes, "female_share", says=lambda words: bool(share & figures(words)))
    return {
        "synonyms": trace.texts(identity.synonyms, "synonyms"),
        "codes": {
            name: _code(getattr(identity, name), name, trace) for name in ("icd10", "icd10cm")
        },
        **sexes,
        "ages": trace.each(identity.ages, "ages", _ages),
        "frequency": identity.frequency
        and trace.take(identity.frequency, "frequency", _rates(identity.frequency)),
        "risk_factors": trace.texts(identity.risk_factors, "risk_factors"),
        "causes": trace.texts(identity.causes, "causes"),
    }


def _code(statement: Statement, name: str, trace: _Trace) -> str:
    """A code that the quoted words hold, whole."""
    code = re.compile(rf"(?<!\w){re.escape(statement.text)}(?!\.?\w)", re.IGNORECASE)
    taken = trace.take(
        statement, f"codes.{name}", says=lambda words: code.search(words) is not None
    )
    return str(taken["text"])


def _ages(band: Band) -> Numbers:
    return {
        "weight": _share(band.weight),
        "low": _figure(band.low),
        "high": _figure(band.high),
    }


def _rates(frequency: Common) -> Numbers:
    percent = frequency.per == 100 and "%" in frequency.quote
    return {
        "low": _figure(frequency.low),
        "high": _figure(frequency.high),
        "per": _figure(None if percent else frequency.per),
    }


def _complaints(complaints: Complaints, trace: _Trace) -> Data:
    negatives = trace.texts(complaints.pertinent_negatives, "pertinent_negatives")
    symptoms = [
        _symptom(item, f"symptoms.{at}", trace) for at, item in enumerate(complaints.symptoms)
    ]
    return {"symptoms": symptoms, "pertinent_negatives": negatives}


def _symptom(item: Complaint, path: str, trace: _Trace) -> Data:
    shares: Numbers = {
        "typicality": _share(item.moderate),
        "by_severity.mild": _share(item.mild),
        "by_severity.severe": _share(item.severe),
    }
    data = trace.take(item, path, shares)
    data["typicality"] = data.pop("moderate")
    data["by_severity"] = {severity: data.pop(severity) for severity in ("mild", "severe")}
    return data


def _course(course: Unfolding, trace: _Trace) -> Data:
    phrased = {
        name: trace.each(getattr(course, name), f"course.{name}", _weight)
        for name in ("onset", "evolution", "triggers", "relief")
    }
    spans: dict[str, Span] = {severity: getattr(course, severity) for severity in SEVERITIES}
    duration = {
        severity: trace.take(
            span,
            f"course.duration.{severity}",
            {"low": _figure(span.low), "high": _figure(span.high)},
        )
        for severity, span in spans.items()
    }
    return {**phrased, "duration": duration}


def _history(history: Pasts, trace: _Trace) -> Data:
    return {
        name: trace.each(getattr(history, name), f"history.{name}", _past)
        for name in Pasts.model_fields
    }


def _weight(item: Phrase) -> Numbers:
    return {"weight": _share(item.weight)}


def _past(item: Past) -> Numbers:
    # From birth on is no number that anybody states.
    return {"weight": _share(item.weight), "from_age": _figure(item.from_age or None)}


def _examinations(asked: Examinations, trace: _Trace) -> list[Data]:
    return [
        _examination(item, f"examinations.{at}", trace)
        for at, item in enumerate(asked.examinations)
    ]


def _examination(item: Examined, path: str, trace: _Trace) -> Data:
    weights = {
        f"findings.{at}.weight": _share(finding.weight) for at, finding in enumerate(item.findings)
    }
    shares = {"typicality": _share(item.typicality), **weights}
    data = trace.take(item, path, {**shares, **_limits(item.measured)})
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
        f"{path}.{end}": _figure(getattr(span, end))
        for path, span in spans.items()
        for end in ("low", "high")
    }


def _assessment(assessment: Assessment, trace: _Trace) -> Data:
    works = [work for work in assessment.works if _is_named(work, trace.sources)]
    return {
        "complications": trace.texts(assessment.complications, "complications"),
        "differentials": trace.each(assessment.differentials, "differentials"),
        "red_flags": trace.texts(assessment.red_flags, "red_flags"),
        "never_together": trace.each(assessment.never_together, "never_together"),
        "sources": trace.each(works, "sources"),
    }


def _is_named(work: Work, sources: Sequence[SourceText]) -> bool:
    """Whether a source names a work: its title near the quoted words, and its year near that."""
    quoted = find_quote(sources, work.quote, "sources")
    if quoted is None:
        return False
    source = next(one for one in sources if one.name == quoted.source)
    around = _around(source, quoted)
    title = around.find(work.title, "sources")
    if title is None:
        return False
    year = re.compile(rf"(?<!\d){work.year}(?!\d)")
    return year.search(_around(around, title).text) is not None


def _around(source: SourceText, span: Evidence) -> SourceText:
    """A stretch of a source."""
    text = source.text[max(0, span.start - NEAR) : span.end + NEAR]
    return SourceText(source.name, source.sha256, text)
