import asyncio
import json
from collections.abc import Sequence
from importlib.metadata import EntryPoint
from typing import Any

import florist
import pytest
from florist import BITE, RECORD, SAYS_BITE
from openai_server import OpenAIServer
from rules_run import LIBRARY, context, generate
from scripted import Scripted

from bench.agents.interview import Setting, converse
from bench.agents.memory import decompose_record
from bench.backbones.openai.backbone import OpenAI
from bench.backbones.prompt import AskError
from bench.backbones.requests import Ask, Reply
from bench.backbones.rules.backbone import Rules
from bench.core.errors import UserError
from bench.core.registry import FORMATS as REGISTRY
from bench.knowledge.cases import plan
from bench.records.dialogue import Dialogue, Updating
from bench.records.record import PatientRecord
from generators.patient_zero import PatientZero

FORMATS = ("json", "text", "atomic")


def patient() -> Scripted:
    """Makes a bite up when asked what happened; knows which animal only from memory or history."""

    def reply(task: Reply) -> str:
        if "happened" in task.question:
            return SAYS_BITE
        known = "dog" in task.memory or any("dog" in (turn.answer or "") for turn in task.history)
        return "A dog did." if known else "I do not know."

    return Scripted("patient", reply=reply, extract=florist.extract)


def doctor(*questions: str) -> Scripted:
    left = list(questions)
    return Scripted("doctor", ask=lambda _: left.pop(0) if len(left) > 1 else left[0])


def interview(
    record: PatientRecord = RECORD, **settings: Any
) -> tuple[Dialogue, Scripted, Scripted]:
    asked = doctor("What happened?", "Which animal bit you?", "And which one bit you?")
    speaking = patient()
    with context(patient=speaking, doctor=asked, triplets=florist.labeller()) as given:
        return asyncio.run(converse(record, Setting(**settings), given)), speaking, asked


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("updating", "answer"),
    [("strict", "A dog did."), ("algorithm", "A dog did."), ("none", "I do not know.")],
)
def test_round_two_knows_of_round_one_only_what_memory_took(
    format: str, updating: Updating, answer: str
) -> None:
    dialogue, _, _ = interview(format=format, updating=updating, rounds=2, questions=2)
    first, second = dialogue.rounds
    assert [one.answer for one in first.exchanges] == [SAYS_BITE, "A dog did."]
    assert second.exchanges[0].question == "And which one bit you?"
    assert second.exchanges[0].answer == answer


def test_the_history_is_cleared_between_rounds_for_both() -> None:
    _, speaking, asked = interview(rounds=2, questions=2)
    for tasks in (speaking.asked("reply"), asked.asked("ask")):
        assert [len(task.history) for task in tasks] == [0, 1, 0, 1]
    assert [task.left for task in asked.asked("ask")] == [2, 1, 2, 1]


@pytest.mark.parametrize(
    ("rounds", "word"), [(1, "single"), (2, "cross"), (3, "3-rounds"), (5, "5-rounds")]
)
def test_an_interview_has_as_many_rounds_as_wanted(rounds: int, word: str) -> None:
    dialogue, speaking, asking = interview(rounds=rounds, questions=2)
    assert [len(sitting.exchanges) for sitting in dialogue.rounds] == [2] * rounds
    assert [len(task.history) for task in speaking.asked("reply")] == [0, 1] * rounds
    last = asking.prompts[-1].replicate
    assert last == f"FLO-1/{word}/atomic/strict/r{rounds}/t2/ask"


class Poem:
    """A format of somebody else's: a class with a name and a way to render."""

    name = "poem"

    def render(self, record: PatientRecord, *, identity: bool = True) -> str:
        named = f"{record.basic_information.name} " if identity else ""
        return f"O {named}so ill with {' and '.join(record.disease_information.symptoms)}"


class Ballad(Poem):
    """One that says itself what the patient holds."""

    name = "ballad"

    def remember(self, record: PatientRecord, facts: Sequence[str], learned: Sequence[str]) -> str:
        return f"{len(facts)} facts, and a refrain: {', '.join(learned)}"


def test_a_patient_may_hold_its_record_in_a_format_of_a_plugin(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    points = {
        form.name: EntryPoint(form.name, f"{__name__}:{form.__name__}", REGISTRY.group)
        for form in (Poem, Ballad)
    }
    monkeypatch.setattr(REGISTRY, "_points", {**REGISTRY._points, **points})
    dialogue, speaking, _ = interview(format="poem", rounds=2, questions=2)
    assert dialogue.format == "poem"
    before, after, *_ = (task.memory for task in speaking.asked("reply"))
    assert before == "O Ada Moss so ill with burning pain in the left leg and fever at night"
    assert after == f"{before}\nLearned in Conversation\n{BITE}."
    assert dialogue.rounds[1].exchanges[0].answer == "A dog did."
    read = Dialogue.model_validate_json(dialogue.model_dump_json())
    assert read == dialogue
    _, speaking, _ = interview(format="ballad", questions=2)
    held = len(decompose_record(RECORD))
    assert [task.memory for task in speaking.asked("reply")] == [
        f"{held} facts, and a refrain: ",
        f"{held} facts, and a refrain: {BITE}",
    ]
    with pytest.raises(UserError, match="no format 'balad'; did you mean 'ballad'"):
        Setting(format="balad")


def test_without_updating_round_two_starts_from_the_memory_as_first_built() -> None:
    _, speaking, _ = interview(updating="none", rounds=2, questions=2)
    assert len({task.memory for task in speaking.asked("reply")}) == 1


def test_a_dialogue_says_what_made_it() -> None:
    dialogue, _, _ = interview(rounds=1, questions=3, manner={"style": "upset"}, format="json")
    assert (dialogue.id, dialogue.department) == ("FLO-1", "Neurology")
    assert (dialogue.style, dialogue.format, dialogue.updating) == ("upset", "json", "strict")
    assert dialogue.record == RECORD
    assert dialogue.origin is not None
    assert dialogue.origin.patient == "patient"
    assert dialogue.origin.doctor == "doctor"
    assert dialogue.origin.triplets == "batched:labeller"
    assert len(dialogue.exchanges()) == 3
    assert Dialogue.model_validate_json(dialogue.model_dump_json()) == dialogue
    (learned,) = dialogue.exchanges()[0].learned
    assert (learned.fact.text, learned.fact.round, learned.fact.turn) == (BITE, 1, 1)


def test_nobody_labels_where_memory_is_not_updated() -> None:
    with context(patient=patient(), doctor=doctor("What happened?")) as given:
        dialogue = asyncio.run(converse(RECORD, Setting(updating="none", questions=1), given))
    assert dialogue.origin is not None
    assert dialogue.origin.triplets == ""


def keys(dialogue: Dialogue) -> list[str]:
    found: list[str] = []
    for exchange in dialogue.exchanges():
        found += exchange.keys
        for attempt in exchange.attempts:
            found += attempt.keys
    return found


def test_every_draw_is_its_own() -> None:
    other = RECORD.model_copy(update={"id": "FLO-2"})
    settings: list[tuple[PatientRecord, dict[str, Any]]] = [
        (RECORD, {}),
        (other, {}),
        (RECORD, {"format": "text"}),
        (RECORD, {"updating": "none"}),
        (RECORD, {"rounds": 2}),
        (RECORD, {"replicate": "direct"}),
    ]
    found: list[str] = []
    for record, changed in settings:
        dialogue, _, _ = interview(record, **{"questions": 4, **changed})
        assert all(one.keys for one in dialogue.exchanges())
        found += keys(dialogue)
    assert len(found) == len(set(found))


def test_the_doctor_sees_the_department_and_the_transcript_alone(
    openai_server: OpenAIServer,
) -> None:
    def said(seen: Any) -> str:
        if seen.body["model"] == "doctor":
            return " Good day, what brings you here? "
        return "My leg burns."

    openai_server.hook = said
    asking = OpenAI("doctor", base_url=openai_server.url)
    speaking = OpenAI("patient", base_url=openai_server.url)
    with context(patient=speaking, doctor=asking) as given:

        async def run() -> Dialogue:
            try:
                return await converse(RECORD, Setting(updating="none", questions=3), given)
            finally:
                await asking.close()
                await speaking.close()

        dialogue = asyncio.run(run())
    assert dialogue.exchanges()[0].question == "Good day, what brings you here?"
    asked = [one for one in openai_server.seen if one.body["model"] == "doctor"]
    assert len(asked) == 3
    for seen in asked:
        assert "Neurology" in seen.words
        assert not any(word in seen.words for word in ("metformin", "florist", "Moss", "radicul"))
    assert "Greet the patient" in asked[0].words
    assert "3 questions in all" in asked[0].words
    assert "Greet" not in asked[1].words
    assert "You may ask 2 more questions" in asked[1].words
    assert "Patient: My leg burns." in asked[1].words
    assert "your last question" in asked[2].words
    assert [one.body["temperature"] for one in asked] == [1, 1, 1]


def test_a_failure_holds_the_keys_of_all_that_went_before() -> None:
    def ask(task: Ask) -> str:
        if task.left == 1:
            raise AskError("the doctor left")
        return "What happened?"

    left = Scripted("doctor", ask=ask)
    with (
        context(patient=patient(), doctor=left, triplets=florist.labeller()) as given,
        pytest.raises(AskError, match="the doctor left") as failed,
    ):
        asyncio.run(converse(RECORD, Setting(questions=2), given))
    # One question, its reply, the labels, what was extracted and the labels of that.
    assert len(failed.value.keys) == 5


def test_a_model_may_take_the_record_apart() -> None:
    speaking = Scripted(
        "patient",
        reply=lambda _: "I do not know.",
        extract=lambda task: json.dumps(
            {"facts": ["The patient is a florist"] if not task.question else []}
        ),
    )
    with context(patient=speaking, doctor=doctor("Well?"), triplets=florist.labeller()) as given:
        asyncio.run(converse(RECORD, Setting(questions=1, decomposition="model"), given))
    assert speaking.asked("reply")[0].memory == "The patient is a florist"
    assert "Works as a florist" in speaking.asked("extract")[0].text


def test_what_a_model_took_apart_is_the_same_in_every_interview_and_kept() -> None:
    taken: list[str] = []

    def extract(task: Any) -> str:
        if not task.question:
            taken.append(f"Works as a florist, telling {len(taken) + 1}")
            return json.dumps({"facts": taken[-1:]})
        return json.dumps({"facts": []})

    speaking = Scripted("patient", reply=lambda _: "I do not know.", extract=extract)
    settings = (
        Setting(questions=1, decomposition="model", replicate="m"),
        Setting(questions=1, decomposition="model", replicate="m", format="json", rounds=2),
        Setting(questions=1, decomposition="model", replicate="m", updating="none"),
    )
    with context(patient=speaking, doctor=doctor("Well?"), triplets=florist.labeller()) as given:

        async def run() -> list[Dialogue]:
            return [await converse(RECORD, setting, given) for setting in settings]

        dialogues = asyncio.run(run())
    assert len(taken) == 1
    for dialogue in dialogues:
        assert [fact.text for fact in dialogue.facts or ()] == taken
    assert interview(questions=1)[0].facts is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"manner": {"style": "plane"}},
        {"format": "jsonl"},
        {"updating": "strickt"},
    ],
)
def test_a_setting_that_no_interview_can_have_is_the_users_error(wrong: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        Setting(**wrong)


@pytest.mark.parametrize("format", FORMATS)
def test_by_the_rules_round_two_says_again_what_round_one_added(format: str) -> None:
    rules = Rules(library=LIBRARY)
    with context(generator=rules, patient=rules, doctor=rules, triplets=rules) as given:
        cases = tuple(plan(LIBRARY, ["Orthopedics"], 1, 1))
        (record,) = generate(PatientZero(), cases, given)
        assert isinstance(record, PatientRecord)
        dialogue = asyncio.run(converse(record, Setting(format=format, rounds=2), given))
    first, second = dialogue.rounds
    added = {one.fact.id for exchange in first.exchanges for one in exchange.learned}
    again = {
        fact
        for exchange in second.exchanges
        for fact, label in exchange.attempts[-1].labels.items()
        if label == "entail"
    }
    assert added & again
    assert not any(exchange.flagged for exchange in dialogue.exchanges())
