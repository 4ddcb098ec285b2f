"""Conduct: exact values on dialogues made by hand."""

import asyncio
from typing import Any

import pytest
from made_dialogues import dialogue
from patients import evaluated, figure, item_values, lacking, patient, scored
from rules_run import LIBRARY, context

from bench.api.item import Items
from bench.api.score import Score
from bench.records.dialogue import Attempt, Dialogue, DialogueOrigin, Exchange, Fact, Learned
from bench.records.record import Origin, PatientRecord
from bench.scoring.scores import TOO_FEW
from metrics.conduct import MEASURES, Conduct, is_act, leaked_diagnosis, stage_directions

LISTING = next(one for one in LIBRARY.listings if one.synonyms)


def scores(*dialogues: Dialogue, missing: int = 0) -> dict[str, Score]:
    items = Items(dialogues, "dialogues", lacking=lacking(missing))
    with context() as given:
        made = asyncio.run(scored(Conduct(), items, given))
    assert [one.part for one in made if one.group == "all"] == [one.name for one in MEASURES]
    return {measure.name: figure(made, measure.name) for measure in MEASURES}


def values(part: str, *dialogues: Dialogue) -> dict[str, tuple[float, ...]]:
    with context() as given:
        return item_values(asyncio.run(evaluated(Conduct(), dialogues, given)), part)


def replies(identity: str, *given: str, **fields: Any) -> Dialogue:
    told = [(f"question {n}", reply) for n, reply in enumerate(given)]
    return dialogue(identity, told, **{"style": "plain", **fields})


def of(disease: str, *symptoms: str, **sections: Any) -> PatientRecord:
    record = patient("p", "Urology", "\n".join(symptoms or ("pain",)), disease=disease)
    return record.model_copy(update=sections)


def leaks(record: PatientRecord, *given: str) -> bool:
    found = leaked_diagnosis(replies("x", *given, record=record), LIBRARY)
    assert found in ([0.0], [1.0])
    return found == [1.0]


def test_replies_over_the_cap_of_their_style() -> None:
    four = "One. Two! Is it three? At 38.5 degrees Dr. Smith said four."
    told = (
        replies("a", four, "Short.", "One. Two. Three.", "Well... yes."),  # plain: 3
        replies("b", four, four, style="verbose"),  # 8
        replies("c", four, style="of their own"),
        replies("d", four, style=None),
    )
    found = scores(*told, missing=2)["over-cap"]
    assert found.value == pytest.approx(1 / 6)
    assert (found.n, found.n_missing) == (6, 2 + 2 * 4)
    assert values("over-cap", *told) == {"a": (1.0, 0.0, 0.0, 0.0), "b": (0.0, 0.0)}
    assert found.bounds == pytest.approx((1 / 16, 11 / 16))
    assert found.notes == (
        "1 dialogue left out: the style 'of their own' has no sentence cap",
        "1 dialogue left out: no style given",
        TOO_FEW,
    )
    assert (found.unit, found.better) == ("share", "lower")


def test_a_leaked_diagnosis_is_counted_by_dialogue() -> None:
    record = of("Urolithiasis")
    told = (
        replies("a", "It hurts.", "It is urolithiasis, urolithiasis!", record=record),
        replies("b", "It hurts.", record=record),
        replies("c", "It hurts.", record=record),
        replies("d", "It is urolithiasis."),
    )
    found = scores(*told)["leaked-diagnosis"]
    assert found.value == pytest.approx(1 / 3)
    assert (found.n, found.n_missing) == (3, 1)
    assert values("leaked-diagnosis", *told) == {"a": (1.0,), "b": (0.0,), "c": (0.0,)}
    assert found.notes == (
        "1 dialogue left out: no record to compare with (add --records FILE)",
        TOO_FEW,
    )


def test_every_name_that_the_outlines_know_leaks() -> None:
    for name in (LISTING.name, *LISTING.synonyms):
        text = f"They said it was {name}." if name.isupper() else f"It was {name.lower()}, I think."
        assert leaks(of(LISTING.name), text), name
        assert leaks(of(LISTING.id), text), name
    planned = of("something else", origin=Origin(generator="x", disease=LISTING.name))
    assert leaks(planned, f"It was {LISTING.name}.")
    assert not leaks(of("something else"), f"It was {LISTING.name}.")


@pytest.mark.parametrize(
    ("disease", "reply", "leaked"),
    [
        ("Graves' disease", "It is Graves disease.", True),
        ("Graves’ disease (hyperthyroidism)", "It's graves' disease", True),
        ("Type 2 diabetes", "type-2  Diabetes", True),
        ("Kidney stone", "I have kidney stones.", True),
        ("Gout", "I walked about without pain.", False),
        ("Gout", "It is no gout.", True),
        ("MS", "Ms Miller told me.", False),
        ("MS", "I fear it is MS.", True),
        ("Angina", "It is angi\nna", False),
        ("C++ fever (rare)", "c++ fever", True),
    ],
)
def test_names_are_matched_as_whole_words(disease: str, reply: str, leaked: bool) -> None:
    assert leaks(of(disease), reply) is leaked


def test_what_the_record_says_elsewhere_is_no_secret() -> None:
    reply = "My father had gout."
    assert leaks(of("Gout"), reply)
    told = patient("p", "Urology", "x").epidemiology.model_copy(
        update={"family_history": ("Father had gout",)}
    )
    assert not leaks(of("Gout", epidemiology=told), reply)
    assert not leaks(of("Gout", "feared to have gout"), reply)


def test_repeated_replies_within_a_round() -> None:
    long = "The pain began two weeks ago in my left leg"
    rounds = [
        [("q", long), ("q", long.upper() + "\n"), ("q", f"{long}."), ("q", "No.")],
        [("q", long), ("q", "No."), ("q", "No."), ("q", "It began last summer, in the garden.")],
    ]
    found = scores(dialogue("a", *rounds))["repeated-replies"]
    assert found.value == pytest.approx(2 / 8)
    (repeated,) = values("repeated-replies", dialogue("a", *rounds)).values()
    assert repeated == (0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert found.signature.endswith("|per:reply|ratio:95|over 3 words")


def test_a_closing_turn_of_the_doctor_is_no_reply() -> None:
    closed = dialogue("a", [("q", "(sighs) Yes."), ("Goodbye.", None)], [("q", "No.")])
    found = scores(closed, missing=1)
    assert (found["stage-directions"].value, found["stage-directions"].n) == (0.5, 2)
    assert found["stage-directions"].n_missing == 2
    assert (found["repeated-replies"].n, found["over-cap"].n_missing) == (2, 2 + 2)
    assert found["leaked-diagnosis"].n_missing == 1 + 1


@pytest.mark.parametrize(
    "aside",
    [
        "sighs",
        "Sigh",
        "looks away",
        "looks down at the floor",
        "The patient pauses",
        "long pause",
        "nervously fidgeting with her ring",
        "nervously",
        "takes a deep breath",
        "in a shaky voice",
        "with a weak smile",
        "voice trembling",
        "eyes welling up",
        "silence",
        "winces and holds his side",
    ],
)
def test_acts(aside: str) -> None:
    assert is_act(aside)
    for staged in (f"*{aside}* It hurts.", f"It hurts ({aside}).", f"[{aside}]", f"**{aside}**"):
        assert stage_directions(replies("x", staged)) == [1.0], staged


@pytest.mark.parametrize(
    "reply",
    [
        "It *really* hurts.",
        "I take metoprolol (about 50 mg).",
        "It hurts (looks like a rash to me).",
        "My skin (dry and red) itches.",
        "It began [last Monday].",
        "She sighs a lot, my wife.",
        "2 * 3 * 4",
        "I take two drugs (start of May).",
        "It is **very** bad.",
        "*",
    ],
)
def test_no_acts(reply: str) -> None:
    assert stage_directions(replies("x", reply)) == [0.0]


@pytest.mark.parametrize("mark", ["*", "* ", "*a", "(", "(sigh", "[", "long "])
def test_long_runs_of_marks_are_read_in_linear_time(mark: str) -> None:
    told = replies("x", mark * 200_000, record=of("Type 2 diabetes"))
    assert stage_directions(told) == [0.0]
    assert leaked_diagnosis(told, LIBRARY) == [0.0]


def exchange(tries: int, *, flagged: bool = False, calls: int = 0, learned: int = 0) -> Exchange:
    told = Learned(fact=Fact(id="F9", text="new", round=1, turn=1), reply="r")
    return Exchange(
        question="q",
        answer="r",
        attempts=tuple(Attempt(reply="r") for _ in range(tries)),
        flagged=flagged,
        calls=calls,
        learned=(told,) * learned,
    )


def test_what_only_our_own_dialogues_tell() -> None:
    ours = DialogueOrigin(patient="x", doctor="y", triplets="batched:x")
    first = [exchange(1, calls=2, learned=2), exchange(6, flagged=True, calls=6), exchange(3)]
    told = (
        dialogue("a", first, [exchange(1, calls=1, learned=1)], origin=ours, updating="strict"),
        dialogue("b", [exchange(2, calls=3)], origin=ours, updating="algorithm"),
        dialogue("c", [exchange(1)], origin=ours.model_copy(update={"triplets": ""})),
        dialogue("d", [exchange(0), exchange(0)]),
    )
    found = scores(*told, missing=1)
    left, retries = found["contradictions-left"], found["retries-per-turn"]
    assert left.value == pytest.approx(1 / 5)
    assert (left.n, left.n_missing) == (5, 1 + 2 + 4)
    own = values("contradictions-left", *told)
    assert own == {"a": (0.0, 1.0, 0.0, 0.0), "b": (0.0,)}
    assert left.notes == ("2 dialogues left out: no reply was checked against memory", TOO_FEW)
    assert retries.value == pytest.approx((5 + 2 + 1) / 5)
    assert retries.unit == "retries"
    assert retries.bounds is None
    added = found["facts-added"]
    assert (added.value, added.n, added.n_missing, added.unit) == (1.5, 2, 3, "facts")
    assert added.notes == ("2 dialogues left out: memory was not updated", TOO_FEW)
    calls = found["triplet-calls-per-turn"]
    assert calls.value == pytest.approx(12 / 5)
    assert calls.unit == "calls"
