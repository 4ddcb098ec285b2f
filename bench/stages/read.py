"""`read`: records or dialogues of a file, made elsewhere; what `pzbench score` begins with."""

import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import file_digest, sha256
from typing import Annotated, Any, ClassVar

from bench.api.cell import Cell
from bench.api.context import Context
from bench.api.failure import Failure
from bench.api.item import Items, about, drafts_note
from bench.api.stage import FREE, GROWS, Scope, Stage, StageCard, StageSettings, Trial
from bench.core.errors import UserError
from bench.core.registry import FORMATS
from bench.core.schema import AnyPath
from bench.records.dialogue import Dialogue
from bench.records.dialogue_files import DialogueFile, holds_dialogues, transcript, with_records
from bench.records.record import PatientRecord
from bench.records.record_files import RecordFile

MAKERS = ("backbone", "patient", "doctor", "triplets")
"""Where an origin names a backbone, as "rules", "rules@VERSION" or "batched:rules@VERSION"."""


class ReadSettings(StageSettings):
    """The section `read` of an experiment file."""

    file: Annotated[AnyPath, FREE]
    """Records (.jsonl, .parquet) or dialogues (.jsonl; .txt transcripts)."""
    records: Annotated[AnyPath | None, FREE] = None
    """Records of the dialogues that bring none, by id."""
    digest: Annotated[str | None, GROWS] = None
    """sha256 of the files, which a run fills in; others are refused."""


class Read(Stage):
    """The items of a file, in one cell called like the file."""

    card: ClassVar[StageCard] = StageCard(
        name="read", summary="Records or dialogues of a file, made elsewhere.", makes="records"
    )
    settings = ReadSettings

    own: ReadSettings

    def __init__(self, settings: ReadSettings, scope: Scope) -> None:
        """See what the file holds; it is read whole by the run.

        Raises:
            UserError: if there is no such file, or it holds neither, or other content than before.
        """
        digest = _digest(settings)
        if settings.digest not in (None, digest):
            raise UserError(
                f"{settings.file} is not what the run read before: its content has changed; "
                "name another run folder, or put the file back"
            )
        super().__init__(settings.model_copy(update={"digest": digest}), scope)
        self.dialogues = holds_dialogues(settings.file)
        self.remarks: tuple[str, ...] = ()
        self.drafts: set[str] = set()
        self.by_rules = False
        if settings.records is not None and not self.dialogues:
            raise UserError(f"{settings.file} holds records: --records goes with dialogues")
        makes = "dialogues" if self.dialogues else "records"
        self.card = replace(self.card, makes=makes)  # type: ignore[misc]
        self.item = Dialogue if self.dialogues else PatientRecord  # type: ignore[misc]

    def cells(self, given: Sequence[Cell]) -> Sequence[Cell]:
        """The file."""
        return [Cell(file=self.own.file.name)]

    async def make(
        self, cell: Cell, given: Mapping[Cell, Items], context: Context
    ) -> AsyncIterator[PatientRecord | Dialogue | Failure]:
        """The items in file order.

        Raises:
            UserError: naming the line and field at fault, or if there are none.
        """
        self.drafts.clear()
        self.by_rules = False
        empty = True
        for item in self._items():
            empty = False
            self._see(item)
            yield item
        if empty:
            raise UserError(f"{self.own.file} holds no {self.card.makes}")

    def _items(self) -> Iterator[Any]:
        if not self.dialogues:
            yield from RecordFile(self.own.file)
            return
        file = DialogueFile(self.own.file)
        yield from self._joined(file)

    def _joined(self, file: DialogueFile) -> Iterator[Dialogue]:
        """The dialogues, each without a record given that of its id, if records are named.

        Raises:
            UserError: if none of the records is of a dialogue.
        """
        records = self.own.records
        if records is None:
            yield from file
            return
        lacking = {dialogue.id: dialogue.record is None for dialogue in file}
        own = {record.id: record for record in RecordFile(records) if lacking.get(record.id)}
        if not own:
            raise UserError(f"{records} holds no record with the id of a dialogue that lacks one")
        self.remarks = (f"records for {len(own)} of {sum(lacking.values())} dialogues",)
        yield from with_records(file, own)

    def _see(self, item: PatientRecord | Dialogue) -> None:
        """Note who made an item, and the draft that its record's disease is of."""
        record = item if isinstance(item, PatientRecord) else item.record
        for origin in (item.origin, record.origin if record else None):
            told = (str(getattr(origin, who, None)) for who in MAKERS)
            self.by_rules |= any("rules" in re.split("[:@]", one) for one in told)
        if record is None:
            return
        listing = self.scope.outlines.listing(record.planned_disease)
        if listing is not None and listing.draft:
            self.drafts.add(listing.id)

    def notes(self, cell: Cell) -> Sequence[str]:
        """On which unapproved drafts of outlines the records rest."""
        return drafts_note(sorted(self.drafts))

    def by_stand_in(self, cell: Cell) -> bool:
        """Whether any item says that the stand-in wrote or spoke it."""
        return self.by_rules

    def describe(self, item: Any, form: str = "text") -> str:
        """A dialogue as it was spoken, a record in a format."""
        return transcript(item) if self.dialogues else str(FORMATS.make(form, {}).render(item))

    def details(self) -> Mapping[str, Any]:
        """What the last reading left out."""
        return {"remarks": list(self.remarks)}

    async def plan(self, cells: Sequence[Cell], given: Mapping[Cell, Items], trial: Trial) -> None:
        """The file costs nothing; what scores it is tried on its first items."""
        items = list(self._items())
        trial.made(cells[0], items[: trial.few], [about(item) for item in items])


def _digest(settings: ReadSettings) -> str:
    """Of the bytes of the files.

    Raises:
        UserError: if one is not there.
    """
    digest = sha256()
    for path in filter(None, (settings.file, settings.records)):
        if not path.is_file():
            raise UserError(f"there is no file {path}")
        try:
            with path.open("rb") as file:
                digest.update(file_digest(file, "sha256").digest())
        except OSError as error:
            raise UserError(f"{path} cannot be read ({error.strerror})") from error
    return digest.hexdigest()
