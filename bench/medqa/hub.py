"""Questions from the Hugging Face hub, only when asked: `hub:REPO@REVISION`.

Promise: a hub that does not answer as a hub is said to be so within seconds (`preflight`), and one
that falls silent later within `SILENCE` seconds of the last thing it sent. A revision that is in
the cache is read from there, and nobody is asked. Not promised: the length of a download while
something arrives.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from textwrap import shorten
from typing import IO, Any

from bench.core.errors import UserError
from bench.medqa.preflight import OTHERWISE, knock
from bench.medqa.question_files import QuestionSet, question_set
from bench.medqa.rows import Row

SCHEME = "hub:"
SPLIT = "test"
SILENCE = 40.0
"""Seconds in which nothing arrives, after which a download is given up."""
DOWNLOAD = Path(__file__).with_name("download.py")
HOMES = (
    "HF_HOME", "HF_DATASETS_CACHE", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME",
)  # fmt: skip
"""Variables that say where the hub's libraries keep things."""


@dataclass(frozen=True)
class Place:
    """A dataset of the hub at a revision."""

    repo: str
    revision: str

    def __str__(self) -> str:
        return f"{SCHEME}{self.repo}@{self.revision}"


def parse_place(text: str) -> Place:
    """The dataset that "hub:REPO@REVISION" names.

    Raises:
        UserError: if it names none, or no revision.
    """
    match = re.fullmatch(r"hub:([\w.-]+/[\w.-]+)@([\w./-]+)", text)
    if match is None:
        raise UserError(
            f"{text!r} names no dataset of the hub: write hub:OWNER/NAME@REVISION, with the commit "
            "that you mean, for a name alone would mean another file tomorrow"
        )
    return Place(match[1], match[2])


def read_hub(text: str) -> QuestionSet:
    """The test questions of a dataset of the hub.

    Raises:
        UserError: if the extra `hf` is missing, there is no such dataset, or no way to it.
    """
    place = parse_place(text)
    folder = _cached(place)
    if folder is not None:
        return question_set(_rows(_read(place, _arrows(folder))), str(place))
    knock(place.repo, place.revision)
    _datasets()  # said to be missing before another process finds out
    return question_set(_rows(_read(place, _fetch(place))), str(place))


def _rows(rows: Any) -> Iterator[Row]:
    from bench.records.record_files import without_none

    for number, row in enumerate(rows, start=1):
        yield f"row {number}", "", without_none(row)


def _cached(place: Place) -> Path | None:
    """Where the `datasets` cache holds the split at exactly this commit, if it does."""
    if not re.fullmatch(r"[0-9a-f]{7,40}", place.revision):
        return None  # a branch or tag: what it meant when it was cached cannot be told
    owner, _, name = place.repo.partition("/")
    folders = [
        folder
        for folder in _cache().glob(f"{owner}___*/*/*/{place.revision}*")
        if _letters(folder.parents[2].name) == _letters(owner + name)
        and (folder / "dataset_info.json").is_file()
        and _arrows(folder)
    ]
    # Of several configurations the hub knows which.
    return folders[0] if len(folders) == 1 else None


def _cache() -> Path:
    return Path(os.environ.get("HF_DATASETS_CACHE") or _home() / "datasets").expanduser()


def _hub_cache() -> Path:
    named = os.environ.get("HF_HUB_CACHE") or os.environ.get("HUGGINGFACE_HUB_CACHE")
    return Path(named or _home() / "hub").expanduser()


def _home() -> Path:
    above = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get("HF_HOME") or above / "huggingface").expanduser()


def _arrows(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*-{SPLIT}*.arrow"))


def _letters(name: str) -> str:
    """A name as far as the cache keeps it: it adds underscores and drops capitals."""
    return re.sub(r"[\W_]", "", name).lower()


def _datasets() -> Any:
    try:
        import datasets
    except ImportError as error:
        raise UserError(
            "reading the hub needs the extra: pip install 'patient-zero-bench[hf]'"
        ) from error
    return datasets


def _read(place: Place, arrows: list[Path]) -> Any:
    library = _datasets()
    try:
        parts = [library.Dataset.from_file(str(path)) for path in arrows]
        return library.concatenate_datasets(parts)
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"the copy of {place} in the cache cannot be read ({reason}): delete "
            f"{arrows[0].parent if arrows else _cache()} and try again"
        ) from error


def _fetch(place: Place) -> list[Path]:
    """Have the split fetched into the cache; its files there."""
    settings = {name: os.path.abspath(Path(os.environ[name]).expanduser())  # noqa: PTH100
                for name in HOMES if os.environ.get(name)}  # fmt: skip
    # In a folder of its own, for a folder OWNER/NAME here would be taken for the dataset.
    with tempfile.TemporaryDirectory(prefix="pzbench-") as empty, tempfile.TemporaryFile() as out:
        child = subprocess.Popen(
            [sys.executable, "-P", str(DOWNLOAD), place.repo, place.revision, SPLIT],
            stdin=subprocess.PIPE,  # shut when we end, however that is; so does the child then
            stdout=out,
            stderr=subprocess.DEVNULL,  # bars and warnings of libraries
            cwd=empty,
            env=os.environ | settings,
        )
        try:
            _wait(child, place)
        finally:
            child.kill()
            child.communicate()
        line = _last_line(out)
    if "files" in line:
        return [Path(name) for name in line["files"]]
    # The library looks for a local folder first, which says nothing to the user.
    *_, fault = str(line.get("error") or f"ended with {child.returncode}").split(" Hub either: ")
    fault = shorten(fault, 250, placeholder=" ...")
    raise UserError(f"{place} cannot be loaded, though the hub answers ({fault}): {OTHERWISE}")


def _wait(child: "subprocess.Popen[bytes]", place: Place) -> None:
    arrived, since = _arrived(place), time.monotonic()
    while child.poll() is None:
        with suppress(subprocess.TimeoutExpired):
            child.wait(timeout=0.2)
        before, arrived = arrived, _arrived(place)
        if arrived != before:
            since = time.monotonic()
        elif time.monotonic() - since > SILENCE:
            raise UserError(
                f"the hub answered, then sent nothing of {place} for {SILENCE:g} s: try again, or "
                f"{OTHERWISE}"
            )


def _arrived(place: Place) -> tuple[int, int]:
    """Files and bytes of the dataset that the caches hold, whole or in part."""
    owner, _, name = place.repo.partition("/")
    paths = [
        *_hub_cache().glob(f"datasets--{owner}--{name}/**/*"),
        *_cache().glob(f"{owner}___*/**/*"),
    ]
    size = 0
    for path in paths:
        with suppress(OSError):  # renamed in the meantime
            size += path.stat().st_size
    return len(paths), size


def _last_line(out: IO[bytes]) -> dict[str, Any]:
    out.seek(0)
    lines = out.read().splitlines()
    try:
        line = json.loads(lines[-1]) if lines else {}
    except ValueError:
        return {}
    return line if isinstance(line, dict) else {}
