"""Dialogue consistency: share of answers that contradict nothing (paper section 4.3, Table 4)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar

from bench.agents.memory import decompose_record
from bench.agents.triplets import check_labels, fact_id
from bench.api.context import Context
from bench.api.evaluation import Evaluation, Reason
from bench.api.failure import Failure, guarded
from bench.api.metric import MetricCard
from bench.backbones.prompt import JUDGING, Prompt
from bench.backbones.requests import LabelFacts, Reasons, StatementLabels
from bench.backbones.templates import Template
from bench.core.concurrency import ordered_map
from bench.core.schema import Model, asked
from bench.records.dialogue import Dialogue, Fact

PROMPT = Template(Path(__file__).with_name("dialogue_consistency.j2"))
ROLE = "judge"
NO_RECORD = "no record to compare with (add --records FILE)"
SELF_CHECKED = "by construction: who judged had also checked the replies as they were made"


class AnswerVerdict(Model):
    """The judge's answer on one reply, reasons first."""

    reasons: Reasons
    """What was compared and what was found."""
    statements: Annotated[tuple[StatementLabels, ...], asked(minItems=1, maxItems=1)]


@dataclass(frozen=True)
class SaidAnswer:
    """One answer of a dialogue."""

    where: str
    """Round and turn, for instance "r2/t3"."""
    question: str
    answer: str
    fact: Fact
    """That it was said: what answers of later rounds must not contradict."""


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
        needs=(ROLE,),
        prompts=(PROMPT.path,),
        takes="dialogues",
        per="answer",
    )

    async def evaluate(self, dialogue: Dialogue, context: Context) -> Evaluation:
        """One value an answer, 1 where nothing is contradicted; one exchange each."""
        if dialogue.record is None:
            missing = {"": len(dialogue.answered())}
            return Evaluation(left_out={"": NO_RECORD}, missing=missing)

        facts = decompose_record(dialogue.record)
        answers = list(said_in(dialogue))

        async def attempt(said: SaidAnswer) -> Reason | Failure:
            earlier = [one for one in answers if (one.fact.round or 0) < (said.fact.round or 0)]
            name = f"{dialogue.id}/{said.where}"
            return await guarded(judge(said, facts, earlier, name, context), name, "scoring")

        judged = [given async for given in ordered_map(attempt, answers, context.at_once)]
        checker = dialogue.origin.triplets.partition(":")[2] if dialogue.origin else ""
        reasons = tuple(given for given in judged if isinstance(given, Reason))
        failures = tuple(given for given in judged if isinstance(given, Failure))
        return Evaluation(
            values={"": tuple(reason.value for reason in reasons if reason.value is not None)},
            missing={"": len(failures)} if failures else {},
            reasons=reasons,
            keys=tuple(key for reason in reasons for key in reason.keys),
            notes=(SELF_CHECKED,) if checker == context.role(ROLE).pinned else (),
            failures=failures,
        )

    def signature(self, context: Context) -> str:
        """The judge, its prompt and what an answer is held against."""
        parts = (
            f"judge:{context.role(ROLE).pinned}",
            f"prompt:{PROMPT.sha256[:12]}",
            f"temperature-asked:{context.role(ROLE).temperature(JUDGING):g}",
            "against:record, answers of earlier rounds",
            "one verdict an answer",
        )
        return "|".join(parts)


def said_in(dialogue: Dialogue) -> Iterator[SaidAnswer]:
    """The answers of a dialogue in order."""
    for number, sitting in enumerate(dialogue.rounds, start=1):
        for turn, exchange in enumerate(sitting.exchanges, start=1):
            if exchange.answer is not None:
                text = f"Said in round {number}: {exchange.answer}"
                fact = Fact(id=f"S{number}.{turn}", text=text, round=number, turn=turn)
                yield SaidAnswer(f"r{number}/t{turn}", exchange.question, exchange.answer, fact)


async def judge(
    said: SaidAnswer,
    facts: Sequence[Fact],
    earlier: Sequence[SaidAnswer],
    name: str,
    context: Context,
) -> Reason:
    """The verdict on an answer: 1 if it contradicts nothing, with the facts that it does.

    `facts` are the record's, `earlier` the answers of the rounds before, `name` the replicate.

    Raises:
        AskError: the judge gives no verdict, or even when asked again one on a fact that there is
            not.
    """
    known = {fact.id: fact.text for fact in (*facts, *(one.fact for one in earlier))}
    request = LabelFacts(statements=(said.answer,), facts=known, question=said.question)
    messages = PROMPT.messages(
        facts=facts, said=earlier, question=said.question, answer=said.answer
    )

    def check(finding: AnswerVerdict) -> None:
        check_labels(finding.statements, 1, known)

    prompt = Prompt(request, messages, AnswerVerdict, JUDGING, name, check)
    answer = await context.role(ROLE).ask(prompt)
    labels = answer.value.statements[0].labels
    named = [fact_id(label.fact) for label in labels if label.label == "contradict"]
    return Reason(
        where=said.where,
        value=float(not named),
        text=answer.value.reasons,
        contradicted={fact: known[fact] for fact in named},
        keys=answer.keys,
    )
