"""Accuracy: share of records precisely aligned with medical standards (paper section 4.1.2).

A judge reads the record and the disease outline, reasons, and gives a verdict on each section; a
record is accurate if every section is aligned.
"""

from functools import partial
from pathlib import Path
from typing import ClassVar

from bench.api.context import Context
from bench.api.failure import Failure, guarded
from bench.api.metric import Items, MetricCard, Score
from bench.backbones.prompt import JUDGING, Answer, AskError, Prompt
from bench.backbones.requests import Judge, Verdict
from bench.backbones.templates import Template
from bench.core.concurrency import ordered_map
from bench.knowledge.description import describe
from bench.knowledge.outline import Outline
from bench.records.formats import Text
from bench.records.record import SECTIONS, PatientRecord
from bench.scoring.intervals import wilson

PROMPT = Template(Path(__file__).with_name("accuracy.j2"))
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
        needs=("judge",),
        prompts=(PROMPT.path,),
    )

    async def score(self, items: Items, context: Context) -> tuple[Score, ...]:
        """Accuracy, then the share of aligned verdicts for each section; one exchange a record."""
        judged: dict[str, tuple[Verdict, str]] = {}
        keys: dict[str, tuple[str, ...]] = {}
        failures: list[Failure] = []
        by_rules = 0

        async def attempt(record: PatientRecord) -> tuple[PatientRecord, Answer[Verdict] | Failure]:
            return record, await guarded(judge(record, context), record.id, self.card.name)

        async for record, found in ordered_map(attempt, items, context.at_once):
            if isinstance(found, Failure):
                failures.append(found)
                continue
            judged[record.id] = (found.value, record.department)
            keys[record.id] = found.keys
            by_rules += record.origin is not None and record.origin.backbone == "rules"
        share = partial(
            _share,
            n_missing=items.missing + len(failures),
            signature=self._signature(context),
            notes=self._notes(context, by_rules),
        )
        whole = share(self.card.name, {name: (v.accurate, d) for name, (v, d) in judged.items()})
        sections = (
            share(
                f"{self.card.name}/{section}",
                {name: (getattr(v, section).aligned, d) for name, (v, d) in judged.items()},
            )
            for section in SECTIONS
        )
        return (whole.model_copy(update={"keys": keys, "failures": tuple(failures)}), *sections)

    def _notes(self, context: Context, by_rules: int) -> tuple[str, ...]:
        if not context.role("judge").stand_in:
            return ()
        return (BY_CONSTRUCTION,) if by_rules else ("judged by the rules, a stand-in",)

    def _signature(self, context: Context) -> str:
        parts = (
            f"judge:{context.role('judge').pinned}",
            f"prompt:{PROMPT.sha256[:12]}",
            f"outlines:{context.outlines.digest[:12]}",
            f"temperature-asked:{JUDGING.temperature:g}",
            "view:text",
            "accurate:all sections",
        )
        return "|".join(parts)


async def judge(record: PatientRecord, context: Context) -> Answer[Verdict]:
    """The judge's verdict on one record, against the outline of its planned or stated disease.

    Raises:
        AskError: if there is no such outline, or the judge gives no verdict.
    """
    outline = outline_of(record, context)
    messages = PROMPT.messages(
        outline=describe(outline), record=Text().render(record, identity=False)
    )
    task = Judge(record=record.sections(), outline=outline)
    return await context.role("judge").ask(Prompt(task, messages, Verdict, JUDGING, record.id))


def outline_of(record: PatientRecord, context: Context) -> Outline:
    """The outline of the disease that was planned, or else that the record states.

    Raises:
        AskError: if the knowledge has no such disease.
    """
    planned = record.origin.disease if record.origin else None
    disease = planned or record.disease_information.disease
    outline = context.outlines.find(disease)
    if outline is None:
        raise AskError(f"no outline of {disease!r}: the record cannot be judged")
    return outline


def _share(
    name: str,
    verdicts: dict[str, tuple[bool, str]],
    *,
    n_missing: int,
    signature: str,
    notes: tuple[str, ...],
) -> Score:
    """A share with its interval and bounds from the verdict and department of each record."""
    n = len(verdicts)
    right = sum(verdict for verdict, _ in verdicts.values())
    planned = n + n_missing
    departments: dict[str, list[bool]] = {}
    for verdict, department in verdicts.values():
        departments.setdefault(department, []).append(verdict)
    return Score(
        metric=name,
        value=right / n if n else None,
        unit="share",
        better="higher",
        n=n,
        n_missing=n_missing,
        interval=wilson(right, n),
        bounds=(right / planned, (right + n_missing) / planned) if planned else None,
        signature=signature,
        notes=notes if n else (*notes, "no verdict to count"),
        departments={name: sum(found) / len(found) for name, found in departments.items()},
        items={name: float(verdict) for name, (verdict, _) in verdicts.items()},
    )
