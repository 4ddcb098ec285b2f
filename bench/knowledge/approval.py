"""Approving a draft: who checked it, when, and which text (paper section 3.1, "human-verify").

The approval is the last line of the outline's file, so nothing else of the file is rewritten; it
holds for the text before it and for no other.
"""

import hashlib
import math
import re
from datetime import date
from pathlib import Path

import yaml
from pydantic import ValidationError

from bench.core.atomic import write_text
from bench.core.errors import UserError
from bench.core.yaml_lines import parse_yaml
from bench.knowledge.outline import Approval, Outline

_APPROVAL = re.compile(r"""^(["']?)approval\1[ \t]*:.*\n?(?:[ \t]+.*\n?)*""", re.MULTILINE)
"""The key with its value, be it spread over several lines."""


def is_draft(outline: Outline, text: str) -> bool:
    """Whether a machine drafted the outline in `text` and nobody approved it as it stands."""
    if outline.provenance is None:
        return False
    return outline.approval is None or outline.approval.sha256 != _hash(text)


def approve(path: Path, by: str, on: date, note: str = "") -> Approval:
    """Record in the outline's file that somebody has checked it; an earlier approval goes.

    Line ends, the file's mode and a link to it stay.

    Raises:
        UserError: if the file cannot hold an approval as its last line, or cannot be written; it
            is then as it was.
    """
    path = path.resolve()
    try:
        mode = path.stat().st_mode
        old = path.read_bytes().decode()
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the outline {path} cannot be read ({error})") from error
    if not mode & 0o222:
        raise UserError(f"{path} is write-protected: nothing was written")
    bare = _APPROVAL.sub("", old).rstrip()
    try:
        approval = Approval(by=by, on=on, sha256=_hash(bare), note=note)
    except ValidationError as error:
        raise UserError("the name or note of the approval is no text") from error
    end = "\r\n" if "\r\n" in old else "\n"
    new = f"{bare}{end}approval: {_one_line(approval)}{end}"
    before, after = _parsed(path, old), _parsed(path, new)
    wanted = before and before.model_copy(update={"approval": approval})
    if after is None or after != wanted or is_draft(after, new):
        raise UserError(
            f"{path} cannot take an approval as its last line; nothing was written: write its "
            "fields at the start of a line, with no brackets around them and no ... after them"
        )
    write_text(path, new)
    path.chmod(mode & 0o7777)
    return approval


def _one_line(approval: Approval) -> str:
    """The approval as YAML that no reader takes for anything else."""
    data = approval.model_dump(mode="json")
    line: str = yaml.safe_dump(
        data,
        default_style='"',
        default_flow_style=True,
        sort_keys=False,
        allow_unicode=True,
        width=math.inf,
    )
    return line.strip()


def _parsed(path: Path, text: str) -> Outline | None:
    """The outline in a text, or none if it holds none."""
    try:
        return Outline.model_validate(parse_yaml(path, text).data)
    except (UserError, ValidationError):
        return None


def _hash(text: str) -> str:
    """Hash of an outline's text without its approval."""
    bare = _APPROVAL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).rstrip()
    return hashlib.sha256(bare.encode()).hexdigest()
