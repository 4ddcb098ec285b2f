"""Whether the hub answers, and has a dataset: asked once, and answered within `PATIENCE` seconds.

The hub's own library would try for 24 s, and 400 s where a server takes the connection and stays
silent; what a proxy or a sign-in page says in the hub's place, it takes for a missing dataset.
"""

import json
import os
import queue
import threading

from bench.core.errors import UserError

PATIENCE = 5.0
"""Seconds for the name, the connection and the whole answer together."""
MOST = 16_000_000
"""Bytes of an answer that are read."""
OFFLINE = ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE")
OTHERWISE = "give a local file instead (--medqa PATH)"


def knock(repo: str, revision: str) -> None:
    """See whether the hub answers at all, and shows the dataset.

    Raises:
        UserError: if not, saying which, and what to do.
    """
    for variable in OFFLINE:
        if os.environ.get(variable, "").upper() in ("1", "ON", "YES", "TRUE"):
            raise UserError(
                f"hub:{repo}@{revision} is not fetched, {variable} being set, and the cache does "
                f"not hold this revision: {OTHERWISE}"
            )
    hub = os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"
    if "@" in hub:
        raise UserError(
            "HF_ENDPOINT holds a user name or password, which would be shown in errors: name the "
            "address alone, and log in with `hf auth login`"
        )
    replies: queue.Queue[tuple[int, str]] = queue.Queue()
    url = f"{hub}/api/datasets/{repo}/revision/{revision}"
    # A thread of its own, for looking a name up knows no time limit.
    threading.Thread(target=_ask, args=(url, _token(), replies), daemon=True).start()
    try:
        status, fault = replies.get(timeout=PATIENCE)
    except queue.Empty:
        status, fault = 0, f"no answer in {PATIENCE:g} s"
    if status == 404:
        raise UserError(f"the hub {hub} has no dataset {repo} at {revision}: {OTHERWISE}")
    if status in (401, 403):
        raise UserError(
            f"the hub {hub} does not show {repo} ({fault}): it is misspelt, private or gated; log "
            f"in with `hf auth login` if you may read it, or {OTHERWISE}"
        )
    if fault:
        raise UserError(
            f"the hub {hub} cannot be reached ({fault}), and the cache does not hold this "
            f"revision: {OTHERWISE}"
        )


def _token() -> str | None:
    """The user's own, as the hub's library would send it."""
    try:
        from huggingface_hub import constants, get_token
    except ImportError:
        return None
    return None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()


def _ask(url: str, token: str | None, replies: "queue.Queue[tuple[int, str]]") -> None:
    """Put the status (0 if there is none) and what is wrong, or nothing."""
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    try:
        request = Request(url, headers={"User-Agent": "patient-zero-bench"})
        if token:
            request.add_unredirected_header("Authorization", f"Bearer {token}")
        with urlopen(request, timeout=PATIENCE) as answer:
            kind = answer.headers.get_content_type()
            body = answer.read(MOST)
        replies.put((200, "" if _is_object(body) else f"what answers is no hub, but sends {kind}"))
    except HTTPError as error:
        around = "it redirects without end" if 300 <= error.code < 400 else ""
        replies.put((error.code, around or f"it answers {error.code} {error.reason}".strip()))
    except URLError as error:
        replies.put((0, " ".join(str(error.reason).split())))
    except (OSError, HTTPException, ValueError) as error:
        replies.put((0, " ".join(str(error).split()) or type(error).__name__))


def _is_object(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body), dict)
    except (ValueError, RecursionError):
        return False
