"""The run directory: the manifest, the journal, records, scores and tables of one experiment."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from bench.api.failure import Failure
from bench.api.metric import Difference, Score
from bench.core.atomic import PARTIAL, write_text
from bench.core.errors import UserError
from bench.core.schema import Model
from bench.experiments.experiment import ZERO_SHOT, Experiment, Interaction, Interviews
from bench.records.dialogue import Dialogue, FormatName
from bench.records.dialogue_files import DialogueFile
from bench.records.record import PatientRecord
from bench.records.record_files import RecordFile

NOBODY = "none"
"""The backbone of a generator that asks no model."""


class Cell(Model):
    """One place of the grid."""

    backbone: str
    """Label of the generator's backbone."""
    method: str
    """Label of the generator."""
    interaction: Interaction | None = None
    """How its patients are interviewed; none for the records themselves."""
    format: FormatName | None = None
    """How its patients hold their records; none for the records themselves."""
    examined: bool = False
    """Whether it is the exam of a student trained on its records, or on none (zero-shot)."""

    @property
    def label(self) -> str:
        """What tables call it: its method, or for dialogues for instance "cross-with/atomic"."""
        return f"{self.interaction}/{self.format}" if self.interaction else self.method

    def path(self, ending: str) -> Path:
        """Relative path of a file of the cell; the labels made safe."""
        backbone, method = safe_name(self.backbone), safe_name(self.method)
        if self.interaction:
            return Path(backbone) / method / f"{self.interaction}-{self.format}{ending}"
        if self.examined:
            return Path(backbone) / method / f"medqa{ending}"
        return Path(backbone) / f"{method}{ending}"


class Scored(Model):
    """The scores of one cell."""

    cell: Cell
    scores: tuple[Score, ...]


class Compared(Model):
    """The differences between methods with one backbone."""

    backbone: str
    differences: tuple[Difference, ...]


def talks_of(cell: Cell, interviews: Interviews) -> list[Cell]:
    """The cells of the dialogues with a cell's patients, interactions first."""
    return [
        cell.model_copy(update={"interaction": interaction, "format": form})
        for interaction in interviews.interactions
        for form in interviews.formats
    ]


def safe_name(name: str) -> str:
    """A name as a single path component that is no hidden file; unlike names stay unlike."""
    safe = "".join(c if c.isalnum() or c in "-_." else f"%{ord(c):x}" for c in name)
    return f"%2e{safe[1:]}" if safe.startswith(".") else safe


class RunFolder:
    """Reads and writes the files of a run; every file appears whole or not at all."""

    def __init__(self, path: Path) -> None:
        """A folder that may not exist yet."""
        self.path = path

    def journal(self, shared: Path | None) -> Path:
        """The run's journal: its own, or the one it shares, now or since an earlier execution."""
        note = self.path / "journal.path"
        own = self.path / "journal.sqlite"
        kept = Path(note.read_text(encoding="utf-8").strip()) if note.exists() else own
        if (note.exists() or self.has_records) and not kept.exists():
            raise UserError(
                f"the journal of {self.path}, {kept}, is gone: put it back, or name another --out "
                "to ask everything again"
            )
        if shared is not None and kept.exists() and shared.resolve() != kept.resolve():
            raise UserError(
                f"{self.path} keeps its answers in {kept}: leave --journal out, or name another "
                "--out"
            )
        return shared or kept

    def share(self, journal: Path) -> None:
        """Remember a journal that the run shares."""
        write_text(self.path / "journal.path", f"{journal.resolve()}\n")

    def records(self, cell: Cell) -> Path:
        """The records file of a cell."""
        return self.path / "records" / cell.path(".jsonl")

    def dialogues(self, cell: Cell) -> Path:
        """The dialogues file of a cell."""
        return self.path / "dialogues" / cell.path(".jsonl")

    def answers(self, cell: Cell, after: int | None = None) -> Path:
        """The answers to an exam's questions, at its end or after so many patients."""
        point = "" if after is None else f"@{after}"
        name = f"{safe_name(cell.method)}{point}.jsonl"
        return self.path / "answers" / safe_name(cell.backbone) / name

    def training(self, cell: Cell, kind: str) -> Path:
        """What training on a cell's records left: "steps", "memory" or "suspects"."""
        folder = self.path / "training" / safe_name(cell.backbone) / safe_name(cell.method)
        return folder / f"{kind}.jsonl"

    def _scores(self, cell: Cell) -> Path:
        return self.path / "scores" / cell.path(".json")

    @property
    def has_records(self) -> bool:
        """Whether a method has been through."""
        return any(self.path.glob("records/*/*.jsonl"))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against a second process.

        Raises:
            UserError: if the folder cannot be made or written, or another run holds it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / ".lock").open("w", encoding="utf-8")
        except OSError as error:
            raise UserError(
                f"the run folder {self.path} cannot be written ({error.strerror}): "
                "name another with --out"
            ) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UserError(
                    f"another process is running in {self.path}: wait for it, or name another --out"
                ) from error
            for left in self.path.rglob(f".*{PARTIAL}"):
                left.unlink()
            yield

    def experiment(self) -> Experiment | None:
        """The experiment of the folder; none in a new one."""
        path = self.path / "experiment.json"
        return self._read(path, TypeAdapter(Experiment)) if path.exists() else None

    def save_experiment(self, experiment: Experiment) -> None:
        """Keep the experiment, with all defaults written out."""
        self._write(self.path / "experiment.json", experiment.model_dump(mode="json"))

    def manifest(self) -> dict[str, Any]:
        """What made the run.

        Raises:
            UserError: if the folder holds no finished run, or its manifest is damaged.
        """
        path = self.path / "manifest.json"
        if not path.exists():
            if (self.path / "experiment.json").exists():
                raise UserError(
                    f"the run in {self.path} is not finished: run the same command again"
                )
            raise UserError(f"{self.path} holds no run; `pzbench list runs` shows those there are")
        manifest: dict[str, Any] = self._read(path, TypeAdapter(dict[str, Any]))
        return manifest

    def unfinish(self) -> None:
        """Take manifest and tables away: what they are made of is about to change."""
        path = self.path / "manifest.json"
        if path.exists():
            for name in self.manifest().get("tables", ()):
                (self.path / Path(name).name).unlink(missing_ok=True)
            path.unlink()

    def save_manifest(self, manifest: dict[str, Any]) -> None:
        """Keep the manifest."""
        self._write(self.path / "manifest.json", manifest)

    def save_scores(self, scored: Scored) -> None:
        """Keep the scores of a cell."""
        self._write(self._scores(scored.cell), scored.model_dump(mode="json"))

    def scores(self) -> list[Scored]:
        """The scores of every cell of the experiment, in its order."""
        cells = [one for cell in self.cells() for one in (cell, *self.talks(cell))]
        paths = [self._scores(cell) for cell in (*cells, *self.exams())]
        return [self._read(path, TypeAdapter(Scored)) for path in paths if path.exists()]

    def cells(self) -> list[Cell]:
        """The records' cells that the experiment may have, in its order."""
        experiment = self.experiment()
        if experiment is None:
            return []
        return [
            Cell(backbone=backbone, method=method.label)
            for backbone in (*(choice.label for choice in experiment.roles.generator), NOBODY)
            for method in experiment.methods
        ]

    def talks(self, cell: Cell) -> list[Cell]:
        """The cells of the dialogues with a cell's patients, in the experiment's order."""
        experiment = self.experiment()
        if experiment is None or experiment.dialogues is None:
            return []
        return talks_of(cell, experiment.dialogues)

    def exams(self) -> list[Cell]:
        """The cells of the exam: for each backbone zero-shot, then every method."""
        experiment = self.experiment()
        if experiment is None or experiment.medqa is None:
            return []
        backbones = dict.fromkeys(cell.backbone for cell in self.cells())
        conditions = (ZERO_SHOT, *(method.label for method in experiment.methods))
        return [
            Cell(backbone=backbone, method=condition, examined=True)
            for backbone in backbones
            for condition in conditions
        ]

    def save_differences(self, compared: list[Compared]) -> None:
        """Keep the differences between methods."""
        self._write(
            self.path / "differences.json", [item.model_dump(mode="json") for item in compared]
        )

    def differences(self) -> list[Compared]:
        """The differences between methods, for each backbone."""
        path = self.path / "differences.json"
        return self._read(path, TypeAdapter(list[Compared])) if path.exists() else []

    def save_failures(self, failures: list[Failure]) -> None:
        """Keep every failure, one a line; the file is there even if there are none."""
        lines = (failure.model_dump_json() + "\n" for failure in failures)
        write_text(self.path / "failures.jsonl", "".join(lines))

    def failures(self) -> list[Failure]:
        """Every failure of the run."""
        path = self.path / "failures.jsonl"
        if not path.exists():
            return []
        # At "\n" alone: a model's refusal may hold other line separators.
        lines = path.read_bytes().split(b"\n")
        try:
            return [Failure.model_validate_json(line) for line in lines if line]
        except ValidationError as error:
            raise _damaged(path, error) from error

    def save_table(self, name: str, text: str) -> Path:
        """Keep a table's file."""
        write_text(self.path / name, text)
        return self.path / name

    def find_record(self, identity: str) -> Iterator[tuple[Cell, PatientRecord]]:
        """Every record with an id, with the cell that made it."""
        for cell in self.cells():
            path = self.records(cell)
            for record in RecordFile(path) if path.exists() else ():
                if record.id == identity:
                    yield cell, record

    def find_dialogues(self, identity: str) -> Iterator[tuple[Cell, Dialogue]]:
        """Every dialogue with an id, with its cell."""
        for talk in (talk for cell in self.cells() for talk in self.talks(cell)):
            path = self.dialogues(talk)
            for dialogue in DialogueFile(path) if path.exists() else ():
                if dialogue.id == identity:
                    yield talk, dialogue

    def _write(self, path: Path, data: Any) -> None:
        write_text(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")

    @staticmethod
    def _read(path: Path, adapter: TypeAdapter[Any]) -> Any:
        try:
            return adapter.validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> UserError:
    reason = " ".join(str(error).split())[:200]
    return UserError(f"{path} cannot be read ({reason}): remove it and run again")
