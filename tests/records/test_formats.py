"""The three formats: nothing lost, nothing of the identity left where it must go."""

import json

from hypothesis import given
from patients import patient
from strategies import records

from bench.core.registry import FORMATS
from bench.records.formats import Atomic, Json, Text, describe_examination, facts, remember
from bench.records.record import PatientRecord


def values(record: PatientRecord) -> list[str]:
    """Everything a record says, in field order."""
    said: list[str] = []
    for section in ("basic_information", "epidemiology", "disease_information"):
        for _, value in getattr(record, section):
            said += value if isinstance(value, tuple) else [] if value is None else [str(value)]
    said += [describe_examination(examination) for examination in record.examination_results]
    if record.profile is not None:
        said += [str(value) for _, value in record.profile if value is not None]
    return said


@given(records)
def test_facts_hold_every_value_once_and_in_order(record):
    assert [fact.value for fact in facts(record)] == [record.id, *values(record)]


@given(records)
def test_json_reads_back_as_the_record(record):
    data = json.loads(Json().render(record))
    assert PatientRecord.model_validate(data) == record.model_copy(update={"origin": None})


@given(records)
def test_text_holds_every_value(record):
    text = Text().render(record)
    for value in values(record):
        assert value in text


@given(records)
def test_identity_can_be_left_out(record):
    named = record.model_copy(
        update={
            "id": "THE-ID-1",
            "basic_information": record.basic_information.model_copy(
                update={"name": "The Very Name"}
            ),
        }
    )
    for form in (Json(), Text(), Atomic()):
        assert "THE-ID-1" in form.render(named)
        assert "The Very Name" in form.render(named)
        assert "THE-ID-1" not in form.render(named, identity=False)
        assert "The Very Name" not in form.render(named, identity=False)


def test_a_format_that_remembers_nothing_itself_shows_its_record_and_what_was_learned():
    class Mine:
        name = "mine"

        def render(self, record: PatientRecord, *, identity: bool = True) -> str:
            return f"This is {record.basic_information.name}"

    record = patient("P1", "Urology", "cystitis")
    shown = f"This is {record.basic_information.name}"
    assert remember(Mine(), record, ["Age: 50"], []) == shown
    assert remember(Mine(), record, ["Age: 50"], ["Has a cat", "It purrs."]) == (
        f"{shown}\nLearned in Conversation\nHas a cat.\nIt purrs."
    )


def test_the_registry_has_the_three():
    assert [plugin.name for plugin in FORMATS.plugins()] == ["atomic", "json", "text"]
