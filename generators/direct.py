"""Direct generation: the whole record from one prompt (paper section 4.2, "Direct")."""

from pathlib import Path

from bench.api.context import Context
from bench.api.generator import GeneratorCard, plan_check, subject_of
from bench.backbones.prompt import GENERATING, Prompt
from bench.backbones.requests import Write
from bench.backbones.templates import Template
from bench.knowledge.cases import Case
from bench.records.record import SECTIONS, Origin, PatientRecord, RecordSections

PROMPT = Template(Path(__file__).with_name("direct.j2"))


class Direct:
    """One prompt names the disease, gender and age; no outline, no example, no steps."""

    card = GeneratorCard(
        name="direct",
        summary="The whole record from one prompt, without outline (the paper's Direct).",
        prompts=(PROMPT.path,),
    )

    async def write(self, case: Case, context: Context) -> PatientRecord:
        """The record of one case, by one exchange."""
        subject = subject_of(case)
        writer = context.role("generator")
        answer = await writer.ask(
            Prompt(
                request=Write(wanted=SECTIONS, subject=subject),
                messages=PROMPT.messages(subject=subject),
                answer=RecordSections,
                sampling=GENERATING,
                replicate=case.id,
                check=plan_check(case, context.outlines),
            )
        )
        origin = Origin(
            generator=self.card.name,
            backbone=writer.name,
            disease=case.disease,
            keys=answer.keys,
        )
        return PatientRecord.compose(
            answer.value, id=case.id, department=case.department, origin=origin
        )
