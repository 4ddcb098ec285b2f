"""Records in files, one at a time: JSON Lines; Parquet is read with the extra `parquet`."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from bench.core.atomic import writing
from bench.core.errors import UserError
from bench.core.schema import faults
from bench.records.record import PatientRecord

M = TypeVar("M", bound=BaseModel)
ROW_GROUP = 1000
"""Records of a Parquet file held in memory at a time."""


class RecordFile:
    """The records of a file; each iteration reads it anew, holding one record (or row group)."""

    def __init__(self, path: str | Path) -> None:
        """Records in `.jsonl`/`.json`-lines or `.parquet`; nothing is read yet.

        Raises:
            UserError: if there is no such file.
        """
        self.path = Path(path)
        if not self.path.is_file():
            raise UserError(f"there is no file {path}")

    def __iter__(self) -> Iterator[PatientRecord]:
        """The records in file order.

        Raises:
            UserError: naming the line (or row) and field at fault, or an id that stands twice.
        """
        rows = _parquet_rows(self.path) if self.path.suffix == ".parquet" else json_lines(self.path)
        return checked_as(PatientRecord, rows, str(self.path))


def checked_as(kind: type[M], rows: Iterable[tuple[str, object]], source: str) -> Iterator[M]:
    """Models with an `id` from parsed rows, each with a word for where it stands in the source.

    Raises:
        UserError: naming the source, the row and field at fault, or an id that stands twice.
    """
    seen: dict[str, str] = {}
    for where, data in rows:
        made: Any = _model(kind, data, f"{source}, {where}")
        if made.id in seen:
            raise UserError(f"{source}, {where}: the id {made.id!r} stands in {seen[made.id]} too")
        seen[made.id] = where
        yield made


def read_nonempty(path: Path) -> RecordFile:
    """A record file, checked whole.

    Raises:
        UserError: as `RecordFile`, and if it holds no record.
    """
    records = RecordFile(path)
    if sum(1 for _ in records) == 0:
        raise UserError(f"{path} holds no records")
    return records


def write_records(path: Path, records: Iterable[PatientRecord]) -> int:
    """Write records as JSON lines and give their number; the file appears whole or not at all.

    Raises:
        UserError: if it cannot be written.
    """
    count = 0
    with writing(path) as file:
        for record in records:
            file.write(json_line(record))
            count += 1
    return count


def json_line(record: PatientRecord) -> str:
    """A record as one line of JSON; unknown fields are left out."""
    return record.model_dump_json(exclude_none=True) + "\n"


def json_lines(path: Path) -> Iterator[tuple[str, object]]:
    """The JSON value of each line that is not empty, with a word for where it stands.

    Raises:
        UserError: for a line that is not JSON, or a file that cannot be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror})") from error
    with file:
        for number, line in enumerate(file, start=1):
            where = f"line {number}"
            if not line.strip():
                continue
            try:
                yield where, without_none(json.loads(line))
            except (ValueError, RecursionError) as error:
                raise UserError(
                    f"{path}, {where}: not JSON ({error}); a file holds one JSON object a line"
                ) from error


def _model(kind: type[M], data: object, where: str) -> M:
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise UserError(f"{where}: field {faults(error, most=1)}") from error


def _parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise UserError(
            "Parquet needs the extra: pip install 'patient-zero-bench[parquet]'"
        ) from error
    return pyarrow.parquet


def _parquet_rows(path: Path) -> Iterator[tuple[str, object]]:
    parquet = _parquet()
    import pyarrow

    try:
        with parquet.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=ROW_GROUP):
                for row in batch.to_pylist():
                    number += 1
                    yield f"row {number}", without_none(row)
    except (pyarrow.ArrowInvalid, OSError) as error:
        raise UserError(f"{path} cannot be read as Parquet ({error})") from error


def without_none(value: Any) -> Any:
    """Absent fields are null in a Parquet row, and in JSON by many hands; here they are absent."""
    if isinstance(value, dict):
        return {name: without_none(item) for name, item in value.items() if item is not None}
    if isinstance(value, list):
        return [without_none(item) for item in value]
    return value


def arrow_schema() -> Any:
    """The record's JSON schema as an Arrow schema: same names, same nesting.

    Raises:
        UserError: if the extra `parquet` is missing.
    """
    _parquet()
    import pyarrow

    schema = PatientRecord.model_json_schema(mode="serialization")

    def arrow(node: dict[str, Any]) -> Any:
        if "$ref" in node:
            return arrow(schema["$defs"][node["$ref"].rpartition("/")[2]])
        if "anyOf" in node:
            return arrow(next(option for option in node["anyOf"] if option.get("type") != "null"))
        if node.get("type") == "object":
            fields = node["properties"].items()
            return pyarrow.struct([(name, arrow(field)) for name, field in fields])
        if node.get("type") == "array":
            return pyarrow.list_(arrow(node["items"]))
        simple = {"integer": pyarrow.int64(), "number": pyarrow.float64()}
        return simple.get(node.get("type", ""), pyarrow.string())

    return pyarrow.schema([(name, arrow(node)) for name, node in schema["properties"].items()])
