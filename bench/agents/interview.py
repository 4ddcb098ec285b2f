"""Interviews: a doctor agent asks a patient agent, in one round or more (paper section 4.3)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from bench.agents.memory import Memory, decompose
from bench.agents.patient import Patient
from bench.agents.styles import style
from bench.agents.triplets import make_engine
from bench.api.context import Context
from bench.backbones.prompt import GENERATING, AskError, Prompt
from bench.backbones.requests import Ask, Turn, turns
from bench.backbones.respondent import Respondent
from bench.backbones.templates import Template
from bench.core.errors import UserError
from bench.core.registry import FORMATS, nearest
from bench.records.dialogue import (
    Dialogue,
    DialogueOrigin,
    Exchange,
    FormatName,
    Round,
    Updating,
)
from bench.records.formats import Atomic, Text
from bench.records.record import PatientRecord

_DOCTOR = Template(Path(__file__).with_name("doctor.j2"))
QUESTIONS = 13
"""Questions of a round in the paper."""
INTERACTIONS = {1: "single", 2: "cross"}
"""The paper's words for the numbers of rounds that it has."""


@dataclass(frozen=True)
class Setting:
    """How a record is interviewed."""

    format: FormatName = Atomic.name
    """How the patient holds the record."""
    updating: Updating = "strict"
    """Whether memory is updated, and by which rule."""
    rounds: int = 1
    """1 for a single dialogue, 2 for the paper's cross-dialogue; at least 1."""
    questions: int = QUESTIONS
    """Questions of each round, at least 1."""
    manner: Mapping[str, str] = field(default_factory=lambda: {"style": "plain"})
    """How the patient is to be, by axis; it is told of "style" alone."""
    triplets: str = "batched"
    """Triplet engine; none is asked where memory is not updated."""
    decomposition: Literal["rules", "model"] = "rules"
    """Who takes the record apart into facts: the rules from its fields, or the patient's model
    from its plain text, for records that are little more than free text."""
    replicate: str = ""
    """What else tells this interview from another of the same record, for instance the method."""

    def __post_init__(self) -> None:
        """Raises UserError for what no interview can have."""
        if "style" in self.manner:
            style(self.manner["style"])
        FORMATS.load(self.format)
        rules = list(get_args(Updating))
        if self.updating not in rules:
            raise UserError(
                f"memory has no updating {self.updating!r}{nearest(self.updating, rules)}"
            )

    @property
    def interaction(self) -> str:
        """A word for the number of rounds; part of every replicate."""
        return INTERACTIONS.get(self.rounds, f"{self.rounds}-rounds")


async def converse(record: PatientRecord, setting: Setting, context: Context) -> Dialogue:
    """Interview a record.

    The history is cleared between rounds: doctor and patient know nothing of what was said in the
    rounds before but for what the patient's memory gained, if it is updated.

    Raises:
        AskError: somebody gave no answer; it holds the keys of all that was asked before.
        UserError: for an unknown engine, or a role that nobody fills.
    """
    parts = (setting.replicate, record.id, setting.interaction, setting.format, setting.updating)
    where = "/".join(filter(None, parts))
    engine = None if setting.updating == "none" else make_engine(setting.triplets, context)
    memory = await _memory(record, setting, context)
    built = memory.facts if setting.decomposition == "model" else None
    patient = Patient(
        memory, setting.manner, context.role("patient"), engine, setting.updating, where
    )
    doctor = context.role("doctor")
    rounds: list[Round] = []
    for number in range(1, setting.rounds + 1):
        try:
            rounds.append(await _round(patient, doctor, number, record.department, setting))
        except AskError as failure:
            raise failure.after(
                _keys(exchange for sitting in rounds for exchange in sitting.exchanges)
            ) from failure
    return Dialogue(
        id=record.id,
        department=record.department,
        manner=dict(setting.manner),
        format=setting.format,
        updating=setting.updating,
        rounds=tuple(rounds),
        record=record,
        facts=built,
        origin=DialogueOrigin(
            patient=context.role("patient").pinned,
            doctor=doctor.pinned,
            triplets=engine.name if engine else "",
        ),
    )


async def _memory(record: PatientRecord, setting: Setting, context: Context) -> Memory:
    """The memory as first built: the same facts in every interview of a record."""
    if setting.decomposition == "rules":
        return Memory(record, setting.format)
    note = Text().remember(record, (), ())
    where = "/".join(filter(None, (setting.replicate, record.id, "decompose")))
    facts = await decompose(note, context.role("patient"), where)
    return Memory(record, setting.format, facts=facts)


async def _round(
    patient: Patient, doctor: Respondent, number: int, department: str, setting: Setting
) -> Round:
    """One sitting, begun without any history."""
    exchanges: list[Exchange] = []
    for turn in range(1, setting.questions + 1):
        history = turns(exchanges)
        asked: tuple[str, ...] = ()
        try:
            left = setting.questions - len(exchanges)
            where = f"{patient.replicate}/r{number}/t{turn}/ask"
            question, asked = await _question(doctor, department, history, left, where)
            exchange = await patient.answer(question, history, number, turn)
        except AskError as failure:
            raise failure.after((*_keys(exchanges), *asked)) from failure
        exchanges.append(exchange.model_copy(update={"keys": asked}))
    return Round(exchanges=tuple(exchanges))


async def _question(
    doctor: Respondent, department: str, history: Sequence[Turn], left: int, replicate: str
) -> tuple[str, tuple[str, ...]]:
    """The doctor's next question and its journal keys; `left` counts the questions with this one.

    The doctor knows the department and this round's transcript.

    Raises:
        AskError: there is none.
    """
    task = Ask(department=department, history=tuple(history), left=left)
    messages = _DOCTOR.messages(department=department, history=history, left=left)
    answer = await doctor.ask(Prompt(task, messages, str, GENERATING, replicate))
    return answer.value.strip(), answer.keys


def _keys(exchanges: Iterable[Exchange]) -> tuple[str, ...]:
    """The journal keys of some exchanges, in the order asked."""
    keys: list[str] = []
    for exchange in exchanges:
        keys += exchange.keys
        for attempt in exchange.attempts:
            keys += attempt.keys
    return tuple(keys)
