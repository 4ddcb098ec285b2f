"""An outline in words, as a language model is given it."""

from collections.abc import Iterable, Iterator
from functools import lru_cache

from bench.core.text import one_line
from bench.knowledge.outline import (
    AGE_GROUPS,
    SEVERITIES,
    Bound,
    ExaminationGuide,
    HistoryItem,
    Outline,
    Provenance,
    Quantity,
    Severity,
    Weighted,
)
from bench.knowledge.provenance import recall


@lru_cache(maxsize=512)
def describe(outline: Outline, severity: Severity | None = None) -> str:
    """The outline as headed lines; findings and values for one severity level, or all.

    Shares are those of adults, with those of other age groups where they differ. Kept for the next
    prompt about the outline.
    """
    return "\n".join(_lines(outline, SEVERITIES if severity is None else (severity,)))


def trace(outline: Outline, provenance: Provenance) -> str:
    """Each field of a draft beside the words it comes from, then what no source says.

    What was mended since it was drafted is said to be, and is no longer asked to be checked.
    """
    sources = ", ".join(source.name for source in provenance.sources)
    lines = [f"Drafted by {provenance.backbone} from {sources}"]
    if outline.approval is not None:
        lines[0] += f"; checked by {outline.approval.by} on {outline.approval.on}"
    fields = recall(outline, provenance)
    for span in provenance.evidence:
        how = "" if span.exact else ", not to the letter"
        place = f"{span.source}, characters {span.start}-{span.end}{how}"
        field = fields.get(span.field)
        drafted = provenance.told.get(span.field)
        where = field.path if field else f"{span.field}, mended or taken out since"
        lines.append(f'- {where}: "{one_line(span.quote)}" ({place})')
        if field is None or drafted not in (None, field.value):
            lines.append(f"  when drafted: {one_line(drafted or '')}")
        if field is not None:
            lines.append(f"  says: {one_line(field.value)}")
    lines.append("In no source, check these first:")
    kept = [
        field
        for path in provenance.unsupported
        if (field := fields.get(path)) and provenance.told.get(path, field.value) == field.value
    ]
    for field in kept:
        lines += [f"- {field.path}", f"  says: {one_line(field.value)}"]
    if mended := len(provenance.unsupported) - len(kept):
        lines.append(f"- (and {mended} that were mended or taken out since)")
    elif not kept:
        lines.append("- nothing")
    return "\n".join(lines)


def _lines(outline: Outline, levels: tuple[Severity, ...]) -> Iterator[str]:
    yield f"Disease: {outline.name}" + _aside(outline.synonyms, "also called ")
    yield f"Department: {outline.department}"
    yield f"Sex: {_sex(outline)}"
    yield "Ages: " + "; ".join(
        f"{band.group} {band.low}-{band.high} (weight {band.weight:g})" for band in outline.ages
    )
    yield from _head("Risk factors", outline.risk_factors)
    yield from _head("Causes", outline.causes)
    yield "Symptoms (share of patients):"
    for symptom in outline.symptoms:
        shares = [f"{level} {symptom.share(level, 'adults'):.0%}" for level in levels]
        shares += [f"{group} {share:.0%}" for group, share in symptom.by_age.items()]
        shares += [] if symptom.sex == "any" else [f"{symptom.sex} patients only"]
        yield f"- {symptom.name} ({', '.join(shares)})"
    yield from _head("Onset", _texts(outline.course.onset))
    spans = (
        f"{level} {span.low}-{span.high} {span.unit}"
        for level, span in outline.course.duration.items()
        if level in levels
    )
    yield from _head("Duration at presentation", spans)
    if outline.course.lifelong:
        yield "The complaints may go back to childhood."
    yield from _head("Evolution", _texts(outline.course.evolution))
    yield from _head("Worse with", _texts(outline.course.triggers))
    yield from _head("Eased by", _texts(outline.course.relief))
    yield from _head("Typically absent", outline.pertinent_negatives)
    history = outline.history
    yield from _head("Medical history", _statements(history.medical))
    yield from _head("Family history", _statements(history.family))
    yield from _head("Lifestyle", _statements(history.lifestyle))
    yield from _head("Vaccinations", _statements(history.vaccination))
    yield from _head("Medication", _statements(history.medication))
    yield from _head("Allergies", _statements(history.allergy))
    yield "Examinations:"
    for guide in outline.examinations:
        yield f"- {guide.test} ({guide.category}){_whom(guide)}: {_result(guide, levels)}"
    yield from _head("Complications", outline.complications)
    yield from _head(
        "Differential diagnoses",
        (f"{other.name} ({other.distinguished_by})" for other in outline.differentials),
    )
    yield from _head("Red flags", outline.red_flags)
    yield "Never true together:"
    for rule in outline.never_together:
        yield f"- {' + '.join(rule.facts)} ({rule.because})"


def _head(title: str, items: Iterable[str]) -> Iterator[str]:
    listed = "; ".join(items)
    if listed:
        yield f"{title}: {listed}"


def _aside(items: Iterable[str], lead: str = "") -> str:
    listed = ", ".join(items)
    return f" ({lead}{listed})" if listed else ""


def _sex(outline: Outline) -> str:
    if outline.female_share is None:
        return f"{outline.sex} only"
    return f"either; about {outline.female_share:.0%} are female"


def _texts(choices: Iterable[Weighted]) -> Iterator[str]:
    return (choice.text + _whom(choice) for choice in choices)


def _statements(items: Iterable[HistoryItem]) -> Iterator[str]:
    return (item.text.replace("{n} years", "some years") + _whom(item) for item in items)


def _whom(item: Bound) -> str:
    """To whom alone it applies, in brackets; nothing if to all."""
    sex = [] if item.sex == "any" else [item.sex]
    groups = [] if len(item.groups) == len(AGE_GROUPS) else ["/".join(item.groups)]
    return _aside([*sex, *groups])


def _result(guide: ExaminationGuide, levels: tuple[Severity, ...]) -> str:
    if guide.quantity is not None:
        return _quantity(guide.quantity, levels)
    texts = [item.text for item in guide.findings if set(item.severities) & set(levels)]
    return " / ".join(texts)


def _quantity(quantity: Quantity, levels: tuple[Severity, ...]) -> str:
    references = ", ".join(
        item.printed(quantity.decimals) + _whom(item) for item in quantity.reference
    )
    expected = ", ".join(
        f"{level} {span.low:g}-{span.high:g}"
        for level, span in quantity.patient_range.items()
        if level in levels
    )
    return (
        f"{quantity.expected}; {expected} {quantity.unit}; reference {references} {quantity.unit}"
    )
