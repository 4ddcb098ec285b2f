"""Questions from the Hugging Face hub, only when asked: `hub:REPO@REVISION`.

Promise: a hub that cannot be reached is said to be so within `PATIENCE` seconds; the hub's own
library would try for 24 s, and 400 s where a server takes the connection and stays silent. A
revision that is in the cache is read from there, and nobody is asked. Not promised: the length of
a download once the hub has answered.
"""

import os
import queue
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.errors import UserError
from bench.medqa.files import QuestionSet, question_set
from bench.medqa.rows import Row

SCHEME = "hub:"
SPLIT = "test"
PATIENCE = 5.0
"""Seconds for the name, the connection and the first answer together."""
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")


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
    found = re.fullmatch(r"hub:([\w.-]+/[\w.-]+)@([\w./-]+)", text)
    if found is None:
        raise UserError(
            f"{text!r} names no dataset of the hub: write hub:OWNER/NAME@REVISION, with the commit "
            "that you mean, for a name alone would mean another file tomorrow"
        )
    return Place(found[1], found[2])


def read_hub(text: str) -> QuestionSet:
    """The test questions of a dataset of the hub.

    Raises:
        UserError: if the extra `hf` is missing, there is no such dataset, or no way to it.
    """
    place = parse_place(text)
    folder = _cached(place)
    if folder is None:
        _knock(place)
    rows = _load(place) if folder is None else _read(folder)
    return question_set(_rows(rows), str(place))


def _rows(rows: Any) -> Iterator[Row]:
    from bench.records.files import without_none

    for number, row in enumerate(rows, start=1):
        yield f"row {number}", "", without_none(row)


def _cached(place: Place) -> Path | None:
    """Where the `datasets` cache holds the split at exactly this commit, if it does."""
    if not re.fullmatch(r"[0-9a-f]{7,40}", place.revision):
        return None  # a branch or tag: what it meant when it was cached cannot be told
    owner, _, name = place.repo.partition("/")
    found = [
        folder
        for folder in _cache().glob(f"{owner}___*/*/*/{place.revision}*")
        if _letters(folder.parents[2].name) == _letters(owner + name)
        and (folder / "dataset_info.json").is_file()
        and _arrows(folder)
    ]
    return found[0] if len(found) == 1 else None  # of several configurations the hub knows which


def _cache() -> Path:
    home = os.environ.get("HF_HOME") or Path(
        os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "huggingface"
    )
    return Path(os.environ.get("HF_DATASETS_CACHE") or Path(home, "datasets")).expanduser()


def _arrows(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*-{SPLIT}*.arrow"))


def _letters(name: str) -> str:
    """A name as far as the cache keeps it: it adds underscores and drops capitals."""
    return re.sub(r"[\W_]", "", name).lower()


def _knock(place: Place) -> None:
    """See whether the hub answers at all, and has the dataset.

    Raises:
        UserError: if not.
    """
    otherwise = "give a local file instead (--medqa PATH); the cache does not hold this revision"
    for variable in OFFLINE:
        if os.environ.get(variable, "").upper() in ("1", "ON", "YES", "TRUE"):
            raise UserError(f"{place} is not fetched, {variable} being set: {otherwise}")
    hub = os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"
    url = f"{hub}/api/datasets/{place.repo}/revision/{place.revision}"
    said: queue.Queue[int | str] = queue.Queue()
    # A thread of its own, for looking a name up knows no time limit.
    threading.Thread(target=_ask, args=(url, said), daemon=True).start()
    try:
        answer = said.get(timeout=PATIENCE)
    except queue.Empty:
        answer = f"no answer in {PATIENCE:g} s"
    if isinstance(answer, str):
        raise UserError(f"the hub {hub} cannot be reached ({answer}): {otherwise}")
    if answer == 404:
        raise UserError(f"the hub {hub} has no dataset {place.repo} at {place.revision}")


def _ask(url: str, said: "queue.Queue[int | str]") -> None:
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    try:
        with urlopen(Request(url, method="GET"), timeout=PATIENCE) as answer:
            said.put(int(answer.status))
    except HTTPError as error:
        said.put(error.code)
    except URLError as error:
        said.put(" ".join(str(error.reason).split()))
    except (OSError, HTTPException, ValueError) as error:
        said.put(" ".join(str(error).split()) or type(error).__name__)


def _datasets() -> Any:
    try:
        import datasets
    except ImportError as error:
        raise UserError(
            "reading the hub needs the extra: pip install 'patient-zero-bench[hf]'"
        ) from error
    return datasets


def _read(folder: Path) -> Any:
    library = _datasets()
    parts = [library.Dataset.from_file(str(path)) for path in _arrows(folder)]
    return library.concatenate_datasets(parts)


def _load(place: Place) -> Any:
    library = _datasets()
    try:
        return library.load_dataset(place.repo, revision=place.revision, split=SPLIT)
    except (OSError, ValueError, RuntimeError, library.exceptions.DatasetsError) as error:
        told = " ".join(str(error.__cause__ or error).split())[:300]
        raise UserError(f"{place} cannot be loaded ({type(error).__name__}: {told})") from error
