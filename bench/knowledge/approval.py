"""Approving a draft: who checked it, when, and which text (paper section 3.1, "human-verify").

The approval is the last line of the outline's file, so nothing else of the file is rewritten; it
holds for the text before it and for no other.
"""

import hashlib
import json
import re
from datetime import date
from pathlib import Path

from bench.files import write_text
from bench.knowledge.outline import Approval, Outline

_APPROVAL = re.compile(r"^approval:.*\n?", re.MULTILINE)


def is_draft(outline: Outline, text: str) -> bool:
    """Whether a machine drafted the outline in `text` and nobody approved it as it stands."""
    if outline.provenance is None:
        return False
    return outline.approval is None or outline.approval.sha256 != _hash(text)


def approve(path: Path, by: str, on: date, note: str = "") -> Approval:
    """Record in the outline's file that somebody has checked it; an earlier approval goes."""
    text = _APPROVAL.sub("", path.read_text(encoding="utf-8"))
    approval = Approval(by=by, on=on, sha256=_hash(text), note=note)
    line = json.dumps(approval.model_dump(mode="json"), ensure_ascii=False)
    write_text(path, f"{text.rstrip()}\napproval: {line}\n")
    return approval


def _hash(text: str) -> str:
    """Hash of an outline's text without its approval."""
    told = _APPROVAL.sub("", text.replace("\r\n", "\n")).rstrip()
    return hashlib.sha256(told.encode()).hexdigest()
