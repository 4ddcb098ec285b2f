"""Triplet evaluation: what a statement is to each fact (paper equation 1)."""

from collections.abc import Container, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from bench.api.context import Context
from bench.backbones.nli import CrossEncoder
from bench.backbones.prompt import JUDGING, Answer, AskError, Prompt
from bench.backbones.requests import LabelFacts, Labels, StatementLabels
from bench.backbones.respondent import Respondent
from bench.backbones.templates import Template
from bench.core.concurrency import ordered_map
from bench.core.errors import UserError
from bench.core.registry import nearest
from bench.core.text import sentences
from bench.journal.journal import Journal
from bench.records.dialogue import Fact
from bench.records.label import Label

PROMPT = Template(Path(__file__).with_name("label.j2"))
ROLE = "triplets"
ENGINES = ("batched", "per-fact", "nli/MODEL")
_WEIGHT: dict[Label, int] = {"neutral": 0, "entail": 1, "contradict": 2}


@dataclass(frozen=True)
class Labelling:
    """The labels of some statements."""

    labels: tuple[dict[str, Label], ...]
    """For each statement the label of each fact by id; neutral ones are left out."""
    calls: int
    """Evaluations that were asked or computed for it."""
    keys: tuple[str, ...]
    """Journal keys of them."""


class Engine(Protocol):
    """Relates statements to facts."""

    name: str
    """What labels and how, for instance "batched:openai/gpt-4o"."""

    async def label(
        self, statements: Sequence[str], facts: Sequence[Fact], question: str, replicate: str
    ) -> Labelling:
        """The labels of statements, in their order; `question` is what they answer.

        Raises:
            AskError: nobody could say.
        """
        ...


class ByModel:
    """A backbone, asked once for all facts, or once for each fact as in Algorithm 1.

    The algorithm stops at the first contradiction. Here every fact is asked for, several at a
    time: what is accepted is the same, and a regeneration can be told of all that it contradicts.
    """

    def __init__(self, respondent: Respondent, *, at_once: int, per_fact: bool) -> None:
        """Label by who answers in the role, with so many calls at once."""
        self.name = f"{'per-fact' if per_fact else 'batched'}:{respondent.pinned}"
        self._respondent = respondent
        self._at_once = at_once
        self._per_fact = per_fact

    async def label(
        self, statements: Sequence[str], facts: Sequence[Fact], question: str, replicate: str
    ) -> Labelling:
        labels: tuple[dict[str, Label], ...] = tuple({} for _ in statements)
        if not statements or not facts:
            return Labelling(labels, 0, ())
        calls = [(tuple(facts), replicate)]
        if self._per_fact:
            calls = [((fact,), f"{replicate}/{fact.id}") for fact in facts]

        async def ask(call: tuple[Sequence[Fact], str]) -> Answer[Labels]:
            return await _ask(self._respondent, statements, call[0], question, call[1])

        keys: list[str] = []
        places = iter(calls)
        try:
            async for answer in ordered_map(ask, calls, self._at_once):
                keys += answer.keys
                parts = _read(answer.value, len(statements), next(places)[0])
                for whole, part in zip(labels, parts, strict=True):
                    whole.update(part)
        except AskError as failure:
            raise failure.after(tuple(keys)) from failure
        return Labelling(labels, len(calls), tuple(keys))


class ByInference:
    """A local cross-encoder, on each pair of a sentence and a fact.

    A statement contradicts a fact if any of its sentences does, and entails it if any entails and
    none contradicts. The question is not shown to the model: a bare "Yes" is neutral to all.
    """

    def __init__(self, model: str, journal: Journal) -> None:
        """Find the model: a folder, or a name on the hub.

        Raises:
            UserError: it cannot be used.
        """
        self._model = CrossEncoder(model, journal)
        self.name = f"{self._model.name}@{self._model.identity[:16]}"

    async def label(
        self, statements: Sequence[str], facts: Sequence[Fact], question: str, replicate: str
    ) -> Labelling:
        split = [sentences(statement) for statement in statements]
        flat = [sentence for own in split for sentence in own]
        if not flat or not facts:
            return Labelling(tuple({} for _ in statements), 0, ())
        inferred = iter(await self._model.infer(flat, [fact.text for fact in facts]))
        labels, keys = [], []
        for own in split:
            rows = [next(inferred) for _ in own]
            keys += [key for _, key in rows]
            columns = zip(*(row for row, _ in rows), strict=True)
            gravest = [max(column, key=_WEIGHT.__getitem__) for column in columns]
            labels.append(
                {
                    fact.id: label
                    for fact, label in zip(facts, gravest, strict=False)
                    if label != "neutral"
                }
            )
        return Labelling(tuple(labels), len(flat) * len(facts), tuple(keys))


async def _ask(
    respondent: Respondent,
    statements: Sequence[str],
    facts: Sequence[Fact],
    question: str,
    replicate: str,
) -> Answer[Labels]:
    task = LabelFacts(
        statements=tuple(statements),
        facts={fact.id: fact.text for fact in facts},
        question=question,
    )
    messages = PROMPT.messages(statements=statements, facts=facts, question=question)

    def check(answer: Labels) -> None:
        check_labels(answer.statements, len(statements), task.facts)

    return await respondent.ask(Prompt(task, messages, Labels, JUDGING, replicate, check))


def check_labels(statements: Sequence[StatementLabels], count: int, known: Container[str]) -> None:
    """See that there is one entry for each of `count` statements, and each fact named is known.

    A strange id that is called neutral says nothing and does no harm.

    Raises:
        ValueError: in words for the model that gave the labels.
    """
    numbers = [entry.statement for entry in statements]
    if sorted(numbers) != list(range(1, count + 1)):
        wanted = "for statement 1" if count == 1 else f"for each of the statements 1 to {count}"
        given = ", ".join(map(str, numbers[:20])) or "none"
        raise ValueError(
            f"statements: exactly one entry is wanted {wanted}, with an empty list of labels if it "
            f"is neutral to all facts; there are entries for: {given}"
        )
    strange = [
        repr(label.fact[:40])
        for entry in statements
        for label in entry.labels
        if label.label != "neutral" and fact_id(label.fact) not in known
    ]
    if strange:
        raise ValueError(
            f"labels: there are no facts {', '.join(strange[:5])}; name each fact by its id alone, "
            "as it is written before the fact"
        )


def fact_id(named: str) -> str:
    """The id of a fact as a model may write it: "f3", "[F3]", "F3:" and "F3: Age: 29" are F3."""
    about = " \t\n[]()<>:.,*'\""
    return named.strip(about).partition(":")[0].strip(about).upper()


def _read(answer: Labels, count: int, facts: Sequence[Fact]) -> tuple[dict[str, Label], ...]:
    """The checked labels by statement, in the order of the facts.

    Of two labels for one pair the graver holds.
    """
    read: list[dict[str, Label]] = [{} for _ in range(count)]
    for statement in answer.statements:
        own = read[statement.statement - 1]
        for given in statement.labels:
            name = fact_id(given.fact)
            own[name] = max(own.get(name, "neutral"), given.label, key=_WEIGHT.__getitem__)
    return tuple(
        {fact.id: own[fact.id] for fact in facts if own.get(fact.id, "neutral") != "neutral"}
        for own in read
    )


def make_engine(text: str, context: Context) -> Engine:
    """The engine that a setting names: "batched", "per-fact" or "nli/MODEL".

    Raises:
        UserError: there is no such engine, nobody is named to label, or a model cannot be used.
    """
    if text in ("batched", "per-fact"):
        return ByModel(context.role(ROLE), at_once=context.at_once, per_fact=text == "per-fact")
    if text.startswith("nli/"):
        return ByInference(text.removeprefix("nli/"), context.journal)
    raise UserError(f"there is no triplet engine {text!r}{nearest(text, list(ENGINES))}")
