"""Reading and writing records."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from patients import patient
from strategies import records

from bench.core.atomic import write_text
from bench.core.errors import UserError
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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_one_sentence_and_the_device_stays():
    with pytest.raises(UserError, match="/dev/full cannot be written"):
        write_text(Path("/dev/full"), "x")
    assert Path("/dev/full").is_char_device()
