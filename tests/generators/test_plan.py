"""A record is held to its plan: who the patient is, and of which disease."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rules_run import LIBRARY, Seen, context, generate

from bench.api.failure import Failure
from bench.api.generator import plan_check
from bench.backbones.prompt import Completion, Doubtful, OffPlan, Prompt
from bench.backbones.requests import Write
from bench.knowledge.cases import Case, plan
from bench.records.record import PatientRecord, RecordSections
from generators.direct import Direct
from generators.multi_step import MultiStep
from generators.patient_zero import PatientZero

CASES = list(plan(LIBRARY, LIBRARY.departments, 2, seed=1))
CASE = CASES[0]
UNKNOWN = "Nobody's disease"
every_method = pytest.mark.parametrize("method", [Direct(), MultiStep(), PatientZero()])


def sections(case: Case, **changed: Any) -> RecordSections:
    """Sections of a case, changed as given."""
    told = {"gender": case.gender, "age": case.age, "disease": case.disease} | changed
    return RecordSections.model_validate(
        {
            "basic_information": {"name": "A", "gender": told["gender"], "age": told["age"]},
            "epidemiology": {
                name: []
                for name in (
                    *("medical_history", "lifestyle"),
                    *("vaccination_history", "family_history"),
                )
            },
            "disease_information": {"disease": told["disease"], "symptoms": ["pain"]},
            "examination_results": [],
        }
    )


def spelt(name: str) -> st.SearchStrategy[str]:
    """Ways to write a name that tell no names apart."""
    return st.sampled_from([name, name.upper(), name.lower(), f"  {name.replace(' ', '  ')}\n"])


@given(case=st.sampled_from(CASES), data=st.data())
def test_every_name_of_the_planned_disease_is_on_plan(case: Case, data: st.DataObject) -> None:
    listing = LIBRARY.listing(case.disease)
    assert listing is not None
    named = data.draw(st.sampled_from(listing.names).flatmap(spelt))
    plan_check(case, LIBRARY)(sections(case, disease=named))


@given(case=st.sampled_from(CASES), data=st.data())
def test_every_name_of_another_disease_is_off_plan(case: Case, data: st.DataObject) -> None:
    others = [one for one in LIBRARY.listings if one.name != case.disease]
    named = data.draw(st.sampled_from(others).flatmap(lambda one: st.sampled_from(one.names)))
    with pytest.raises(OffPlan) as raised:
        plan_check(case, LIBRARY)(sections(case, disease=named))
    assert case.disease in str(raised.value)
    assert named in str(raised.value)


@given(
    case=st.sampled_from(CASES),
    gender=st.sampled_from(["female", "male", "other"]),
    age=st.integers(0, 120),
    disease=st.sampled_from(["", UNKNOWN, "x" * 5000]),
)
def test_another_gender_or_age_is_off_plan_whatever_the_disease(
    case: Case, gender: str, age: int, disease: str
) -> None:
    changed = {"gender": gender, "age": age} | ({"disease": disease} if disease else {})
    same = (gender, age) == (case.gender, case.age)
    if same and not disease:
        plan_check(case, LIBRARY)(sections(case, **changed))
        return
    with pytest.raises(Doubtful if same else OffPlan) as raised:
        plan_check(case, LIBRARY)(sections(case, **changed))
    said = str(raised.value)
    assert len(said) < 600
    assert same or all(str(part) in said for part in (case.gender, case.age, gender, age))
    assert not disease or case.disease in said


def test_a_planned_disease_without_an_outline_is_held_to_its_name() -> None:
    case = replace(CASE, disease=UNKNOWN)
    check = plan_check(case, LIBRARY)
    check(sections(case, disease=UNKNOWN.upper()))
    with pytest.raises(Doubtful):
        check(sections(case, disease="Another unknown disease"))
    with pytest.raises(OffPlan):
        check(sections(case, disease=CASE.disease))


class Straying(Seen):
    """Writes as the rules do, and changes what the test says in its first answers to a case."""

    def __init__(self, change: Callable[[dict[str, Any]], None], times: int) -> None:
        super().__init__()
        self.change = change
        self.left = times

    async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
        completion = await super().complete(prompt, key)
        record = json.loads(completion.text)
        if self.left and isinstance(prompt.request, Write) and "disease_information" in record:
            self.left -= 1
            self.change(record)
        return replace(completion, text=json.dumps(record))


def another_gender(record: dict[str, Any]) -> None:
    who = record["basic_information"]
    who["gender"] = "male" if who["gender"] == "female" else "female"


def another_age(record: dict[str, Any]) -> None:
    record["basic_information"]["age"] += 1


def another_disease(record: dict[str, Any]) -> None:
    record["disease_information"]["disease"] = CASES[1].disease


def unknown_disease(record: dict[str, Any]) -> None:
    record["disease_information"]["disease"] = UNKNOWN


off_plan = pytest.mark.parametrize("change", [another_gender, another_age, another_disease])


@every_method
@off_plan
def test_another_patient_than_planned_is_asked_again_then_a_failure(
    method: Any, change: Callable[[dict[str, Any]], None]
) -> None:
    with context(generator=Straying(change, times=1)) as given:
        (record,) = generate(method, [CASE], given)
    assert isinstance(record, PatientRecord)
    assert record.basic_information.age == CASE.age
    with context(generator=Straying(change, times=-1)) as given:
        (failure,) = generate(method, [CASE], given)
    assert isinstance(failure, Failure)
    assert failure.outcome == "off-plan"
    assert len(failure.keys) == 3


@every_method
def test_an_unknown_name_is_asked_again_then_kept(method: Any) -> None:
    with context(generator=Straying(unknown_disease, times=1)) as given:
        (record,) = generate(method, [CASE], given)
    assert isinstance(record, PatientRecord)
    assert record.disease_information.disease == CASE.disease
    with context(generator=Straying(unknown_disease, times=-1)) as given:
        (record,) = generate(method, [CASE], given)
    assert isinstance(record, PatientRecord)
    assert record.disease_information.disease == UNKNOWN
