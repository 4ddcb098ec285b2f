"""Multi-step generation without outline (paper section 4.2, "Patient-Zero w/o outline").

Basic information by a one-shot prompt, then the examination results by another that is told what
came before and asked to cross-reference it (section 3.1, steps 2 and 3). The example's disease
belongs to none of the six departments, or it would leak into accuracy and diversity.
"""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

from pydantic import BaseModel

from bench.api.context import Context
from bench.api.generator import GeneratorCard, plan_check, subject_of
from bench.backbones.prompt import GENERATING, Answer, AskError, Prompt
from bench.backbones.requests import Write
from bench.backbones.templates import Template
from bench.knowledge.cases import Case
from bench.knowledge.course import Presentation
from bench.knowledge.description import describe
from bench.knowledge.outline import Outline, Severity
from bench.records.record import (
    BasicSections,
    ExaminationSections,
    Origin,
    PatientRecord,
    RecordSections,
)

_HERE = Path(__file__)
BASIC = Template(_HERE.with_name("multi_step.basic.j2"))
EXAMINATIONS = Template(_HERE.with_name("multi_step.examinations.j2"))
EXAMPLE = _HERE.with_name("example.json")


@dataclass(frozen=True)
class Knowledge:
    """What a writer is told of the disease beyond its name."""

    outline: Outline | None = None
    presentation: Presentation | None = None

    def words(self, severity: Severity | None) -> str:
        """The outline in words for a severity level, or for all; empty if none is told."""
        return describe(self.outline, severity) if self.outline else ""


class MultiStep:
    """Basic information first, examination results second; no outline."""

    card: ClassVar[GeneratorCard] = GeneratorCard(
        name="multi-step",
        summary="Two one-shot steps without outline (the paper's Patient-Zero w/o outline).",
        prompts=(BASIC.path, EXAMINATIONS.path, EXAMPLE),
    )

    def knowledge(self, case: Case, context: Context) -> Knowledge:
        """What the writer is told of the disease; nothing here."""
        return Knowledge()

    async def write(self, case: Case, context: Context) -> PatientRecord:
        """The record of one case, by two exchanges."""
        return await self.draft(case, context, case.id)

    async def draft(self, case: Case, context: Context, replicate: str) -> PatientRecord:
        """One draw of the record."""
        told = self.knowledge(case, context)
        basic = await self._basic(case, context, told, replicate)
        try:
            rest = await self._examinations(case, context, told, basic.value, replicate)
        except AskError as failure:
            raise failure.after(basic.keys) from failure
        backbone = context.role("generator").name
        keys = basic.keys + rest.keys
        return PatientRecord.compose(
            basic.value,
            rest.value,
            id=case.id,
            department=case.department,
            origin=Origin(
                generator=self.card.name, backbone=backbone, disease=case.disease, keys=keys
            ),
        )

    async def _basic(
        self, case: Case, context: Context, told: Knowledge, replicate: str
    ) -> Answer[BasicSections]:
        subject = subject_of(case)
        messages = BASIC.messages(
            subject=subject,
            outline=told.words(told.presentation.severity if told.presentation else None),
            presentation=told.presentation,
            example=_shown(_example(), BasicSections),
        )
        task = Write(
            wanted=("basic_information", "epidemiology", "disease_information"),
            subject=subject,
            outline=told.outline,
            presentation=told.presentation,
        )
        check = plan_check(case, context.outlines)
        prompt = Prompt(task, messages, BasicSections, GENERATING, f"{replicate}/basic", check)
        return await context.role("generator").ask(prompt)

    async def _examinations(
        self, case: Case, context: Context, told: Knowledge, basic: BasicSections, replicate: str
    ) -> Answer[ExaminationSections]:
        subject = subject_of(case)
        messages = EXAMINATIONS.messages(
            subject=subject,
            outline=told.words(basic.disease_information.severity),
            known=_shown(basic, BasicSections),
            example=_shown(_example(), ExaminationSections),
        )
        task = Write(
            wanted=("examination_results",),
            subject=subject,
            outline=told.outline,
            presentation=told.presentation,
            known=basic.model_dump(mode="json"),
        )
        prompt = Prompt(
            task, messages, ExaminationSections, GENERATING, f"{replicate}/examinations"
        )
        return await context.role("generator").ask(prompt)


@cache
def _example() -> RecordSections:
    return RecordSections.model_validate_json(EXAMPLE.read_text(encoding="utf-8"))


def _shown(sections: BaseModel, part: type[BaseModel]) -> str:
    """The named part of some sections as indented JSON."""
    dumped = sections.model_dump(mode="json", include=set(part.model_fields))
    return json.dumps(dumped, indent=1, ensure_ascii=False)
