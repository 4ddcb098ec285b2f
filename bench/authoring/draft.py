"""From source texts to a draft outline: one exchange for each part, every statement traced.

A quotation that no source holds is not believed: its field is marked for the human who checks the
draft (paper section 3.1, step 1, "human-verify and reconstruct"). Works are taken only if the
source names them.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.authoring.parts import PARTS, Quoted, check_part, share_figures
from bench.authoring.source import SourceText, find_quote
from bench.backbones.prompt import JUDGING, Answer, Prompt
from bench.backbones.requests import Draft
from bench.backbones.respondent import Respondent
from bench.backbones.templates import Template
from bench.core.schema import Model
from bench.core.text import one_line
from bench.knowledge.outline import (
    AGE_GROUPS,
    SEVERITIES,
    Evidence,
    Outline,
    Provenance,
    SourceFile,
)
from bench.knowledge.provenance import record

TEMPLATE = Template(Path(__file__).with_name("draft.j2"))
NEAR = 300
"""Characters around quoted words in which the title and the year of a work stand."""
SHARES = ("weight", "typicality", *SEVERITIES, *AGE_GROUPS)
"""Fields whose numbers are shares."""
UNSAID = ("decimals", "value", "year")
"""Fields whose numbers are held against the words in another way, or not at all."""
BIRTH = ("from_age", 0)
# A minus is no hyphen and no "to": it stands after no word, number or percent sign.
_NUMBER = re.compile(
    r"((?<![\w)%])(?<![\d%] )[-\u2010-\u2013\u2212])?"
    r"([1-9]\d{0,2}(?:[, \u00a0\u2009\u202f]\d{3})+(?!\d)|\d+)(?:[.,](\d+))?"
)


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
    where = f"draft/{part}"
    return await respondent.ask(Prompt(task, messages, PARTS[part], JUDGING, where, check_part))


def assemble(
    subject: DraftSubject, sources: Sequence[SourceText], parts: Mapping[str, Model], backbone: str
) -> Outline:
    """The draft outline made of the answered parts, each field traced or marked."""
    trace = _Trace(sources)
    data: dict[str, Any] = {"id": subject.id, "name": subject.name, "female_share": None}
    data |= {"department": subject.department, "frequency": None}
    for name, part in parts.items():
        if name in ("course", "history"):
            data[name] = trace.fields(part, name)
        else:
            data |= trace.fields(part, "")
    provenance = Provenance(
        backbone=backbone,
        prompts=TEMPLATE.sha256,
        sources=tuple(SourceFile(name=entry.name, sha256=entry.sha256) for entry in sources),
        evidence=tuple(trace.evidence),
        unsupported=tuple(trace.unsupported),
    )
    outline = Outline.model_validate(data)
    return outline.model_copy(update={"provenance": record(outline, provenance)})


def figures(words: str) -> set[float]:
    """The numbers in a text, with their signs; "1,500" is one, "40-60" are two."""
    values = set()
    for sign, whole, part in _NUMBER.findall(words):
        digits = re.sub(r"\D", "", whole)
        value = float(f"{digits}.{part or 0}")
        values.add(-value if sign else value)
    return values


@dataclass
class _Trace:
    """Takes the quotations out of a part, and keeps what each field rests on."""

    sources: Sequence[SourceText]
    evidence: list[Evidence] = field(default_factory=list)
    unsupported: list[str] = field(default_factory=list)

    def fields(self, item: Model, path: str) -> dict[str, Any]:
        """The fields of an outline that a part or an item of it makes; null ones are left out."""
        start = f"{path}." if path else ""
        return {
            name: self._value(value, f"{start}{name}")
            for name, value in item
            if name != "quote" and value is not None
        }

    def _value(self, value: Any, path: str) -> Any:
        if isinstance(value, list | tuple):
            if path == "sources":
                value = [work for work in value if _is_named(work, self.sources)]
            return [self._value(item, f"{path}.{place}") for place, item in enumerate(value)]
        if isinstance(value, Quoted):
            self._trace(value, path)
        if isinstance(value, Model):
            data = self.fields(value, path)
            return next(iter(data.values())) if set(data) in ({"text"}, {"value"}) else data
        return one_line(value) if isinstance(value, str) else value

    def _trace(self, item: Quoted, path: str) -> None:
        """Find what an item rests on; numbers that the words do not hold are marked."""
        found = find_quote(self.sources, item.quote, path)
        said = figures(found.quote) if found else set()
        if found is None or not item.is_said(found.quote, said):
            self.unsupported.append(path)
            return
        self.evidence.append(found)
        percent = {100.0} if "%" in found.quote else set()
        for place, name, number in _numbers(item, path):
            if not _figures(name, number) & (said | percent if name == "per" else said):
                self.unsupported.append(place)


def _numbers(item: Model, path: str) -> Iterator[tuple[str, str, float]]:
    """The numbers of an item, each with its path and the name of its field."""
    for name, value in item:
        inner = value if isinstance(value, list | tuple) else [value]
        for place, one in enumerate(inner):
            where = f"{path}.{name}.{place}" if inner is value else f"{path}.{name}"
            if isinstance(one, Model):
                yield from _numbers(one, where)
            # From birth on is no number that anybody states.
            elif isinstance(one, int | float) and name not in UNSAID and (name, one) != BIRTH:
                yield where, name, one


def _figures(name: str, number: float) -> AbstractSet[float]:
    """The figures that would say the number of a field."""
    return share_figures(number) if name in SHARES else {number}


def _is_named(work: Any, sources: Sequence[SourceText]) -> bool:
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
