"""The three methods: what each is told, what it makes of the answers, what it costs."""

import json
from typing import Any

import pytest
from rules_run import LIBRARY, Seen, context, generate

from bench.api.failure import Failure
from bench.backbones.prompt import Completion, Prompt
from bench.backbones.requests import Judge, Verdict, Write
from bench.core.registry import GENERATORS
from bench.knowledge.cases import plan
from bench.records.record import PatientRecord
from generators.direct import Direct
from generators.multi_step import MultiStep
from generators.patient_zero import TRIES, PatientZero

CASES = list(plan(LIBRARY, LIBRARY.departments, 2, seed=1))
CALLS = {"direct": 1, "multi-step": 2, "patient-zero": 2}
"""Exchanges for one case."""
every_method = pytest.mark.parametrize("method", [Direct(), MultiStep(), PatientZero()])


def made_by(method: Any, seen: Seen) -> list[PatientRecord]:
    with context(generator=seen) as given:
        made = generate(method, CASES, given)
    assert all(isinstance(record, PatientRecord) for record in made)
    return [record for record in made if isinstance(record, PatientRecord)]


@every_method
def test_each_case_becomes_its_record_in_order(method):
    records = made_by(method, Seen())
    assert [record.id for record in records] == [case.id for case in CASES]
    for case, record in zip(CASES, records, strict=True):
        assert record.department == case.department
        assert record.basic_information.age == case.age
        assert record.basic_information.gender == case.gender
        assert record.disease_information.disease == case.disease
        assert record.origin is not None
        assert record.origin.generator == method.card.name
        assert len(record.origin.keys) == CALLS[method.card.name]


@pytest.mark.parametrize(
    ("method", "full"), [(Direct(), False), (MultiStep(), False), (PatientZero(), True)]
)
def test_only_the_full_method_is_told_outline_and_course(method, full):
    seen = Seen()
    made_by(method, seen)
    replicates = {prompt.replicate for prompt in seen.prompts}  # no two cases share a draw
    assert len(replicates) == len(seen.prompts) == len(CASES) * CALLS[method.card.name]
    for prompt in seen.prompts:
        task = prompt.request
        assert isinstance(task, Write)
        assert ((task.outline is not None), (task.presentation is not None)) == (full, full)
        words = "\n".join(message.content for message in prompt.messages)
        assert ("Disease outline" in words) is full
        example = "Community-acquired pneumonia" in words or "Chest X-ray" in words
        assert example is (method.card.name != "direct")
        (case,) = (case for case in CASES if prompt.replicate.startswith(case.id))
        assert case.disease in words
        assert str(case.age) in words
        for name in CALLS:
            assert f'"{name}"' not in task.model_dump_json()


def test_the_second_step_is_told_the_first():
    seen = Seen()
    records = made_by(MultiStep(), seen)
    second = [p for p in seen.prompts if p.replicate.endswith("/examinations")]
    by_case = {p.replicate.split("/")[0]: p for p in second}
    for record in records:
        prompt = by_case[record.id]
        assert isinstance(prompt.request, Write)
        told = prompt.request.known["disease_information"]
        assert told == record.disease_information.model_dump(mode="json")
        assert record.basic_information.name in prompt.messages[-2].content


def test_the_one_shot_example_is_of_none_of_our_diseases():
    example = MultiStep.card.prompts[-1]
    disease = json.loads(example.read_text())["disease_information"]["disease"]
    assert LIBRARY.find(disease) is None


class Checker(Seen):
    """Writes as the rules do; its verdicts are scripted."""

    def __init__(self, verdicts: list[bool]) -> None:
        super().__init__()
        self.verdicts = verdicts

    async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
        if not isinstance(prompt.request, Judge):
            return await super().complete(prompt, key)
        self.prompts.append(prompt)
        section = {"reasons": "scripted", "aligned": self.verdicts.pop(0)}
        fields = Verdict.model_fields
        return Completion(text=json.dumps(dict.fromkeys(fields, section)))


@pytest.mark.parametrize(
    ("verdicts", "rewritten"), [([True], 0), ([False, True], 1), ([False] * TRIES, TRIES - 1)]
)
def test_regeneration_stops_at_the_first_sound_record_and_is_counted(verdicts, rewritten):
    checker = Checker(list(verdicts))
    with context(generator=checker) as given:
        (record,) = generate(PatientZero(plausibility="regenerate"), CASES[:1], given)
    assert isinstance(record, PatientRecord)
    assert record.origin is not None
    assert record.origin.rewritten == rewritten
    assert checker.verdicts == []
    assert len(record.origin.keys) == len(checker.prompts) == 2 * (rewritten + 1) + len(verdicts)


class Breaking(Seen):
    """Fails for one case in a way that no protocol foresees."""

    async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
        if prompt.replicate.startswith(CASES[1].id):
            raise KeyError("a fault of the backbone")
        return await super().complete(prompt, key)


@every_method
def test_one_bad_case_costs_that_case_alone(method):
    with context(generator=Breaking()) as given:
        made = generate(method, CASES, given)
    failures = [item for item in made if isinstance(item, Failure)]
    assert [failure.item for failure in failures] == [CASES[1].id]
    assert "a fault of the backbone" in failures[0].reason
    assert len(made) == len(CASES)


def test_unknown_names_and_options_are_told_apart():
    from bench.core.errors import UserError

    with pytest.raises(UserError, match="did you mean 'direct'"):
        GENERATORS.load("dirct")
    with pytest.raises(UserError, match="did you mean 'plausibility'"):
        GENERATORS.make("patient-zero", {"plausability": "regenerate"})
