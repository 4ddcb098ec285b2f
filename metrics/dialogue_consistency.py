"""Dialogue consistency: share of answers that contradict nothing (paper section 4.3, Table 4)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench.agents.memory import decompose_record
from bench.agents.triplets import check_labels, fact_id
from bench.api.context import Context
from bench.api.failure import Failure, guarded
from bench.api.metric import MetricCard, Score, Talks
from bench.backbones.prompt import JUDGING, Prompt
from bench.backbones.requests import LabelTask, StatementLabels
from bench.backbones.templates import Template
from bench.core.concurrency import ordered_map
from bench.core.schema import Model
from bench.records.dialogue import Dialogue, Exchange, Fact
from bench.scoring.clusters import Pool, difference
from bench.scoring.intervals import Interval

PROMPT = Template(Path(__file__).with_name("dialogue_consistency.j2"))
NO_RECORD = "no record to compare with (add --records FILE)"
SELF_CHECKED = "by construction: who judged had also checked the replies as they were made"


class Finding(Model):
    """The judge's answer on one reply, reasons first."""

    reasons: str = ""
    """What was compared and what was found."""
    statements: tuple[StatementLabels, ...]


@dataclass(frozen=True)
class Said:
    """What the patient said in an earlier round."""

    fact: Fact
    question: str
    answer: str


@dataclass(frozen=True)
class Case:
    """One answer and what it must not contradict."""

    dialogue: Dialogue
    where: str
    """Dialogue, round and turn, for instance "10024/r2/t3"."""
    exchange: Exchange
    facts: tuple[Fact, ...]
    said: tuple[Said, ...]


@dataclass(frozen=True)
class Judged:
    """A verdict on one answer."""

    contradicted: tuple[str, ...]
    """Ids of what it contradicts: F1, F2, ... of the record, S1.3 for turn 3 of round 1."""
    keys: tuple[str, ...]


class DialogueConsistency:
    """Share of answers in which the judge finds no contradiction.

    An answer is held against every fact of the record and, from the second round on, against
    every answer of the rounds before. The denominator is the parsed verdicts; answers of dialogues
    without a record are missing. The interval is a bootstrap clustered by patient.
    """

    card: ClassVar[MetricCard] = MetricCard(
        name="dialogue-consistency",
        summary="Share of answers that contradict neither the record nor the rounds before.",
        unit="share",
        better="higher",
        needs=("judge",),
        prompts=(PROMPT.path,),
        takes="dialogues",
    )

    async def score(self, items: Talks, context: Context) -> tuple[Score, ...]:
        """The share; one exchange an answer."""
        pool = await self._judge(items, context)
        judge = context.role("judge")
        notes = ("judged by the rules, a stand-in",) if judge.stand_in else ()
        checkers = {one.origin.triplets.partition(":")[2] for one in items if one.origin}
        if judge.pinned in checkers:
            notes = (*notes, SELF_CHECKED)
        parts = (
            f"judge:{judge.pinned}",
            f"prompt:{PROMPT.sha256[:12]}",
            f"temperature-asked:{JUDGING.temperature:g}",
            "against:record, answers of earlier rounds",
            "one verdict an answer",
        )
        score = pool.score(
            self.card.name,
            self.card.unit,
            self.card.better,
            unseen=items.missing * max(pool.longest, items.answers),
            range_=(0.0, 1.0),
            signature="|".join(parts),
            notes=notes,
        )
        return (score,)

    async def compare(
        self, first: Talks, second: Talks, context: Context
    ) -> tuple[float, Interval | None, int] | None:
        """Share of the first minus that of the second on the patients both have verdicts of."""
        pools = [await self._judge(side, context) for side in (first, second)]
        return difference(*pools, share=True)

    async def _judge(self, items: Talks, context: Context) -> Pool:
        pool = Pool()

        async def attempt(case: Case) -> tuple[Case, Judged | Failure]:
            return case, await guarded(judge(case, context), case.where, self.card.name)

        async for case, found in ordered_map(attempt, _cases(items, pool), context.at_once):
            if isinstance(found, Failure):
                pool.fail(case.dialogue, found)
            else:
                pool.add(case.dialogue, [float(not found.contradicted)], found.keys)
        return pool


def _cases(items: Talks, pool: Pool) -> Iterator[Case]:
    """Every answer that can be judged; dialogues that cannot are counted."""
    for dialogue in items:
        if dialogue.record is None:
            pool.leave_out(dialogue, NO_RECORD, len(dialogue.exchanges()))
        else:
            pool.see(dialogue)
            yield from cases(dialogue)


def cases(dialogue: Dialogue) -> Iterator[Case]:
    """The answers of a dialogue that has a record."""
    if dialogue.record is None:
        raise ValueError(f"{dialogue.id} has no record")
    facts = decompose_record(dialogue.record)
    said: tuple[Said, ...] = ()
    for number, part in enumerate(dialogue.rounds, start=1):
        told: list[Said] = []
        for turn, exchange in enumerate(part.exchanges, start=1):
            where = f"{dialogue.id}/r{number}/t{turn}"
            yield Case(dialogue, where, exchange, facts, said)
            text = f"Said in round {number}: {exchange.answer}"
            fact = Fact(id=f"S{number}.{turn}", text=text, round=number, turn=turn)
            told.append(Said(fact, exchange.question, exchange.answer))
        said += tuple(told)


async def judge(case: Case, context: Context) -> Judged:
    """What an answer contradicts.

    Raises:
        AskError: the judge gives no verdict, or even when asked again one on a fact that there is
            not.
    """
    known = {fact.id: fact.text for fact in (*case.facts, *(one.fact for one in case.said))}
    task = LabelTask(
        statements=(case.exchange.answer,), facts=known, question=case.exchange.question
    )
    messages = PROMPT.messages(
        facts=case.facts,
        said=case.said,
        question=case.exchange.question,
        answer=case.exchange.answer,
    )

    def check(finding: Finding) -> None:
        check_labels(finding.statements, 1, known)

    prompt = Prompt(task, messages, Finding, JUDGING, case.where, check)
    answer = await context.role("judge").ask(prompt)
    labels = answer.value.statements[0].labels
    contradicted = tuple(fact_id(one.fact) for one in labels if one.label == "contradict")
    return Judged(contradicted, answer.keys)
