"""Which patient a person wants to talk to: one of a run, of a file, or one still to be written."""

import json
import random
from pathlib import Path
from typing import TYPE_CHECKING

from bench.core.errors import UserError
from bench.experiments.run_reader import RunReader, unknown
from bench.knowledge.cases import Case, derive_seed, plan_case
from bench.knowledge.library import Library
from bench.records.record import PatientRecord
from bench.records.record_files import RecordFile, checked_as, without_none
from bench.runs.folder import RunFolder

if TYPE_CHECKING:
    from bench.api.context import Context
    from bench.cli.chat import ChatOptions

WRITER = "patient-zero"
"""Generator of patients that are written for a conversation."""


def find_patient(options: "ChatOptions") -> PatientRecord | None:
    """The record that the options name; none if one is to be written.

    Raises:
        UserError: if they name none that there is, or several.
    """
    patient, run, record = options.patient, options.run, options.record
    sources = (("run", run), ("record", record), ("disease", options.disease))
    named = [f"--{option}" for option, value in sources if value is not None]
    if len(named) > 1:
        raise UserError(f"{' and '.join(named)} name different patients: leave one out")
    if options.method is not None and run is None:
        raise UserError("--method tells the patients of a run apart: add --run DIR")
    if run is not None:
        return _in_run(run, patient, options.method)
    if record is not None:
        return _in_file(record, patient)
    if patient is not None:
        raise UserError(f"where is the patient {patient!r}? add --run DIR or --record FILE")
    return None


def plan_patient(library: Library, disease: str | None, seed: int) -> Case:
    """The case of a patient to be written; the disease is drawn by the seed if none is named.

    Raises:
        UserError: if there is no such disease, with the nearest.
    """
    if disease is None:
        drawn = random.Random(derive_seed(seed, "chat"))
        disease = drawn.choice(library.listings).id
    return plan_case(library.get(disease), 0, seed)


async def write_patient(case: Case, context: "Context") -> PatientRecord:
    """The record of a case, by the generator `WRITER`.

    Raises:
        UserError: if it could not be written.
    """
    from bench.api.adapters import make_generator
    from bench.api.choice import Choice
    from bench.api.failure import Failure

    generator = make_generator(Choice(name=WRITER))
    (written,) = [record async for record in generator.generate([case], context)]
    if isinstance(written, Failure):
        name = context.role("generator").name
        raise UserError(f"{name} wrote no patient ({written.outcome}): {written.reason}")
    return written


def _in_run(run: Path, identity: str | None, method: str | None) -> PatientRecord:
    """The record of an id, by a method where several wrote one."""
    reader = RunReader(RunFolder(run))
    if identity is None:
        raise UserError(f"which patient of {run}? add --patient ID")
    report = reader.item(identity, {"method": method} if method else {})
    stages = {place.stage for place in reader.places if place.makes == "records"}
    written = {
        "/".join(view.cell.values()): view.item
        for view in report.items
        if view.stage in stages and view.item is not None
    }
    if len(written) != 1:
        by = f"was written by {', '.join(written)}: add --method, one of them"
        raise UserError(f"{report.id} {by if written else f'is no patient of {run}'}")
    return PatientRecord.model_validate(*written.values())


def _in_file(path: Path, identity: str | None) -> PatientRecord:
    """The record of an id, or the only one."""
    records = list(_whole(path) or RecordFile(path))
    if not records:
        raise UserError(f"{path} holds no records")
    chosen = [record for record in records if identity in (None, record.id)]
    if len(chosen) > 1:
        raise UserError(f"{path} holds {len(chosen)} patients: add --patient ID")
    if not chosen:
        raise unknown(path, "patient", identity or "", [record.id for record in records])
    return chosen[0]


def _whole(path: Path) -> list[PatientRecord]:
    """The record of a file that is one JSON object over several lines; empty for any other."""
    if not path.is_file() or path.suffix == ".parquet":
        return []
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        return []
    return list(checked_as(PatientRecord, [("the record", without_none(data))], str(path)))
