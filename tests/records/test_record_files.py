"""Reading and writing records."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from patients import patient
from strategies import records

from bench.core.atomic import write_text
from bench.core.errors import UserError
from bench.records.dialogue_files import DialogueFile
from bench.records.formats import Text
from bench.records.record_files import RecordFile, write_records

several = st.lists(records, max_size=4, unique_by=lambda record: record.id)
reuse_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@reuse_folder
@given(written=several)
def test_records_survive_a_file(tmp_path, written):
    path = tmp_path / "records.jsonl"
    write_records(path, written)
    assert list(RecordFile(path)) == written
    assert list(RecordFile(str(path))) == written  # and once more


def test_reading_holds_one_record_at_a_time(tmp_path):
    path = tmp_path / "records.jsonl"
    write_records(path, [patient("a", "d", "x")])
    with path.open("a") as file:
        file.write("not json\n")
    reader = iter(RecordFile(path))
    assert next(reader).id == "a"
    with pytest.raises(UserError, match="line 2: not JSON"):
        next(reader)


def test_a_wrong_field_is_named_with_its_line(tmp_path):
    path = tmp_path / "records.jsonl"
    good = patient("a", "d", "x").model_dump(mode="json", exclude_none=True)
    bad = json.loads(json.dumps(good))
    bad["id"] = "b"
    bad["basic_information"]["age"] = "old"
    path.write_text(f"{json.dumps(good)}\n\n{json.dumps(bad)}\n")
    with pytest.raises(UserError, match=r"line 3: field basic_information\.age"):
        list(RecordFile(path))


def test_a_repeated_id_is_refused(tmp_path):
    path = tmp_path / "records.jsonl"
    line = patient("a", "d", "x").model_dump_json(exclude_none=True)
    path.write_text(f"{line}\n{line}\n")
    with pytest.raises(UserError, match="line 2: the id 'a' stands in line 1 too"):
        list(RecordFile(path))


@pytest.mark.parametrize("name", ["none.jsonl", "none.parquet"])
def test_a_missing_file_is_refused(tmp_path, name):
    with pytest.raises(UserError, match="cannot be read"):
        list(RecordFile(tmp_path / name))


def test_a_broken_parquet_file_is_refused(tmp_path):
    path = tmp_path / "records.parquet"
    path.write_bytes(b"PAR1 nothing here")
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        list(RecordFile(path))


halves = st.integers(0xD800, 0xDFFF).map(chr)


def places(node: Any, path: str = "") -> Iterator[tuple[str, Callable[[str], None]]]:
    """Every text in a JSON value with its path, and what puts another in its place."""
    if isinstance(node, dict | list):
        for name, item in list(node.items() if isinstance(node, dict) else enumerate(node)):
            place = f"{path}.{name}".lstrip(".")
            if isinstance(item, str):
                yield place, lambda text, name=name: node.__setitem__(name, text)  # type: ignore[misc]
            yield from places(item, place)


def whole_record(identity: str) -> dict[str, Any]:
    record = patient(identity, "d", "x\ny").model_dump(mode="json", exclude_none=True)
    record["examination_results"] = [{"category": "laboratory", "test": "t", "unit": "10^9/L"}]
    return record | {"profile": {"occupation": "baker"}}


def whole_dialogue(identity: str) -> dict[str, Any]:
    said = [{"question": "q1", "answer": "a1"}, {"question": "q2", "answer": "a2"}]
    rounds = [{"exchanges": said}, {"exchanges": said[:1]}]
    manner = {"style": "plain"}
    return {"id": identity, "manner": manner, "rounds": rounds, "record": whole_record("r")}


@pytest.mark.parametrize(
    ("kind", "whole"), [(RecordFile, whole_record), (DialogueFile, whole_dialogue)]
)
@reuse_folder
@given(data=st.data(), half=halves, around=st.sampled_from(["", "é", "3 weeks "]))
def test_half_a_character_is_refused_with_line_and_field(tmp_path, kind, whole, data, half, around):
    path = tmp_path / "items.jsonl"
    bad = json.loads(json.dumps(whole("b")))
    place, put = data.draw(st.sampled_from(list(places(bad))))
    put(around + half + around)
    line = json.dumps(bad, ensure_ascii=data.draw(st.booleans()))  # escaped, or as bytes
    raw = f"{json.dumps(whole('a'))}\n\n{line}\n".encode(errors="surrogatepass")
    path.write_bytes(raw)
    with pytest.raises(UserError) as raised:
        list(kind(path))
    said = str(raised.value)
    said.encode()
    assert f"{path}, line 3: field {place} holds half a character" in said


def test_half_a_character_in_a_name_and_a_pair_of_halves(tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_text(json.dumps(whole_dialogue("a") | {"manner": {"st\ud83d": "plain"}}))
    with pytest.raises(UserError, match=r"line 1: field manner\.st\\ud83d holds half"):
        list(DialogueFile(path))
    path.write_text(json.dumps(whole_record("a") | {"department": "\U0001f600"}))
    (record,) = RecordFile(path)
    assert record.department == "\U0001f600"


NOTHING = (
    ("examination_results", 0, "value"),
    ("examination_results", 0, "reference_range"),
    ("examination_results", 0, "finding"),
    ("profile", "pain"),
    ("profile", "medication"),
    ("disease_information", "duration"),
)


@pytest.mark.parametrize("path", NOTHING)
def test_nan_in_json_is_absent(tmp_path, path):
    file = tmp_path / "items.jsonl"
    bad = whole_record("a")
    target: Any = bad
    for part in path[:-1]:
        target = target[part]
    target[path[-1]] = float("nan")
    dialogue = whole_dialogue("d") | {"record": bad, "department": float("nan")}
    dialogue["rounds"][0]["exchanges"][-1]["answer"] = float("nan")
    for kind, whole in ((RecordFile, bad), (DialogueFile, dialogue)):
        line = json.dumps(whole)
        assert "NaN" in line
        file.write_text(f"{line}\n")
        (item,) = kind(file)
        assert "nan" not in item.model_dump_json().lower()


def test_nan_in_parquet_is_absent(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [whole_record(name) for name in "ab"]
    rows[0]["examination_results"][0]["value"] = 4.5
    rows[1]["examination_results"][0] |= {"value": float("nan"), "finding": "nan"}
    rows[1]["profile"]["pain"] = float("nan")
    path = tmp_path / "records.parquet"
    parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    first, second = RecordFile(path)
    assert first.examination_results[0].value == "4.5"
    assert second.examination_results[0].value is None
    assert "nan" not in Text().render(second)


def test_a_parquet_text_that_is_no_utf8_is_refused(tmp_path):
    pyarrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "records.parquet"
    raw = pyarrow.array([b"cut \xed\xa0\xbd"]).view(pyarrow.string())
    parquet.write_table(pyarrow.table({"id": raw}), path)
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        list(RecordFile(path))


@pytest.mark.parametrize("age", ["true", "45.5", '"45 years"', "Infinity", "NaN"])
def test_an_age_that_is_none_is_refused_with_line_and_field(tmp_path, age):
    path = tmp_path / "items.jsonl"
    bad = json.dumps(whole_record("a")).replace('"age": 50', f'"age": {age}')
    assert age in bad
    path.write_text(f"\n{bad}\n")
    with pytest.raises(UserError, match=r"line 2: field basic_information\.age"):
        list(RecordFile(path))
    path.write_text(json.dumps(whole_dialogue("d")).replace('"age": 50', f'"age": {age}'))
    with pytest.raises(UserError, match=r"line 1: field record\.basic_information\.age"):
        list(DialogueFile(path))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_one_sentence_and_the_device_stays():
    with pytest.raises(UserError, match="/dev/full cannot be written"):
        write_text(Path("/dev/full"), "x")
    assert Path("/dev/full").is_char_device()
