"""Records as a `datasets.Dataset` and back, with the extra `hf`."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from bench.core.errors import UserError
from bench.records.record import PatientRecord
from bench.records.record_files import arrow_schema, checked_as, without_none

if TYPE_CHECKING:
    from datasets import Dataset


def to_dataset(records: Iterable[PatientRecord], cache_dir: str | None = None) -> "Dataset":
    """A dataset with one row a record, nested as the record is, typed by its schema.

    Records are taken one at a time and written to Arrow files in the `datasets` cache (or
    `cache_dir`), which the dataset maps from disk. Each call writes anew: what changed since is
    never answered from the cache.

    Raises:
        UserError: if the extra `hf` is missing; or as `records` does while they are read.
    """
    try:
        from datasets import Dataset, Features
        from datasets.exceptions import DatasetGenerationError
    except ImportError as error:
        raise UserError("datasets need the extra: pip install 'patient-zero-bench[hf]'") from error

    features = Features.from_arrow_schema(arrow_schema())
    source = iter(records)
    first = next(source, None)
    if first is None:
        return Dataset.from_dict({name: [] for name in features}, features=features)

    def rows() -> Iterator[dict[str, Any]]:
        for record in chain([first], source):
            yield record.model_dump(mode="json")

    try:
        return Dataset.from_generator(
            rows, features=features, cache_dir=cache_dir, fingerprint=uuid4().hex
        )
    except DatasetGenerationError as error:
        if isinstance(error.__cause__, UserError):
            raise error.__cause__ from None
        raise


def from_dataset(dataset: Iterable[Mapping[str, Any]]) -> Iterator[PatientRecord]:
    """The records of a dataset's rows (also of a streamed one), one at a time.

    Raises:
        UserError: naming the row and field at fault, or an id that stands twice.
    """
    rows = (
        (f"row {number}", without_none(dict(row))) for number, row in enumerate(dataset, start=1)
    )
    return checked_as(PatientRecord, rows, "the dataset")
