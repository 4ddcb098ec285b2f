"""Records in files, one at a time: JSON Lines; Parquet is read with the extra `parquet`."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from bench.core.atomic import writing
from bench.core.errors import UserError
from bench.core.schema import faults
from bench.records.record import PatientRecord, is_null

M = TypeVar("M", bound=BaseModel)
ROW_GROUP = 1000
"""Records of a Parquet file held in memory at a time."""


class ItemFile(Generic[M]):
    """The items of a file of JSON lines; each iteration reads it anew, holding one."""

    def __init__(self, path: str | Path, model: type[M]) -> None:
        """Nothing is read yet; the model has an `id`."""
        self.path = Path(path)
        self.model = model

    def __iter__(self) -> Iterator[M]:
        """The items in file order.

        Raises:
            UserError: naming the line (or row) and field at fault, or an id that stands twice.
        """
        return checked_as(self.model, self._rows(), str(self.path))

    def _rows(self) -> Iterator[tuple[str, object]]:
        return json_lines(self.path)


class RecordFile(ItemFile[PatientRecord]):
    """The records of a file, `.parquet` or JSON lines; it holds one (or a row group)."""

    def __init__(self, path: str | Path) -> None:
        """Nothing is read yet."""
        super().__init__(path, PatientRecord)

    def _rows(self) -> Iterator[tuple[str, object]]:
        return _parquet_rows(self.path) if self.path.suffix == ".parquet" else super()._rows()


def checked_as(kind: type[M], rows: Iterable[tuple[str, object]], source: str) -> Iterator[M]:
    """Models with an `id` from parsed rows, each with a word for where it stands in the source.

    Raises:
        UserError: naming the source, the row and field at fault, or an id that stands twice. A text
            with half a character (a lone surrogate) is a fault: no file could hold it.
    """
    seen: dict[str, str] = {}
    for where, data in rows:
        if half := _half_character(data):
            raise UserError(
                f"{source}, {where}: field {half} holds half a character, as of a text that "
                "was cut amid an emoji; mend the text or remove it"
            )
        made: Any = _model(kind, data, f"{source}, {where}")
        if made.id in seen:
            raise UserError(f"{source}, {where}: the id {made.id!r} stands in {seen[made.id]} too")
        seen[made.id] = where
        yield made


def write_records(path: Path, records: Iterable[BaseModel]) -> None:
    """Write records, or dialogues, as JSON lines; the file appears whole or not at all.

    Raises:
        UserError: if it cannot be written.
    """
    with writing(path) as file:
        file.writelines(map(json_line, records))


def json_line(item: BaseModel) -> str:
    """An item as one line of JSON; unknown fields are left out."""
    return item.model_dump_json(exclude_none=True) + "\n"


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


def _parquet_rows(path: Path) -> Iterator[tuple[str, object]]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        raise UserError(
            "Parquet needs the extra: pip install 'patient-zero-bench[parquet]'"
        ) from error
    try:
        with parquet.ParquetFile(path) as file:
            number = 0
            for batch in file.iter_batches(batch_size=ROW_GROUP):
                for row in batch.to_pylist():
                    number += 1
                    yield f"row {number}", without_none(row)
    except (ValueError, OSError) as error:  # Arrow's own are of these; so is a text in no UTF-8
        raise UserError(f"{path} cannot be read as Parquet ({error})") from error


def without_none(value: Any) -> Any:
    """Absent fields are null or NaN in a Parquet row, and in JSON by many hands; here they are
    absent."""
    if isinstance(value, dict):
        return {name: without_none(item) for name, item in value.items() if not is_null(item)}
    if isinstance(value, list):
        return [without_none(item) for item in value]
    return value


def _half_character(data: object) -> str:
    """Where a text or a name holds a lone surrogate, as "rounds.0.answer"; empty if none does."""
    waiting: list[tuple[str, object]] = [("", data)]
    for path, value in waiting:  # grows as it goes: no depth is too deep
        if isinstance(value, str) and not value.isascii():
            try:
                value.encode()
            except UnicodeEncodeError:
                return path.encode(errors="backslashreplace").decode() or "the whole"
        elif isinstance(value, dict):
            for name, item in value.items():
                place = f"{path}.{name}" if path else str(name)
                waiting += ((place, name), (place, item))
        elif isinstance(value, list):
            waiting += ((f"{path}.{number}", item) for number, item in enumerate(value))
    return ""
