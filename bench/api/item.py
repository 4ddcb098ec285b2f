"""Items: what a stage makes and a metric scores, and what is known of each beside its content."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic import ConfigDict, Field

from bench.core.schema import Model
from bench.records.record import PatientRecord

AGES = ((18, "0-17"), (60, "18-59"))
"""Age bands (paper section 4.1.1): below which age, and their names."""
OLDEST = "60+"


class PlainItem(Model):
    """An item of a stage that names no model of its own: any fields beside the id."""

    model_config = ConfigDict(extra="allow")

    id: str = Field(min_length=1)
    department: str = ""


@dataclass(frozen=True)
class About:
    """What groups and clusters are made by."""

    id: str
    cluster: str = ""
    """The patient, where items of one depend on each other."""
    department: str = ""
    sex: str = ""
    age: str = ""
    """Age band; empty where it is not known."""

    @property
    def groups(self) -> tuple[tuple[str, str], ...]:
        """The groups it is in, as "department", "Urology"; those without a name left out."""
        named = (("department", self.department), ("sex", self.sex), ("age", self.age))
        return tuple((by, group) for by, group in named if group)


def age_band(years: int) -> str:
    """The band of an age in years."""
    return next((name for below, name in AGES if years < below), OLDEST)


def about(item: Any) -> About:
    """What is known of an item: a record, a dialogue by its record, others by what they say.

    An item may say its `cluster`, `department`, `sex` and `age` band itself. Those have a cluster
    that are no independent draws, for instance dialogues with one patient.
    """
    record = item if isinstance(item, PatientRecord) else getattr(item, "record", None)
    cluster = str(getattr(item, "cluster", "") or "")
    if isinstance(record, PatientRecord):
        basic = record.basic_information
        department = getattr(item, "department", "") or record.department
        return About(item.id, cluster, department, basic.gender, age_band(basic.age))
    known = (str(getattr(item, name, "") or "") for name in ("department", "sex", "age"))
    return About(item.id, cluster, *known)


def answers_of(item: Any) -> int:
    """How many values an item has where each answer has one; 1 for an item that is one answer."""
    answered = getattr(item, "answered", None)
    return len(answered()) if callable(answered) else 1


@dataclass(frozen=True)
class Items:
    """Items to score; can be iterated again and again."""

    source: Iterable[Any]
    """A list, or a file reader that starts anew at each iteration."""
    kind: str = "records"
    """What they are: "records", "dialogues", "answers", or what a further stage makes."""
    lacking: Counter[About] = field(default_factory=Counter)
    """Items that were planned and are not there: how many of each group (ids left empty)."""
    planned: bool = False
    """Whether the ids are those of a plan that the stage's other cells follow, too."""
    answers: int = 1
    """Answers planned of each item; 1 where nobody knows."""
    signature: str = ""
    """What pins how they were made."""
    notes: tuple[str, ...] = ()
    """What a reader of their scores must know."""

    def __iter__(self) -> Iterator[Any]:
        """The items in file order."""
        return iter(self.source)

    def everyone(self) -> Iterator[About]:
        """Whom they are of, then whom those would be of that are not there."""
        yield from map(about, self)
        yield from self.lacking.elements()

    @property
    def missing(self) -> int:
        """Items that were planned and are not there."""
        return self.lacking.total()


def drafts_note(ids: Sequence[str]) -> tuple[str, ...]:
    """What is to be said of scores that rest on outlines which nobody approved."""
    return (f"rests on unapproved drafts of outlines: {', '.join(ids)}",) if ids else ()
