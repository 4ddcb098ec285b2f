"""A patient agent: answers from memory, checks what it says, learns what is new (Algorithm 1).

Where the algorithm and the paper's text are silent or at odds, DESIGN section 7 ("Triplets") and
docs/protocol.md say what holds: new facts are staged and join the memory only with an accepted
reply, a reply is made anew at most `REGENERATIONS` times, and neutrality is tested for each new
fact, not for the reply.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.agents.memory import Memory, distinct, extract
from bench.agents.styles import style
from bench.agents.triplets import Engine
from bench.backbones.prompt import (
    GENERATING,
    Answer,
    AskError,
    Invalid,
    Message,
    Prompt,
    Refused,
)
from bench.backbones.requests import Reply, Turn
from bench.backbones.respondent import Respondent
from bench.backbones.templates import Template
from bench.records.dialogue import Attempt, Exchange, Fact, Learned, Updating
from bench.records.label import Label

PROMPT = Template(Path(__file__).with_name("patient.j2"))
REGENERATIONS = 5
"""How often a reply that contradicts memory is made anew; then the last one is sent, flagged."""


@dataclass(frozen=True)
class _News:
    """What an accepted reply adds to memory."""

    learned: tuple[Learned, ...] = ()
    calls: int = 0
    """Evaluations that it took."""
    keys: tuple[str, ...] = ()
    lost: str | None = None
    """Why nothing could be learned."""


class Patient:
    """Somebody to talk to who stays consistent with a record.

    With updating "none" this is the agent as first built, without the triplet loop: it answers
    from memory, nothing it says is checked, and it learns nothing (the paper's block "w/o memory
    update").
    """

    def __init__(
        self,
        memory: Memory,
        manner: Mapping[str, str],
        respondent: Respondent,
        engine: Engine | None,
        updating: Updating,
        replicate: str,
    ) -> None:
        """`replicate` tells this interview from every other: the journal's keys hold it.

        There is an engine exactly where memory is updated.

        Raises:
            UserError: for an unknown style.
        """
        self.memory = memory
        """What the patient knows now; it grows as facts are accepted."""
        self.manner = dict(manner)
        """How it is to be, by axis."""
        self._style = style(manner["style"]) if "style" in manner else None
        self._respondent = respondent
        self._engine = engine
        self._updating = updating
        self.replicate = replicate
        """What tells this interview from every other in the journal's keys."""

    async def answer(
        self, question: str, history: Sequence[Turn], round: int, turn: int
    ) -> Exchange:
        """The patient's answer and all that went into it; memory has what was learned by it.

        `history` is this round so far; `round` and `turn` count from 1.

        What a reply states may be refused or unreadable, or its labels: nothing is learned then,
        the exchange says why, and the dialogue goes on. A reply that cannot be checked ends it.

        Raises:
            AskError: somebody gave no answer; memory is then as it was before.
        """
        where = f"{self.replicate}/r{round}/t{turn}"
        attempts: list[Attempt] = []
        calls = 0
        try:
            for number in range(1 + REGENERATIONS):
                attempt, spent = await self._attempt(
                    question, history, self._contradicted(attempts), f"{where}/try{number}"
                )
                attempts.append(attempt)
                calls += spent
                if not attempt.contradicted:
                    break
            flagged = bool(attempts[-1].contradicted)
            news = _News()
            if self._engine is not None and not flagged:
                last = attempts[-1]
                news = await self._news(self._engine, question, last.reply, (round, turn), where)
                attempts[-1] = last.model_copy(update={"keys": (*last.keys, *news.keys)})
        except AskError as failure:
            before = tuple(key for attempt in attempts for key in attempt.keys)
            raise failure.after(before) from failure
        self.memory.learn(news.learned)
        return Exchange(
            question=question,
            answer=attempts[-1].reply,
            attempts=tuple(attempts),
            flagged=flagged,
            learned=news.learned,
            lost=news.lost,
            calls=calls + news.calls,
        )

    def _contradicted(self, attempts: Sequence[Attempt]) -> tuple[str, ...]:
        """The facts that any attempt so far contradicts, in words."""
        ids = {fact for attempt in attempts for fact in attempt.contradicted}
        return tuple(fact.text for fact in self.memory.facts if fact.id in ids)

    async def _attempt(
        self, question: str, history: Sequence[Turn], avoid: tuple[str, ...], where: str
    ) -> tuple[Attempt, int]:
        """One reply with its labels, and the evaluations it took."""
        answer = await self._reply(question, history, avoid, where)
        reply = answer.value.strip()
        if self._engine is None:
            return Attempt(reply=reply, keys=answer.keys), 0
        try:
            labelling = await self._engine.label(
                (reply,), self.memory.facts, question, f"{where}/label"
            )
        except AskError as failure:
            raise failure.after(answer.keys) from failure
        attempt = Attempt(
            reply=reply, labels=labelling.labels[0], keys=(*answer.keys, *labelling.keys)
        )
        return attempt, labelling.calls

    async def _reply(
        self, question: str, history: Sequence[Turn], avoid: tuple[str, ...], where: str
    ) -> Answer[str]:
        memory = self.memory.render()
        first, last = PROMPT.messages(
            memory=memory, style=self._style, question=question, avoid=avoid
        )
        conversation = tuple(
            message
            for turn in history
            for message in (
                Message("user", turn.question),
                Message("assistant", turn.answer or ""),
            )
        )
        task = Reply(
            memory=memory,
            manner=self.manner,
            history=tuple(history),
            question=question,
            avoid=avoid,
        )
        messages = (first, *conversation, last)
        return await self._respondent.ask(Prompt(task, messages, str, GENERATING, where))

    async def _news(
        self, engine: Engine, question: str, reply: str, when: tuple[int, int], where: str
    ) -> _News:
        """What an accepted reply adds to memory; nothing if that cannot be had or labelled.

        A new fact is held against the memory and against those of the same reply that were taken
        before it, all by one labelling. An endpoint out of reach is no loss but a failure: the
        same command asks it again.
        """
        held = self.memory.facts
        try:
            extracted = await extract(reply, question, self._respondent, f"{where}/extract")
        except (Refused, Invalid) as failure:
            return _News(keys=failure.keys, lost=f"what it states: {failure.reason}")
        texts = distinct(extracted.value.facts, [fact.text for fact in held])
        if not texts:
            return _News(keys=extracted.keys)
        staged = [Fact(id=f"N{number}", text=text) for number, text in enumerate(texts, start=1)]
        try:
            labelling = await engine.label(texts, (*held, *staged[:-1]), "", f"{where}/news")
        except (Refused, Invalid) as failure:
            keys = (*extracted.keys, *failure.keys)
            return _News(keys=keys, lost=f"its labels: {failure.reason}")
        except AskError as failure:
            raise failure.after(extracted.keys) from failure
        taken: dict[str, Learned] = {}
        names = {fact.id: fact.id for fact in held}
        for fact, labels in zip(staged, labelling.labels, strict=True):
            # Facts of this reply count once they are taken, under the id they got then.
            known = {names[other]: label for other, label in labels.items() if other in names}
            if self._admits(known):
                names[fact.id] = f"F{len(held) + len(taken) + 1}"
                admitted = Fact(id=names[fact.id], text=fact.text, round=when[0], turn=when[1])
                taken[fact.id] = Learned(fact=admitted, reply=reply, labels=known)
        return _News(tuple(taken.values()), labelling.calls, (*extracted.keys, *labelling.keys))

    def _admits(self, labels: dict[str, Label]) -> bool:
        """Whether a new fact with these labels may join the memory."""
        if self._updating == "strict":
            return not labels  # neutral to all: neutral labels are left out
        return "contradict" not in labels.values()
