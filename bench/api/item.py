"""Items: what a stage makes and a metric scores, and what is known of each beside its content."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pydantic import ConfigDict, Field

from bench.core.schema import Model
from bench.records.dialogue import Dialogue
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
    """What is known of an item: a record's own, a dialogue's by its record, of others what they say.

    An item may say its `cluster`, `department`, `sex` and `age` band itself.
    """
    record = item if isinstance(item, PatientRecord) else getattr(item, "record", None)
    if isinstance(record, PatientRecord):
        basic = record.basic_information
        department = getattr(item, "department", "") or record.department
        return About(item.id, record.id, department, basic.gender, age_band(basic.age))
    known = (str(getattr(item, name, "") or "") for name in ("cluster", "department", "sex", "age"))
    cluster, *rest = known
    return About(item.id, cluster or item.id, *rest)


def answers_of(item: Any) -> int:
    """How many values an item has where each answer has one: the answers of a dialogue, else 1."""
    return len(item.answered()) if isinstance(item, Dialogue) else 1


@dataclass(frozen=True)
class Items:
    """Items to score; can be iterated again and again."""

    source: Iterable[Any]
    """A list, or a file reader that starts anew at each iteration."""
    kind: str = "records"
    """What they are: "records", "dialogues", "answers", or what a further stage makes."""
    lacking: Counter[About] = field(default_factory=Counter)
    """Items that were planned and are not there: how many of each group (ids left empty)."""
    answers: int = 1
    """Answers planned of each item; 1 where nobody knows."""
    signature: str = ""
    """What pins how they were made."""
    notes: tuple[str, ...] = ()
    """What a reader of their scores must know."""

    def __iter__(self) -> Iterator[Any]:
        """The items in file order."""
        return iter(self.source)

    @property
    def missing(self) -> int:
        """Items that were planned and are not there."""
        return self.lacking.total()
