"""Dialogue consistency: share of answers that contradict nothing (paper section 4.3, Table 4)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from bench.agents.memory import decompose_record
from bench.agents.triplets import check_labels, fact_id
from bench.api.context import Context
from bench.api.evaluation import Evaluation, Reason
from bench.api.failure import Failure, guarded
from bench.api.metric import MetricCard
from bench.backbones.prompt import JUDGING, Prompt
from bench.backbones.requests import LabelFacts, StatementLabels
from bench.backbones.templates import Template
from bench.core.concurrency import ordered_map
from bench.core.schema import Model
from bench.records.dialogue import Dialogue, Fact

PROMPT = Template(Path(__file__).with_name("dialogue_consistency.j2"))
ROLE = "judge"
NO_RECORD = "no record to compare with (add --records FILE)"
SELF_CHECKED = "by construction: who judged had also checked the replies as they were made"


class AnswerVerdict(Model):
    """The judge's answer on one reply, reasons first."""

    reasons: str
    """What was compared and what was found."""
    statements: tuple[StatementLabels, ...]


@dataclass(frozen=True)
class Said:
    """What the patient said in an earlier round."""

    fact: Fact
    question: str
    answer: str


@dataclass(frozen=True)
class JudgedAnswer:
    """One answer and what it must not contradict."""

    dialogue: str
    """Id of the dialogue."""
    where: str
    """Round and turn, for instance "r2/t3"."""
    question: str
    answer: str
    facts: tuple[Fact, ...]
    said: tuple[Said, ...]

    @property
    def name(self) -> str:
        """Dialogue, round and turn, for instance "10024/r2/t3"."""
        return f"{self.dialogue}/{self.where}"


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

        async def attempt(case: JudgedAnswer) -> Reason | Failure:
            return await guarded(judge(case, context), case.name, "scoring")

        judged = [given async for given in ordered_map(attempt, cases(dialogue), context.at_once)]
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
            f"temperature-asked:{JUDGING.temperature:g}",
            "against:record, answers of earlier rounds",
            "one verdict an answer",
        )
        return "|".join(parts)


def cases(dialogue: Dialogue) -> Iterator[JudgedAnswer]:
    """The answers of a dialogue that has a record."""
    if dialogue.record is None:
        raise ValueError(f"{dialogue.id} has no record")
    facts = decompose_record(dialogue.record)
    earlier: tuple[Said, ...] = ()
    for number, sitting in enumerate(dialogue.rounds, start=1):
        said: list[Said] = []
        for turn, exchange in enumerate(sitting.exchanges, start=1):
            if exchange.answer is None:
                continue
            where = f"r{number}/t{turn}"
            yield JudgedAnswer(
                dialogue.id, where, exchange.question, exchange.answer, facts, earlier
            )
            text = f"Said in round {number}: {exchange.answer}"
            fact = Fact(id=f"S{number}.{turn}", text=text, round=number, turn=turn)
            said.append(Said(fact, exchange.question, exchange.answer))
        earlier += tuple(said)


async def judge(case: JudgedAnswer, context: Context) -> Reason:
    """The verdict on an answer: 1 if it contradicts nothing, with the facts that it does.

    Raises:
        AskError: the judge gives no verdict, or even when asked again one on a fact that there is
            not.
    """
    known = {fact.id: fact.text for fact in (*case.facts, *(said.fact for said in case.said))}
    request = LabelFacts(statements=(case.answer,), facts=known, question=case.question)
    messages = PROMPT.messages(
        facts=case.facts, said=case.said, question=case.question, answer=case.answer
    )

    def check(finding: AnswerVerdict) -> None:
        check_labels(finding.statements, 1, known)

    prompt = Prompt(request, messages, AnswerVerdict, JUDGING, case.name, check)
    answer = await context.role(ROLE).ask(prompt)
    labels = answer.value.statements[0].labels
    named = [fact_id(label.fact) for label in labels if label.label == "contradict"]
    return Reason(
        where=case.where,
        value=float(not named),
        text=answer.value.reasons,
        contradicted={fact: known[fact] for fact in named},
        keys=answer.keys,
    )
