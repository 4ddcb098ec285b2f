"""Accuracy: verdicts counted, missing ones shown, by-construction marked."""

import asyncio
import json
from typing import Any

import pytest
from rules_run import LIBRARY, Seen, context, generate

from bench.api.metric import Items, Score
from bench.backbones.prompt import Completion, Prompt
from bench.backbones.requests import Judge, Verdict
from bench.backbones.rules.backbone import Rules
from bench.core.errors import UserError
from bench.knowledge.cases import plan
from bench.records.record import SECTIONS, PatientRecord
from bench.scoring.intervals import wilson
from generators.direct import Direct
from metrics.accuracy import BY_CONSTRUCTION, Accuracy

CASES = list(plan(LIBRARY, ["Urology", "Orthopedics"], 5, seed=1))


def records() -> list[PatientRecord]:
    with context(generator=Rules()) as given:
        made = generate(Direct(), CASES, given)
    return [record for record in made if isinstance(record, PatientRecord)]


def scored(items: Items, judge: Any) -> dict[str, Score]:
    with context(judge=judge) as given:
        return {s.metric: s for s in asyncio.run(Accuracy().score(items, given))}


class Scripted(Seen):
    """A judge whose verdict on a section is wrong for some records, or no verdict at all."""

    def __init__(self, wrong: dict[str, str], *, silent: frozenset[str] = frozenset()) -> None:
        super().__init__()
        self.wrong = wrong
        self.silent = silent

    async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
        self.prompts.append(prompt)
        if prompt.replicate in self.silent:
            return Completion(text="no", outcome="refusal")
        bad = self.wrong.get(prompt.replicate)
        verdict = {
            section: {"reasons": "scripted", "aligned": section != bad} for section in SECTIONS
        }
        return Completion(text=json.dumps(verdict))


def test_a_record_is_accurate_if_every_section_is():
    made = records()
    wrong = {made[0].id: "epidemiology", made[1].id: "examination_results"}
    found = scored(Items(made), Scripted(wrong))
    assert found["accuracy"].value == pytest.approx(0.8)
    assert found["accuracy"].interval == wilson(8, 10)
    assert found["accuracy/epidemiology"].value == pytest.approx(0.9)
    assert found["accuracy/basic_information"].value == 1.0
    assert found["accuracy"].items[made[0].id] == 0.0
    assert found["accuracy"].departments == {"Urology": 0.6, "Orthopedics": 1.0}


def test_missing_verdicts_leave_the_denominator_and_show_in_the_bounds():
    made = records()
    judge = Scripted({made[0].id: "epidemiology"}, silent=frozenset([made[1].id, made[2].id]))
    score = scored(Items(made, missing=1), judge)["accuracy"]
    assert (score.n, score.n_missing) == (8, 3)
    assert score.value == pytest.approx(7 / 8)
    assert score.bounds == pytest.approx((7 / 11, 10 / 11))
    assert [failure.outcome for failure in score.failures] == ["refusal", "refusal"]
    assert {failure.item for failure in score.failures} == {made[1].id, made[2].id}


def test_the_judge_sees_neither_id_nor_origin_nor_name():
    made = [records()[0].model_copy(update={"id": "RECORD-ID-X"})]
    judge = Scripted({})
    scored(Items(made), judge)
    (prompt,) = judge.prompts
    assert isinstance(prompt.task, Judge)
    words = "\n".join(message.content for message in prompt.messages)
    for secret in ("RECORD-ID-X", "direct", made[0].basic_information.name):
        assert secret not in words
    assert prompt.sampling.temperature == 0
    assert list(Verdict.model_fields) == list(SECTIONS)


def test_a_record_of_another_disease_is_judged_against_the_planned_one():
    record = records()[0]
    other = record.disease_information.model_copy(update={"disease": "Acute appendicitis"})
    strayed = record.model_copy(update={"disease_information": other})
    score = scored(Items([strayed]), Rules())["accuracy"]
    assert score.value == 0.0


def test_rules_judging_rules_is_marked_by_construction():
    made = records()
    assert scored(Items(made), Rules())["accuracy"].notes == (BY_CONSTRUCTION,)
    foreign = [record.model_copy(update={"origin": None}) for record in made]
    (note,) = scored(Items(foreign), Rules())["accuracy"].notes
    assert "stand-in" in note
    assert scored(Items(made), Scripted({}))["accuracy"].notes == ()


def test_a_disease_without_outline_is_missing_not_wrong():
    record = records()[0]
    illness = record.disease_information.model_copy(update={"disease": "Dragon pox"})
    stranger = record.model_copy(update={"disease_information": illness, "origin": None})
    score = scored(Items([stranger]), Rules())["accuracy"]
    assert (score.value, score.n, score.n_missing) == (None, 0, 1)
    assert "Dragon pox" in score.failures[0].reason


def test_without_a_judge_one_sentence_says_what_to_add():
    with context() as given, pytest.raises(UserError, match="--judge"):
        asyncio.run(Accuracy().score(Items(records()), given))
