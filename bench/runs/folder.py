"""The run directory: everything that one experiment made, each file whole or not at all.

    experiment.yaml  manifest.json  journal.sqlite  failures.jsonl  results.csv
    items/STAGE/CELL.jsonl  evaluations/METRIC/CELL.jsonl  tables/  details/STAGE/

Finished files stay until new ones are whole. Reading writes nothing.
"""

import fcntl
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError

from bench.api.cell import Cell, safe_name
from bench.api.failure import Failure
from bench.core.atomic import PARTIAL, write_text
from bench.core.errors import UserError
from bench.core.schema import faults
from bench.core.text import one_line

SCHEMA = 2
"""Version of the run folder."""
OWN = ("items", "evaluations", "tables", "details")
"""The folders that a run writes."""
OLDER = "experiment.json"
"""What a run folder of version 1 holds."""


class RunFolder:
    """Reads and writes the files of a run."""

    def __init__(self, path: Path) -> None:
        """A folder that may not exist yet."""
        self.path = path

    def journal(self, shared: Path | None) -> Path:
        """The run's journal: its own, or the one it shares, now or since an earlier execution.

        Raises:
            UserError: if another one is named than the run has.
        """
        kept = self.kept_journal
        other = shared is not None and shared.resolve() != kept.resolve()
        if other and (kept.exists() or self.has_items):
            mend = "leave --journal out" if kept.exists() else "it is gone; put it back"
            raise UserError(
                f"{self.path} keeps its answers in {kept}: {mend}, or run the experiment with "
                "another --out"
            )
        return shared or kept

    @property
    def kept_journal(self) -> Path:
        """Where the run's answers are kept; the file may be gone."""
        note = self.path / "journal.path"
        if note.exists():
            return Path(note.read_text(encoding="utf-8").strip())
        return self.path / "journal.sqlite"

    def share(self, journal: Path) -> None:
        """Remember a journal that the run shares."""
        write_text(self.path / "journal.path", f"{journal.resolve()}\n")

    def items(self, stage: str, cell: Cell) -> Path:
        """The file of a cell's items."""
        return self.path / "items" / safe_name(stage) / cell.path(".jsonl")

    def evaluations(self, metric: str, cell: Cell) -> Path:
        """The file of a metric's evaluations of a cell."""
        return self.path / "evaluations" / safe_name(metric) / cell.path(".jsonl")

    def details(self, stage: str) -> Path:
        """Where a stage keeps what is no item."""
        return self.path / "details" / safe_name(stage)

    @property
    def results(self) -> Path:
        """The table that all tables are made of."""
        return self.path / "results.csv"

    @property
    def tables(self) -> Path:
        """The folder of tables."""
        return self.path / "tables"

    @property
    def has_items(self) -> bool:
        """Whether a cell has been through."""
        return any(path.is_file() for path in (self.path / "items").rglob("*.jsonl"))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder against a second process, and clear away what a kill left half-written.

        Raises:
            UserError: if the folder cannot be made or written, or another run holds it.
        """
        self.refuse_older()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = (self.path / ".lock").open("w", encoding="utf-8")
        except OSError as error:
            raise UserError(
                f"the run folder {self.path} cannot be written ({error.strerror}): name another"
            ) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise UserError(
                    f"another process is running in {self.path}: wait for it, or name another "
                    "folder"
                ) from error
            for left in self._partial_files():
                left.unlink(missing_ok=True)
            yield

    def _partial_files(self) -> Iterator[Path]:
        """In the run's own folders alone: --out may hold other runs."""
        yield from self.path.glob(f".*{PARTIAL}")
        for name in OWN:
            yield from (self.path / name).rglob(f".*{PARTIAL}")

    def refuse_older(self) -> None:
        """Refuse a folder of an earlier version.

        Raises:
            UserError: saying what to do.
        """
        if (self.path / OLDER).exists():
            raise UserError(
                f"{self.path} was made by an earlier version, whose run folders this one does not "
                "read: name another run folder, or use the version that made it"
            )

    def experiment(self) -> dict[str, Any] | None:
        """The experiment of the folder as data; none in a new one.

        Raises:
            UserError: if the file is damaged, or the folder is of an earlier version.
        """
        self.refuse_older()
        path = self.path / "experiment.yaml"
        if not path.exists():
            return None
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
            if not isinstance(data, dict):
                raise ValueError("it holds no settings")
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise UserError(
                f"{path} cannot be read ({_one_line(error)}): put a sound copy in its place, or "
                "name another run folder"
            ) from error
        return data

    def no_experiment(self) -> UserError:
        """The sentence for a folder that holds a run without what it was to be."""
        return UserError(
            f"{self.path}/experiment.yaml is gone: put it back, or name another run folder"
        )

    def save_experiment(self, data: dict[str, Any]) -> None:
        """Keep the experiment, with all defaults written out."""
        text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True)
        write_text(self.path / "experiment.yaml", text)

    def manifest(self) -> dict[str, Any]:
        """What made the run.

        Raises:
            UserError: if the folder holds no finished run, or its manifest is damaged.
        """
        path = self.path / "manifest.json"
        if not path.exists():
            if self.experiment() is not None:
                raise UserError(
                    f"the run in {self.path} is not finished: `pzbench run {self.path}` goes on"
                )
            raise UserError(f"{self.path} holds no run; `pzbench list runs` shows those there are")
        manifest: dict[str, Any] = self._read(path, TypeAdapter(dict[str, Any]))
        return manifest

    @property
    def finished(self) -> bool:
        """Whether a run has come to its end here; it may have been extended since."""
        return (self.path / "manifest.json").exists()

    def save_manifest(self, manifest: dict[str, Any]) -> None:
        """Keep the manifest."""
        text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
        write_text(self.path / "manifest.json", text)

    def save_failures(self, failures: Iterable[Failure]) -> None:
        """Keep every failure, one a line; the file is there even if there are none."""
        lines = (failure.model_dump_json(exclude_defaults=True) + "\n" for failure in failures)
        write_text(self.path / "failures.jsonl", "".join(lines))

    def failures(self) -> list[Failure]:
        """Every failure of the run."""
        path = self.path / "failures.jsonl"
        if not path.exists():
            return []
        # At "\n" alone: a model's refusal may hold other line separators.
        try:
            lines = path.read_bytes().split(b"\n")
            return [Failure.model_validate_json(line) for line in lines if line]
        except (OSError, ValidationError) as error:
            raise _damaged(path, error) from error

    @staticmethod
    def _read(path: Path, adapter: TypeAdapter[Any]) -> Any:
        try:
            return adapter.validate_json(path.read_bytes())
        except (OSError, ValidationError) as error:
            raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> UserError:
    return UserError(
        f"{path} cannot be read ({_one_line(error)}): remove it and run again, which asks nobody "
        "anew"
    )


def _one_line(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return faults(error, most=1)
    return one_line(str(error))[:200]
