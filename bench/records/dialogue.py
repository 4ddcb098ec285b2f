"""A dialogue: what a doctor asked, what the patient answered, and how the memory changed."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from bench.core.schema import Model
from bench.records.label import Label
from bench.records.record import PatientRecord

FormatName = str
"""Name of a format, as `pzbench list formats` shows it."""
Updating = Literal["none", "strict", "algorithm"]
"""Whether memory is updated, and when a new fact is taken: `strict` if it is neutral to all facts
(paper section 3.2), `algorithm` if it contradicts none (Algorithm 1)."""


class Fact(Model):
    """The smallest self-contained statement of a patient's memory (paper section 3.2)."""

    id: str
    """"F1", "F2", ... in order within a memory."""
    text: str
    """For instance "Symptom: burning pain in the left leg"."""
    field: str = ""
    """Field of the record it came from, for instance "disease_information.symptoms.2"; empty for
    one learned in a dialogue."""
    round: int | None = None
    """Round in which it was learned, from 1; none for a fact of the record."""
    turn: int | None = None
    """Question of that round after which it was learned, from 1."""


class Attempt(Model):
    """One reply that the patient made, sent or not."""

    reply: str
    labels: dict[str, Label] = {}
    """Label of the reply against each fact by id; neutral ones are left out."""
    keys: tuple[str, ...] = ()
    """Journal keys of what was asked for it."""

    @property
    def contradicted(self) -> tuple[str, ...]:
        """Ids of the facts that it contradicts."""
        return tuple(fact for fact, label in self.labels.items() if label == "contradict")


class Learned(Model):
    """A fact that was added to memory, and why it could be."""

    fact: Fact
    reply: str
    """The accepted reply that it was extracted from."""
    labels: dict[str, Label] = {}
    """Label of the new fact against each fact before it; neutral ones are left out."""


class Exchange(Model):
    """One question with its answer, or a closing turn of the doctor."""

    question: str
    answer: str | None = None
    """None for a closing turn of the doctor."""
    attempts: tuple[Attempt, ...] = ()
    """Every reply in order, the last one sent; empty for dialogues made elsewhere."""
    flagged: bool = False
    """Whether the answer was sent although it contradicts memory: the bound was reached."""
    learned: tuple[Learned, ...] = ()
    """What memory gained by it."""
    lost: str | None = None
    """Why memory could gain nothing by it: what the answer states, or how that relates to memory,
    was refused or could not be read."""
    calls: int = 0
    """Triplet evaluations that were asked or computed for it, in calls; those behind `lost` are
    not counted."""
    keys: tuple[str, ...] = ()
    """Journal keys behind the question."""


class Round(Model):
    """One consultation; the next begins without its transcript (paper section 4.3)."""

    exchanges: Annotated[tuple[Exchange, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _closed_at_the_end(self) -> Self:
        if any(exchange.answer is None for exchange in self.exchanges[:-1]):
            raise ValueError("only the last question of a round may lack an answer")
        return self


class DialogueOrigin(Model):
    """What made a dialogue."""

    patient: str
    """Backbone of the patient agent."""
    doctor: str
    """Backbone of the doctor agent; "person" for a human."""
    triplets: str = ""
    """Triplet engine; empty where no reply was checked."""


class Dialogue(Model):
    """The rounds of one patient."""

    schema_version: Literal[1] = 1
    """Version of this schema."""
    id: str = Field(min_length=1)
    """Unique within a file; the patient's id where there is one."""
    department: str = ""
    manner: dict[str, str] = {}
    """How the patient was to be, by axis, for instance {"style": "upset"}; an axis that is missing
    is one of which nobody says."""
    format: FormatName | None = None
    """How the patient held the record."""
    updating: Updating = "none"
    rounds: Annotated[tuple[Round, ...], Field(min_length=1)]
    record: PatientRecord | None = None
    """What the patient was told to be; metrics that compare with it need it."""
    facts: tuple[Fact, ...] | None = None
    """The facts of the record as memory was first built, where a model took it apart; none where
    the rules did."""
    origin: DialogueOrigin | None = None
    """None for dialogues made elsewhere."""

    @model_validator(mode="before")
    @classmethod
    def _style_is_an_axis(cls, data: Any) -> Any:
        """Dialogues written before there were other axes have `style`."""
        if not isinstance(data, dict) or "style" not in data:
            return data
        rest = {name: value for name, value in data.items() if name != "style"}
        manner = rest.get("manner", {})
        if data["style"] is None or not isinstance(manner, dict):
            return rest
        return rest | {"manner": {"style": data["style"], **manner}}

    @field_validator("rounds")
    @classmethod
    def _hold_an_answer(cls, rounds: tuple[Round, ...]) -> tuple[Round, ...]:
        if all(exchange.answer is None for sitting in rounds for exchange in sitting.exchanges):
            raise ValueError("no question has an answer")
        return rounds

    @property
    def style(self) -> str | None:
        """Conversational style that the patient was to show; none where nobody says."""
        return self.manner.get("style")

    @property
    def cluster(self) -> str:
        """The patient: answers, and dialogues, of one are no independent draws."""
        return self.record.id if self.record else self.id

    def exchanges(self) -> tuple[Exchange, ...]:
        """All exchanges in order, closing turns of the doctor too."""
        return tuple(exchange for sitting in self.rounds for exchange in sitting.exchanges)

    def answered(self) -> tuple[Exchange, ...]:
        """The exchanges that have an answer, in order."""
        return tuple(exchange for exchange in self.exchanges() if exchange.answer is not None)
