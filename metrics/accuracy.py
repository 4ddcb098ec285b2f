"""Accuracy: share of records precisely aligned with medical standards (paper section 4.1.2).

A judge reads the record and the disease outline, reasons, and gives a verdict on each section; a
record is accurate if every section is aligned.
"""

from pathlib import Path
from typing import ClassVar

from bench.api.context import Context
from bench.api.evaluation import Evaluation, Reason
from bench.api.metric import MetricCard, PartCard
from bench.backbones.prompt import JUDGING, Answer, AskError, Prompt
from bench.backbones.requests import Judge, Verdict
from bench.backbones.templates import Template
from bench.knowledge.description import describe
from bench.records.formats import Text
from bench.records.record import SECTIONS, PatientRecord

PROMPT = Template(Path(__file__).with_name("accuracy.j2"))
ROLE = "judge"
BY_CONSTRUCTION = "by construction: the rules wrote and judged from the same knowledge"


class Accuracy:
    """Share of records whose every section the judge finds aligned.

    The denominator is the parsed verdicts; beside it stand the number missing and the bounds that
    the share would have with all of those wrong or all right. The sections' own shares follow.
    """

    card: ClassVar[MetricCard] = MetricCard(
        name="accuracy",
        summary="Share of records that a judge finds aligned with the outline in every section.",
        unit="share",
        better="higher",
        needs=(ROLE,),
        prompts=(PROMPT.path,),
        parts=tuple(PartCard(section) for section in SECTIONS),
    )

    async def evaluate(self, record: PatientRecord, context: Context) -> Evaluation:
        """Whether a record is accurate, and each section aligned; one exchange.

        Raises:
            AskError: there is no verdict.
        """
        answer = await judge(record, context)
        by_rules = record.origin is not None and record.origin.backbone == "rules"
        verdicts = {section: getattr(answer.value, section) for section in SECTIONS}
        aligned = {section: (float(verdict.aligned),) for section, verdict in verdicts.items()}
        reasons = (
            Reason(where=section, value=verdict.aligned, text=verdict.reasons, keys=answer.keys)
            for section, verdict in verdicts.items()
        )
        return Evaluation(
            values={"": (float(answer.value.accurate),), **aligned},
            reasons=tuple(reasons),
            keys=answer.keys,
            notes=(BY_CONSTRUCTION,) if by_rules and context.role(ROLE).stand_in else (),
        )

    def signature(self, context: Context) -> str:
        """The judge, its prompt and the knowledge it reads."""
        parts = (
            f"judge:{context.role(ROLE).pinned}",
            f"prompt:{PROMPT.sha256[:12]}",
            f"outlines:{context.outlines.digest[:12]}",
            f"temperature-asked:{context.role(ROLE).temperature(JUDGING):g}",
            "view:text",
            "accurate:all sections",
        )
        return "|".join(parts)


async def judge(record: PatientRecord, context: Context) -> Answer[Verdict]:
    """The judge's verdict on one record, against the outline of its planned or stated disease.

    Raises:
        AskError: if there is no such outline, or the judge gives no verdict.
    """
    outline = context.outlines.find(record.planned_disease)
    if outline is None:
        raise AskError(f"no outline of {record.planned_disease!r}: the record cannot be judged")
    messages = PROMPT.messages(
        outline=describe(outline), record=Text().render(record, identity=False)
    )
    task = Judge(record=record.sections(), outline=outline)
    return await context.role(ROLE).ask(Prompt(task, messages, Verdict, JUDGING, record.id))
