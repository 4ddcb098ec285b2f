"""Questions from the Hugging Face hub, only when asked: `hub:REPO@REVISION`.

Promise: the hub's library asks once, so a hub that cannot be reached, stays silent or is broken is
said to be so within seconds; then a commit that the `datasets` cache holds is still read, and no
other. Not promised: the length of a download while something arrives.
"""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench.core.errors import UserError
from bench.core.text import one_line
from bench.medqa.question import QuestionSet, question_set
from bench.records.record_files import without_none

SCHEME = "hub:"
SPLIT = "test"
PATIENCE = 5.0
"""Seconds that the hub may be silent."""
PLACE = re.compile(r"hub:([\w.-]+/[\w.-]+)@([\w./-]+)")
COMMIT = re.compile(r"[0-9a-f]{7,40}")


def read_hub(place: str) -> QuestionSet:
    """The test questions of a dataset of the hub; its source names the commit that was read.

    Raises:
        UserError: if the extra `hf` is missing, no revision is named, there is no such dataset, no
            way to it, or no question in it.
    """
    named = PLACE.fullmatch(place)
    if named is None:
        raise UserError(
            f"{place!r} names no dataset of the hub: write hub:OWNER/NAME@REVISION, with the "
            "commit that you mean, for a name alone would mean another file tomorrow"
        )
    repo, revision = named.groups()
    dataset = _load(repo, revision, place)
    # The library keeps a dataset under its commit, and falls back on any that it has kept.
    commit = Path(dataset.cache_files[0]["filename"]).parent.name
    if COMMIT.fullmatch(revision) and not commit.startswith(revision):
        raise _unread(place, f"the hub does not give it, and the cache has {commit} alone")
    rows = ((f"row {number}", without_none(row)) for number, row in enumerate(dataset, start=1))
    return question_set(rows, f"{SCHEME}{repo}@{commit}")


def _load(repo: str, revision: str, place: str) -> Any:
    if "@" in os.environ.get("HF_ENDPOINT", ""):
        raise UserError(
            "HF_ENDPOINT holds a user name or password, which would be shown in errors: name the "
            "address alone, and log in with `hf auth login`"
        )
    try:
        import datasets
    except ImportError as error:
        raise UserError(
            "reading the hub needs the extra: pip install 'patient-zero-bench[hf]'"
        ) from error
    datasets.disable_progress_bars()
    for library in ("datasets", "huggingface_hub"):
        logging.getLogger(library).setLevel(logging.ERROR)
    try:
        with _asking_once():
            # The prefix says that no local folder of the same name is meant.
            return datasets.load_dataset(f"hf://datasets/{repo}", revision=revision, split=SPLIT)
    except datasets.exceptions.DatasetNotFoundError as error:
        raise _unread(place, one_line(str(error))) from error
    except Exception as error:
        # It looks for a local folder first, which says nothing to the user.
        *_, fault = one_line(str(error.__cause__ or error)).split(" Hub either: ")
        raise _unread(place, fault[:250]) from error


@contextmanager
def _asking_once() -> Iterator[None]:
    """Have the hub's library wait `PATIENCE` seconds for an answer, and try nothing again."""
    from huggingface_hub import get_session, set_client_factory
    from huggingface_hub.utils import httpx  # type: ignore[attr-defined]
    from huggingface_hub.utils._http import default_client_factory

    class Once(httpx.Client):
        """What it raises is nothing that the library tries again."""

        failures: dict[str, str] = {}

        def send(self, request: Any, **options: Any) -> Any:
            request.extensions["timeout"] = httpx.Timeout(PATIENCE).as_dict()
            host = request.url.host
            if host in self.failures:
                raise ConnectionError(self.failures[host])
            try:
                response = super().send(request, **options)
            except httpx.TransportError as error:
                self.failures[host] = f"the hub cannot be reached: {error}"
                raise ConnectionError(self.failures[host]) from None
            # The hub says in a header what is wrong; a proxy, or a hub that is down, does not.
            told = response.status_code < 429 and "X-Error-Code" in response.headers
            if response.is_error and not told:
                response.close()
                answer = f"{response.status_code} {response.reason_phrase}"
                known = response.status_code < 429
                doubt = ": are name, revision and login right?" if known else ""
                raise ConnectionError(f"the hub answers {answer}{doubt}")
            return response

    hooks = get_session().event_hooks
    set_client_factory(lambda: Once(event_hooks=hooks, follow_redirects=True))
    try:
        yield
    finally:
        set_client_factory(default_client_factory)


def _unread(place: str, why: str) -> UserError:
    return UserError(f"{place} cannot be read ({why}): give a local file instead (--medqa PATH)")
