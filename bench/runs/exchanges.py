"""What models were asked for an item and what they answered, as the journal keeps it."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.journal.table import StoredRows, open_rows

_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class JournalExchange:
    """One request and its answer, or why there is none."""

    key: str
    """Journal key."""
    backbone: str = ""
    """Who was asked."""
    messages: tuple[Mapping[str, str], ...] = ()
    """`role` and `content` of each message; a request that is no conversation is one message."""
    answer: str = ""
    """The answer's text as received; of what is no text, what it is."""
    thinking: str = ""
    """What the model thought, where that came apart from the answer."""
    outcome: str = ""
    """"answer", "refusal" or "cut"; empty for what is no text."""
    model: str = ""
    """The model that the endpoint named."""
    lacking: str = ""
    """Why the exchange cannot be shown; empty where it can."""


def exchanges(journal: Path, keys: Iterable[str]) -> Iterator[JournalExchange]:
    """The exchange of each key, in the keys' order.

    Raises:
        UserError: if the journal is gone or cannot be read.
    """
    with closing(open_rows(journal)) as kept:
        for key in keys:
            yield _exchange(kept, key)


def _exchange(journal: StoredRows, key: str) -> JournalExchange:
    if not _KEY.fullmatch(key):
        return JournalExchange(
            key, lacking="it is no key of a journal: the item was made elsewhere"
        )
    row, text = journal.get(bytes.fromhex(key)), journal.request(bytes.fromhex(key))
    if row is None or text is None:
        return JournalExchange(key, lacking="the journal does not hold it")
    request = json.loads(text)
    whole = {"role": "request", "content": json.dumps(request, ensure_ascii=False)}
    messages = tuple(request.get("messages") or [whole])
    backbone = str(request.get("backbone", ""))
    return JournalExchange(key, backbone, messages, **_answered(row[0]))


def _answered(body: bytes) -> dict[str, str]:
    """A stored completion; of anything else that was computed, what it is."""
    try:
        completion: Any = json.loads(body)
    except ValueError:
        return {"answer": f"{len(body)} bytes, which are no text"}
    if not isinstance(completion, dict) or not isinstance(completion.get("text"), str):
        return {"answer": json.dumps(completion, ensure_ascii=False)}
    return {
        "answer": completion["text"],
        "thinking": str(completion.get("thinking") or ""),
        "outcome": str(completion.get("outcome", "")),
        "model": str(completion.get("model") or ""),
    }
