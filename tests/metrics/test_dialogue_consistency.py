"""Dialogue consistency: planted contradictions found, missing verdicts shown, by patient."""

import asyncio
import json
import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from made_dialogues import dialogue
from openai_server import OpenAIServer, Seen
from patients import (
    departments,
    evaluated,
    failures_of,
    figure,
    item_values,
    lacking,
    patient,
    scored,
)
from rules_run import asked_of, context

from bench.api.evaluation import Evaluation
from bench.api.item import Items
from bench.api.score import Score
from bench.backbones.rules.backbone import Rules
from bench.records.dialogue import Dialogue, DialogueOrigin
from bench.scoring.intervals import cluster_bootstrap
from bench.scoring.scores import TOO_FEW
from metrics.dialogue_consistency import SELF_CHECKED, DialogueConsistency

ASKED = re.compile(r"The patient answers \(statement 1\):\n\n(.*?)\n\nDoes the answer", re.DOTALL)
METRIC = DialogueConsistency()
Told = Sequence[tuple[str, str | None]]


def answered(seen: Seen) -> str:
    found = ASKED.search(seen.words)
    assert found is not None
    return found[1]


def finding(*contradicted: str, entailed: Sequence[str] = (), statement: int = 1) -> str:
    labels = [{"fact": fact, "label": "contradict"} for fact in contradicted]
    labels += [{"fact": fact, "label": "entail"} for fact in entailed]
    return json.dumps(
        {"reasons": "compared", "statements": [{"statement": statement, "labels": labels}]}
    )


def by_answer(**named: str) -> Callable[[Seen], str]:
    """A judge that gives a finding by a word of the answer; all is well without one."""

    def hook(seen: Seen) -> str:
        given = (text for word, text in named.items() if word in answered(seen))
        return next(given, finding())

    return hook


def scores(server: OpenAIServer, items: Any) -> list[Score]:
    made: list[Score] = asked_of(server, "judge", lambda given: scored(METRIC, items, given))
    return made


def evaluations(server: OpenAIServer, items: Any) -> list[Evaluation]:
    made: list[Evaluation] = asked_of(
        server, "judge", lambda given: evaluated(METRIC, items, given)
    )
    return made


def of(identity: str, *rounds: Told, department: str = "Urology", **fields: Any) -> Dialogue:
    record = patient(identity, department, "burning pain\nfever")
    return dialogue(identity, *rounds, record=record, department=department, **fields)


def test_planted_contradictions_are_counted_by_answer(openai_server: OpenAIServer) -> None:
    openai_server.hook = by_answer(sixty=finding("F3"), nothing=finding("F5", "F6"))
    dialogues = [
        of("a", [("Age?", "I am sixty."), ("Complaints?", "It burns.")]),
        of("b", [("Age?", "Fifty."), ("Fever?", "I have nothing."), ("Else?", "No.")]),
        of("c", [("Age?", "Fifty.")], department="Psychiatry"),
    ]
    found = scores(openai_server, dialogues)
    score = figure(found)
    assert score.value == pytest.approx(4 / 6)
    assert (score.n, score.n_missing, score.unit, score.better) == (6, 0, "share", "higher")
    assert departments(found) == {"Urology": pytest.approx(0.6), "Psychiatry": 1.0}
    assert score.bounds == pytest.approx((4 / 6, 4 / 6))
    values = {"a": [0.0, 1.0], "b": [1.0, 0.0, 1.0], "c": [1.0]}
    assert score.interval == cluster_bootstrap(values, share=True)[1]
    assert score.interval is not None
    assert score.interval.low < 4 / 6 < score.interval.high
    assert score.notes == ()


def test_each_verdict_is_kept_with_its_reasons(openai_server: OpenAIServer) -> None:
    openai_server.hook = by_answer(nothing=finding("F5", "f6"), denied=finding("S1.2"))
    told = [("Age?", "Fifty."), ("Fever?", "I have nothing.")]
    (found,) = evaluations(openai_server, [of("b", told, [("Fever?", "I denied it.")])])
    assert found.values == {"": (1.0, 0.0, 0.0)}
    assert [reason.where for reason in found.reasons] == ["r1/t1", "r1/t2", "r2/t1"]
    assert [reason.value for reason in found.reasons] == [1.0, 0.0, 0.0]
    assert {reason.text for reason in found.reasons} == {"compared"}
    assert [reason.contradicted for reason in found.reasons] == [
        {},
        {"F5": "Symptom: burning pain", "F6": "Symptom: fever"},
        {"S1.2": "Said in round 1: I have nothing."},
    ]
    assert found.keys == tuple(key for reason in found.reasons for key in reason.keys)
    assert len(set(found.keys)) == 3
    assert (found.item, found.cluster, found.answers) == ("b", "b", 3)


def test_the_judge_reads_the_records_facts_the_question_and_the_answer(
    openai_server: OpenAIServer,
) -> None:
    openai_server.hook = by_answer()
    scores(openai_server, [of("RECORD-ID", [("How old are you?", "Fifty.")])])
    (seen,) = openai_server.seen
    for words in ("F3: Age: 50", "F5: Symptom: burning pain", "How old are you?", "Fifty."):
        assert words in seen.words
    assert "earlier consultation" not in seen.words
    assert "ID: RECORD-ID" not in seen.words
    assert seen.body["temperature"] == 0


def test_round_two_is_held_against_what_was_said_in_round_one(openai_server: OpenAIServer) -> None:
    def hook(seen: Seen) -> str:
        said = 'S1.1: asked in round 1 "Smoke?", the patient said: Never.' in seen.words
        return finding("S1.1") if said and "daily" in answered(seen) else finding()

    openai_server.hook = hook
    rounds = [("Smoke?", "Never."), ("Sure?", "Now daily.")], [("Smoke?", "daily")]
    # Within a round the patient is held against the record alone, as the paper's setting is.
    found = evaluations(openai_server, [of("a", *rounds)])
    assert item_values(found) == {"a": (1.0, 1.0, 0.0)}


def test_a_closing_turn_of_the_doctor_is_not_judged(openai_server: OpenAIServer) -> None:
    openai_server.hook = by_answer()
    closed = of("a", [("Smoke?", "Never."), ("Goodbye.", None)], [("Smoke?", "No.")])
    items = Items([closed], "dialogues", lacking=lacking(1))
    score = figure(scores(openai_server, items))
    assert (score.n, score.n_missing) == (2, 2)
    assert len(openai_server.seen) == 2
    assert not any("Goodbye" in seen.words for seen in openai_server.seen)


def test_refused_and_unreadable_verdicts_are_missing_not_wrong(openai_server: OpenAIServer) -> None:
    openai_server.hook = by_answer(
        other=finding("F99"), two=finding(statement=2), sixty=finding("F3"), bracket=finding("[f3]")
    )
    openai_server.fail("refusal", when=lambda seen: "refuse" in answered(seen))
    answers = ("refuse", "other", "two", "sixty", "bracket", "fine")
    told = [of("a", [("?", answer) for answer in answers])]
    score = figure(scores(openai_server, Items(told, "dialogues", lacking=lacking(1))))
    assert score.value == pytest.approx(1 / 3)
    # A dialogue that was never made counts for as many answers as the longest one has.
    assert (score.n, score.n_missing) == (3, 3 + 6)
    assert score.bounds == pytest.approx((1 / 12, 10 / 12))
    failures = failures_of(evaluations(openai_server, told))
    outcomes = {failure.item: failure.outcome for failure in failures}
    assert outcomes == {"a/r1/t1": "refusal", "a/r1/t2": "invalid", "a/r1/t3": "invalid"}
    assert "F99" in next(one.reason for one in failures if one.item == "a/r1/t2")
    assert {failure.metric for failure in failures} == {"dialogue-consistency"}


@pytest.mark.parametrize(
    ("first", "fault"),
    [(finding("F99"), "there are no facts 'F99'"), (finding(statement=2), "statement")],
)
def test_a_verdict_on_what_there_is_not_is_shown_and_asked_again(
    openai_server: OpenAIServer, first: str, fault: str
) -> None:
    tries: list[str] = []

    def hook(seen: Seen) -> str:
        tries.append(seen.words)
        return first if len(tries) == 1 else finding("F3: Age: 50")

    openai_server.hook = hook
    (found,) = evaluations(openai_server, [of("a", [("?", "x")])])
    assert (found.values, found.missing, found.failures) == ({"": (0.0,)}, {}, ())
    assert len(found.keys) == 2
    assert fault in tries[1]


def test_a_dialogue_without_record_is_missing_and_says_so(openai_server: OpenAIServer) -> None:
    openai_server.hook = by_answer()
    bare = dialogue("b", [("?", "x"), ("?", "y")])
    told = [of("a", [("?", "x")]), bare]
    score = figure(scores(openai_server, told))
    assert (score.value, score.n, score.n_missing) == (1.0, 1, 2)
    assert score.notes == (
        "1 dialogue left out: no record to compare with (add --records FILE)",
        TOO_FEW,
    )
    assert failures_of(evaluations(openai_server, told)) == []
    alone = figure(scores(openai_server, [bare]))
    assert (alone.value, alone.interval, alone.bounds) == (None, None, (0.0, 1.0))
    nothing = figure(scores(openai_server, []))
    assert (nothing.value, nothing.bounds, nothing.notes) == (None, None, ("nothing to score",))


def test_the_rules_find_planted_contradictions() -> None:
    told = of(
        "a",
        [("How old are you?", "I am 50 years old."), ("Any fever?", "Yes, fever.")],
        [("How old are you?", "I am 72 years old."), ("Any fever?", "No, no fever.")],
    )
    with context(judge=Rules()) as given:
        score = figure(asyncio.run(scored(METRIC, [told], given)))
        pinned = given.role("judge").pinned
    assert score.value == 0.5
    assert score.notes == (TOO_FEW,)
    origin = DialogueOrigin(patient="x", doctor="x", triplets=f"batched:{pinned}")
    checked = told.model_copy(update={"origin": origin})
    with context(judge=Rules()) as given:
        score = figure(asyncio.run(scored(METRIC, [told, checked], given)))
    assert score.notes == (SELF_CHECKED, TOO_FEW)
