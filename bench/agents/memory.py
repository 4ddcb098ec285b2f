"""What a patient agent holds: a record in one of three formats, as facts, and what it learned.

The facts are the same whatever the format, and so is what is checked against them; the format
decides only what the patient's prompt shows (paper section 4.3).
"""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.backbones.prompt import JUDGING, Answer, Prompt
from bench.backbones.requests import Extract, Extracted
from bench.backbones.respondent import Respondent
from bench.backbones.templates import Template
from bench.records.dialogue import Fact, FormatName, Learned
from bench.records.formats import Fact as Line
from bench.records.formats import Json, Text
from bench.records.formats import facts as lines_of
from bench.records.record import Examination, PatientRecord

EXTRACT = Template(Path(__file__).with_name("extract.j2"))
LEARNED = "Learned in Conversation"
"""Heading of what was learned, in the plain-text format."""
PRIVATE = ("disease_information.disease", "profile.disposition")
"""Fields that the agent is told so as to be consistent with them, and is not to say."""
_LISTS = {
    "epidemiology": ("medical_history", "lifestyle", "vaccination_history", "family_history"),
    "disease_information": ("symptoms",),
}
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_PARTS = ("value", "unit", "reference", "finding")
_LABELLED = re.compile(
    rf"({_QUOTED}) \(({_QUOTED})\): ?"
    + "".join(rf"(?:{part} ({_QUOTED})(?:; |\Z))?" for part in _PARTS),
    re.DOTALL,
)
_PLAIN = re.compile(
    r"(?P<test>.*?) \((?P<category>[^()]*)\): "
    r"(?:(?P<value>[^\s;(]*\d[^\s;(]*)(?: (?P<unit>[^\s(;][^(;]*?))?"
    r"(?: \(reference (?P<reference>[^()]*)\))?(?:; |\Z))?(?P<finding>.*)",
    re.DOTALL,
)


class Memory:
    """A patient agent's memory."""

    def __init__(
        self, record: PatientRecord, format: FormatName, *, facts: Iterable[Fact] | None = None
    ) -> None:
        """Hold a record; `facts` stand in for the decomposition by rule, as `decompose` makes."""
        self.record = record
        self.format: FormatName = format
        self._facts = tuple(decompose_record(record) if facts is None else facts)
        self._built = len(self._facts)

    @property
    def facts(self) -> tuple[Fact, ...]:
        """The record's facts, then what was learned, in order."""
        return self._facts

    @property
    def learned(self) -> tuple[Fact, ...]:
        """What was learned in dialogues."""
        return self._facts[self._built :]

    def learn(self, learned: Iterable[Learned]) -> None:
        """Add facts that were accepted."""
        self._facts += tuple(one.fact for one in learned)

    def copy(self) -> "Memory":
        """A memory that learns apart from this one."""
        other = Memory(self.record, self.format, facts=self._facts[: self._built])
        other._facts = self._facts
        return other

    def render(self) -> str:
        """What the patient's prompt shows.

        No format shows the record's id or department, which the facts do not hold either.
        """
        learned = [_line(fact.text) for fact in self.learned]
        if self.format == "atomic":
            return "\n".join(_line(fact.text) for fact in self._facts)
        if self.format == "json":
            held = json.loads(Json().render(self.record))
            del held["id"], held["department"]
            if learned:
                held["learned"] = learned
            return json.dumps(held, indent=2, ensure_ascii=False)
        note = Text().render(self.record).replace(f"ID: {self.record.id}\n", "", 1)
        return "\n".join([note, LEARNED, *map(_sentence, learned)]) if learned else note


def decompose_record(record: PatientRecord) -> tuple[Fact, ...]:
    """The record's atomic facts by rule, F1 first; `rebuild` gets the values back."""
    lines = [line for line in lines_of(record) if line.path != "id"]
    return tuple(
        Fact(id=f"F{number}", text=_told(line, record), field=line.path)
        for number, line in enumerate(lines, start=1)
    )


def rebuild(facts: Iterable[Fact]) -> dict[str, Any]:
    """The values of a record's sections (and profile, if any) from its facts.

    What the record leaves empty comes back as an empty list or not at all; learned facts, which
    have no field, are passed over.
    """
    made: dict[str, Any] = {
        "basic_information": {},
        "epidemiology": {field: [] for field in _LISTS["epidemiology"]},
        "disease_information": {field: [] for field in _LISTS["disease_information"]},
        "examination_results": [],
    }
    for fact in facts:
        section, _, rest = fact.field.partition(".")
        field = rest.partition(".")[0]
        value = fact.text.partition(": ")[2]
        if section == "examination_results":
            made[section].append(_examination(fact.text).model_dump(exclude_none=True))
        elif field in _LISTS.get(section, ()):
            made[section][field].append(value)
        elif section:
            number = {"age": int, "pain": float}.get(field, str)
            made.setdefault(section, {})[field] = number(value)
    return made


def is_private(fact: Fact) -> bool:
    """Whether the patient is to act by a fact without telling it: the diagnosis is the doctor's."""
    return fact.field in PRIVATE


async def decompose(text: str, respondent: Respondent, replicate: str) -> tuple[Fact, ...]:
    """The atomic facts of a free text, by a model.

    Raises:
        AskError: the model gives none that can be read.
    """
    found = await extract(text, "", respondent, replicate)
    return tuple(
        Fact(id=f"F{number}", text=one)
        for number, one in enumerate(distinct(found.value.facts), start=1)
    )


async def extract(
    text: str, question: str, respondent: Respondent, replicate: str
) -> Answer[Extracted]:
    """What a text states, by a model; `question` is what it answers, if it is an answer.

    Raises:
        AskError: the model gives nothing that can be read.
    """
    task = Extract(text=text, question=question)
    messages = EXTRACT.messages(text=text, question=question)
    return await respondent.ask(Prompt(task, messages, Extracted, JUDGING, replicate))


def distinct(texts: Sequence[str], known: Iterable[str] = ()) -> list[str]:
    """Texts that are not empty, each once, without those known; case and spaces do not count."""
    seen = {_plain(text) for text in known} | {""}
    found = []
    for text in texts:
        if _plain(text) not in seen:
            seen.add(_plain(text))
            found.append(_line(text))
    return found


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold().rstrip(".")


def _line(text: str) -> str:
    return " ".join(text.split())


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _told(line: Line, record: PatientRecord) -> str:
    """The fact's words; an examination whose line cannot be read back is told part by part."""
    section, _, number = line.path.partition(".")
    if section != "examination_results":
        return str(line)
    examination = record.examination_results[int(number)]
    return str(line) if _examination(str(line)) == examination else _labelled(examination)


def _labelled(examination: Examination) -> str:
    """Each part under its name, in quotes: '"Nitrite" ("urine"): value "positive"'."""
    given = (
        examination.value,
        examination.unit,
        examination.reference_range,
        examination.finding or None,
    )
    parts = "; ".join(
        f"{name} {_quote(value)}"
        for name, value in zip(_PARTS, given, strict=True)
        if value is not None
    )
    return f"{_quote(examination.test)} ({_quote(examination.category)}): {parts}"


def _quote(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _examination(text: str) -> Examination:
    """The examination that a fact tells of."""
    labelled = _LABELLED.fullmatch(text)
    if labelled:
        test, category, *rest = (part and json.loads(part) for part in labelled.groups())
        value, unit, reference, finding = rest
    else:
        plain = _PLAIN.fullmatch(text)
        if plain is None:
            return Examination(category="", test="", finding=text)
        test, category = plain["test"], plain["category"]
        value, unit, reference = plain["value"], plain["unit"], plain["reference"]
        finding = plain["finding"]
    return Examination(
        category=category,
        test=test,
        value=value,
        unit=unit,
        reference_range=reference,
        finding=finding or "",
    )
