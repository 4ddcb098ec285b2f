"""The formats in which an agent or a metric holds a record; the paper's three (section 4.3).

A format is a plug-in of the group `pzbench.formats`: a class with `name` and `render`. One that a
patient agent is to hold in a way of its own has `remember` too.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from bench.records.record import SECTIONS, Examination, PatientRecord

LEARNED = "Learned in Conversation"
"""Heading of what a patient learned, where it stands behind a text."""


class Format(Protocol):
    """How a record is put into words."""

    name: str

    def render(self, record: PatientRecord, *, identity: bool = True) -> str:
        """The record as text; `identity=False` leaves out id, name and origin."""
        ...


def remember(
    form: Format, record: PatientRecord, facts: Sequence[str], learned: Sequence[str]
) -> str:
    """What a patient's prompt shows; by default the rendered record, and below it what is new.

    `facts` are what the record says, `learned` what the patient was heard to say beyond it in its
    dialogues; each is one line. A format's own `remember` knows the name, not the record's id.
    """
    own = getattr(form, "remember", None)
    if own is not None:
        return str(own(record, facts, learned))
    return with_learned(form.render(record), learned)


def with_learned(text: str, learned: Sequence[str]) -> str:
    """A text, and below it, under a heading of its own, a sentence for each thing learned."""
    sentences = (line if line.endswith((".", "!", "?")) else f"{line}." for line in learned)
    return "\n".join([text, LEARNED, *sentences]) if learned else text


@dataclass(frozen=True)
class RecordFact:
    """The smallest self-contained statement of a record (paper section 3.2)."""

    path: str
    """Field it came from, for instance "disease_information.symptoms.2"."""
    label: str
    """What the value is, as a person would say it."""
    value: str

    def __str__(self) -> str:
        """The fact as one line."""
        return f"{self.label}: {self.value}"


def _label(field: str) -> str:
    return field.replace("_", " ").capitalize()


def describe_examination(examination: Examination) -> str:
    """An examination's result on one line: value with its unit, reference range, finding."""
    reference = examination.reference_range and f"(reference {examination.reference_range})"
    unit = examination.value and examination.unit
    measured = " ".join(filter(None, (examination.value, unit, reference)))
    return "; ".join(filter(None, (measured, examination.finding)))


def facts(record: PatientRecord, *, identity: bool = True) -> Iterator[RecordFact]:
    """The record's atomic facts in the order of its fields; nothing else is added or lost."""
    if identity:
        yield RecordFact("id", "ID", record.id)
    for section in SECTIONS[:3]:
        for field, value in getattr(record, section):
            if field == "name" and not identity:
                continue
            if isinstance(value, tuple):
                label = "Symptom" if field == "symptoms" else _label(field)
                for number, item in enumerate(value):
                    yield RecordFact(f"{section}.{field}.{number}", label, item)
            elif value not in (None, ""):
                yield RecordFact(f"{section}.{field}", _label(field), str(value))
    for number, examination in enumerate(record.examination_results):
        label = f"{examination.test} ({examination.category})"
        yield RecordFact(f"examination_results.{number}", label, describe_examination(examination))
    if record.profile is not None:
        for field, value in record.profile:
            if value is not None:
                yield RecordFact(f"profile.{field}", _label(field), str(value))


class Json:
    """The record as a JSON object."""

    name = "json"

    def render(self, record: PatientRecord, *, identity: bool = True) -> str:
        """Indented JSON; empty and unknown fields are left out."""
        data = record.model_dump(
            mode="json", exclude_none=True, exclude={"schema_version", "origin"}
        )
        if not identity:
            del data["id"], data["basic_information"]["name"]
        return json.dumps(data, indent=2, ensure_ascii=False)

    def remember(self, record: PatientRecord, facts: Sequence[str], learned: Sequence[str]) -> str:
        """The object without id and department; what was learned is one more list."""
        data = json.loads(self.render(record))
        del data["id"], data["department"]
        if learned:
            data["learned"] = list(learned)
        return json.dumps(data, indent=2, ensure_ascii=False)


class Text:
    """The record as a clinical note laid out as in figure 5."""

    name = "text"

    def render(self, record: PatientRecord, *, identity: bool = True) -> str:
        """Headed paragraphs, one line per field and per examination."""
        return "\n".join(self._lines(record, identity))

    def remember(self, record: PatientRecord, facts: Sequence[str], learned: Sequence[str]) -> str:
        """The note without id; what was learned stands below it."""
        note = self.render(record).replace(f"ID: {record.id}\n", "", 1)
        return with_learned(note, learned)

    def _lines(self, record: PatientRecord, identity: bool) -> Iterator[str]:
        for section in SECTIONS[:3]:
            yield section.replace("_", " ").title()
            if section == "basic_information" and identity:
                yield f"ID: {record.id}"
            for field, value in getattr(record, section):
                if value not in (None, "", ()) and (field != "name" or identity):
                    shown = "; ".join(value) if isinstance(value, tuple) else value
                    yield f"{_label(field)}: {shown}"
        yield "Examination Results"
        for examination in record.examination_results:
            result = describe_examination(examination)
            yield f"{examination.test} ({examination.category}): {result}"
        if record.profile is not None:
            yield "Profile"
            for field, value in record.profile:
                if value is not None:
                    yield f"{_label(field)}: {value}"


class Atomic:
    """The record as atomic facts, one line each."""

    name = "atomic"

    def render(self, record: PatientRecord, *, identity: bool = True) -> str:
        """One fact a line, in the order of the record's fields."""
        return "\n".join(str(fact) for fact in facts(record, identity=identity))

    def remember(self, record: PatientRecord, facts: Sequence[str], learned: Sequence[str]) -> str:
        """The facts, and those learned among them."""
        return "\n".join((*facts, *learned))
