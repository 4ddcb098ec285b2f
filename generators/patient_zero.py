"""Full Patient-Zero: the multi-step method grounded in the disease outline (paper section 3.1).

Beside the outline the writer is told how the illness ran, drawn from the outline's weights by the
case's seed: our reading of the paper's "temporal probability distributions".
"""

from pathlib import Path
from typing import ClassVar, Literal

from bench.api.context import Context
from bench.api.generator import GeneratorCard
from bench.backbones.prompt import JUDGING, Answer, Prompt
from bench.backbones.requests import Judge, Verdict
from bench.backbones.templates import Template
from bench.knowledge.cases import Case
from bench.knowledge.course import draw_presentation
from bench.knowledge.description import describe
from bench.records.formats import Text
from bench.records.record import Origin, PatientRecord
from generators.multi_step import Knowledge, MultiStep

CHECK = Template(Path(__file__).with_name("patient_zero.check.j2"))
TRIES = 3
"""Most verdicts asked of one record with `plausibility="regenerate"`."""


class PatientZero(MultiStep):
    """Outline, basic information, examination results.

    `plausibility="cross-reference"` (default) checks inside the examination prompt, as the paper's
    section 3.1 says. `plausibility="regenerate"` asks the generator's own backbone for a verdict on
    the finished record and writes it anew, at most twice, where a section is not aligned; that
    pre-filters by what the accuracy judge reads, so the regenerated share is kept and shown.
    """

    card: ClassVar[GeneratorCard] = GeneratorCard(
        name="patient-zero",
        summary="Outline, then two one-shot steps grounded in it (the paper's Patient-Zero).",
        prompts=(*MultiStep.card.prompts, CHECK.path),
    )

    def __init__(
        self, *, plausibility: Literal["cross-reference", "regenerate"] = "cross-reference"
    ) -> None:
        """Choose how plausibility is checked while generating."""
        self.plausibility = plausibility

    def knowledge(self, case: Case, context: Context) -> Knowledge:
        """The outline of the case's disease and a course drawn by the case's seed."""
        outline = context.outlines.get(case.disease)
        return Knowledge(
            outline, draw_presentation(outline, case.gender, case.age_group, case.seed)
        )

    async def write(self, case: Case, context: Context) -> PatientRecord:
        """The record of one case."""
        record = await self.draft(case, context, case.id)
        if self.plausibility == "cross-reference":
            return record
        keys = _keys(record)
        for rewritten in range(TRIES):
            verdict = await self._check(case, record, context, f"{case.id}/check-{rewritten}")
            keys += verdict.keys
            if verdict.value.accurate or rewritten == TRIES - 1:
                break
            record = await self.draft(case, context, f"{case.id}/rewritten-{rewritten + 1}")
            keys += _keys(record)
        origin = Origin(
            generator=self.card.name,
            backbone=context.role("generator").name,
            disease=case.disease,
            keys=keys,
            rewritten=rewritten,
        )
        return record.model_copy(update={"origin": origin})

    async def _check(
        self, case: Case, record: PatientRecord, context: Context, replicate: str
    ) -> Answer[Verdict]:
        outline = context.outlines.get(case.disease)
        messages = CHECK.messages(
            outline_name=outline.name,
            outline=describe(outline),
            record=Text().render(record, identity=False),
        )
        task = Judge(record=record.sections(), outline=outline)
        prompt = Prompt(task, messages, Verdict, JUDGING, replicate)
        return await context.role("generator").ask(prompt)


def _keys(record: PatientRecord) -> tuple[str, ...]:
    return record.origin.keys if record.origin else ()
