"""Records as a `datasets.Dataset` and back, with the extra `hf`."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bench.core.errors import UserError
from bench.records.record import PatientRecord
from bench.records.record_files import checked_as, without_none

if TYPE_CHECKING:
    from datasets import Dataset


def to_dataset(records: Iterable[PatientRecord]) -> "Dataset":
    """A dataset in memory with one row a record, nested as the record is, typed by its schema.

    Raises:
        UserError: if the extra `hf` is missing; or as `records` does while they are read.
    """
    try:
        from datasets import Dataset, Features
    except ImportError as error:
        raise UserError("datasets need the extra: pip install 'patient-zero-bench[hf]'") from error

    features = Features.from_arrow_schema(_arrow_schema())
    rows = [record.model_dump(mode="json") for record in records]
    columns = {name: [row[name] for row in rows] for name in features}
    return Dataset.from_dict(columns, features=features)


def from_dataset(dataset: Iterable[Mapping[str, Any]]) -> Iterator[PatientRecord]:
    """The records of a dataset's rows (also of a streamed one), one at a time.

    Raises:
        UserError: naming the row and field at fault, or an id that stands twice.
    """
    rows = (
        (f"row {number}", without_none(dict(row))) for number, row in enumerate(dataset, start=1)
    )
    return checked_as(PatientRecord, rows, "the dataset")


def _arrow_schema() -> Any:
    """The record's JSON schema as an Arrow schema: same names, same nesting."""
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
