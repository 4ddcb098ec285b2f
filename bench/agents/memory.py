"""What a patient agent holds: a record in some format, as facts, and what it learned.

The facts are the same whatever the format, and so is what is checked against them; the format
decides only what the patient's prompt shows (paper section 4.3).
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from bench.backbones.prompt import JUDGING, Answer, Prompt
from bench.backbones.requests import Extract, Extracted
from bench.backbones.respondent import Respondent
from bench.backbones.templates import Template
from bench.core.registry import FORMATS
from bench.core.text import folded, one_line
from bench.records.dialogue import Fact, FormatName, Learned
from bench.records.formats import Format, remember
from bench.records.formats import facts as facts_of
from bench.records.record import PatientRecord

_EXTRACT = Template(Path(__file__).with_name("extract.j2"))
_PRIVATE = ("disease_information.disease", "profile.disposition")
"""Fields that the agent is told so as to be consistent with them, and is not to say."""


class Memory:
    """A patient agent's memory."""

    def __init__(
        self, record: PatientRecord, format: FormatName, *, facts: Iterable[Fact] | None = None
    ) -> None:
        """Hold a record; `facts` stand in for the decomposition by rule, as `decompose` makes.

        Raises:
            UserError: there is no such format, with the nearest name.
        """
        self.record = record
        self.format = format
        self._form: Format = FORMATS.make(format, {})
        self._facts = tuple(decompose_record(record) if facts is None else facts)
        self._built = len(self._facts)

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The record's facts, then what was learned, in order."""
        return self._facts

    def learn(self, learned: Iterable[Learned]) -> None:
        """Add facts that were accepted."""
        self._facts += tuple(gain.fact for gain in learned)

    def render(self) -> str:
        """What the patient's prompt shows."""
        lines = [one_line(fact.text) for fact in self._facts]
        return remember(self._form, self.record, lines[: self._built], lines[self._built :])


def decompose_record(record: PatientRecord) -> tuple[Fact, ...]:
    """The record's atomic facts by rule, F1 first; every value stands in one of them."""
    stated = [fact for fact in facts_of(record) if fact.path != "id"]
    return tuple(
        Fact(id=f"F{number}", text=str(fact), field=fact.path)
        for number, fact in enumerate(stated, start=1)
    )


def is_private(fact: Fact) -> bool:
    """Whether the patient is to act by a fact without telling it: the diagnosis is the doctor's."""
    return fact.field in _PRIVATE


async def decompose(text: str, respondent: Respondent, replicate: str) -> tuple[Fact, ...]:
    """The atomic facts of a free text, by a model.

    Raises:
        AskError: the model gives none that can be read.
    """
    answer = await extract(text, "", respondent, replicate)
    return tuple(
        Fact(id=f"F{number}", text=statement)
        for number, statement in enumerate(distinct(answer.value.facts), start=1)
    )


async def extract(
    text: str, question: str, respondent: Respondent, replicate: str
) -> Answer[Extracted]:
    """What a text states, by a model; `question` is what it answers, if it is an answer.

    Raises:
        AskError: the model gives nothing that can be read.
    """
    task = Extract(text=text, question=question)
    messages = _EXTRACT.messages(text=text, question=question)
    return await respondent.ask(Prompt(task, messages, Extracted, JUDGING, replicate))


def distinct(texts: Sequence[str], known: Iterable[str] = ()) -> list[str]:
    """Texts that are not empty, each once, without those known; case and spaces do not count."""
    seen = {_told(text) for text in known} | {""}
    kept = []
    for text in texts:
        if _told(text) not in seen:
            seen.add(_told(text))
            kept.append(one_line(text))
    return kept


def _told(text: str) -> str:
    return folded(text).rstrip(".")
