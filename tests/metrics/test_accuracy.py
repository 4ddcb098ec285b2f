"""Accuracy: verdicts counted, missing ones shown, by-construction marked."""

import asyncio
import json
from typing import Any

import pytest
from patients import departments, evaluated, failures_of, figure, lacking, scored
from rules_run import LIBRARY, Seen, context, generate

from bench.api.evaluation import Evaluation
from bench.api.item import Items
from bench.api.score import Score
from bench.backbones.prompt import Completion, Prompt
from bench.backbones.requests import Judge, Verdict
from bench.backbones.rules.backbone import Rules
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


def scores(items: Any, judge: Any) -> list[Score]:
    with context(judge=judge) as given:
        return asyncio.run(scored(Accuracy(), items, given))


def evaluations(items: Any, judge: Any) -> list[Evaluation]:
    with context(judge=judge) as given:
        return asyncio.run(evaluated(Accuracy(), items, given))


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
            section: {"reasons": f"on {section}", "aligned": section != bad} for section in SECTIONS
        }
        return Completion(text=json.dumps(verdict))


def test_a_record_is_accurate_if_every_section_is():
    made = records()
    wrong = {made[0].id: "epidemiology", made[1].id: "examination_results"}
    found = scores(made, Scripted(wrong))
    assert figure(found).value == pytest.approx(0.8)
    assert figure(found).interval == wilson(8, 10)
    assert figure(found, "epidemiology").value == pytest.approx(0.9)
    assert figure(found, "basic_information").value == 1.0
    assert departments(found) == pytest.approx({"Urology": 0.6, "Orthopedics": 1.0})
    assert departments(found, "epidemiology") == pytest.approx({"Urology": 0.8, "Orthopedics": 1.0})
    assert figure(found, group="Urology").interval == wilson(3, 5)


def test_the_judges_reasons_are_kept_by_section():
    (made, *_) = records()
    judge = Scripted({made.id: "epidemiology"})
    (found,) = evaluations([made], judge)
    told = {reason.where: (reason.value, reason.text) for reason in found.reasons}
    assert told == {name: (float(name != "epidemiology"), f"on {name}") for name in SECTIONS}
    assert found.keys
    assert {reason.keys for reason in found.reasons} == {found.keys}
    assert (found.item, found.department, found.values[""]) == (made.id, "Urology", (0.0,))


def test_missing_verdicts_leave_the_denominator_and_show_in_the_bounds():
    made = records()
    judge = Scripted({made[0].id: "epidemiology"}, silent=frozenset([made[1].id, made[2].id]))
    found = scores(Items(made, lacking=lacking(1, "Urology")), judge)
    score = figure(found)
    assert (score.n, score.n_missing) == (8, 3)
    assert score.value == pytest.approx(7 / 8)
    assert score.bounds == pytest.approx((7 / 11, 10 / 11))
    urology = figure(found, group="Urology")
    assert (urology.n, urology.n_missing) == (3, 3)
    failures = failures_of(evaluations(made, judge))
    assert [failure.outcome for failure in failures] == ["refusal", "refusal"]
    assert {failure.item for failure in failures} == {made[1].id, made[2].id}
    assert {failure.metric for failure in failures} == {"accuracy"}


def test_the_judge_sees_neither_id_nor_origin_nor_name():
    made = [records()[0].model_copy(update={"id": "RECORD-ID-X"})]
    judge = Scripted({})
    evaluations(made, judge)
    (prompt,) = judge.prompts
    assert isinstance(prompt.request, Judge)
    words = "\n".join(message.content for message in prompt.messages)
    for secret in ("RECORD-ID-X", "direct", made[0].basic_information.name):
        assert secret not in words
    assert prompt.sampling.temperature == 0
    assert list(Verdict.model_fields) == list(SECTIONS)


def test_a_record_of_another_disease_is_judged_against_the_planned_one():
    record = records()[0]
    other = record.disease_information.model_copy(update={"disease": "Acute appendicitis"})
    strayed = record.model_copy(update={"disease_information": other})
    score = figure(scores([strayed], Rules()))
    assert score.value == 0.0


def test_rules_judging_rules_is_marked_by_construction():
    made = records()
    assert figure(scores(made, Rules())).notes == (BY_CONSTRUCTION,)
    foreign = [record.model_copy(update={"origin": None}) for record in made]
    assert figure(scores(foreign, Rules())).notes == ()
    assert figure(scores([*made[:2], *foreign[2:]], Rules())).notes == (BY_CONSTRUCTION,)
    assert figure(scores(made, Scripted({}))).notes == ()


def test_a_disease_without_outline_is_missing_not_wrong():
    record = records()[0]
    illness = record.disease_information.model_copy(update={"disease": "Dragon pox"})
    stranger = record.model_copy(update={"disease_information": illness, "origin": None})
    score = figure(scores([stranger], Rules()))
    assert (score.value, score.n, score.n_missing) == (None, 0, 1)
    (failure,) = failures_of(evaluations([stranger], Rules()))
    assert "Dragon pox" in failure.reason
