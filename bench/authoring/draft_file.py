"""Where a draft goes, under which id, and its file."""

import re
from difflib import get_close_matches
from itertools import count
from pathlib import Path

import yaml

from bench.authoring.draft import DraftSubject
from bench.core.atomic import write_text
from bench.core.errors import UserError
from bench.core.text import words
from bench.core.yaml_lines import read_text
from bench.knowledge.library import Library, file_folder, holds_outlines
from bench.knowledge.outline import Outline

_HEADER = """\
# A draft: not checked by anybody.
# `pzbench kb show ID --kb FOLDER` sets each field beside the words that it comes from. What
# `provenance.unsupported` lists stands in no source: check that first, mend what is wrong, then
# record it with `pzbench kb approve ID --by NAME --kb FOLDER`.
"""


def plan_subject(
    library: Library, disease: str, department: str | None, replace: bool
) -> DraftSubject:
    """The id and department of the draft of a disease.

    Raises:
        UserError: if the disease has an outline and is not to be replaced, or if the department
            is not said or probably misspelt.
    """
    departments = {listing.department for listing in library.listings}
    near = get_close_matches(department or "", departments, n=1)
    if near and department not in departments:
        raise UserError(f"there is no department {department!r}; did you mean {near[0]!r}?")
    listing = library.listing(disease)
    if listing is not None and not replace:
        what = "a draft" if listing.draft else "an outline"
        raise UserError(
            f"{disease!r} has {what} already, {listing.id} {listing.name} "
            f"({listing.path}); --replace drafts one that takes its place"
        )
    if listing is not None:
        return DraftSubject(listing.id, listing.name, department or listing.department)
    if department is None:
        known = ", ".join(sorted(departments))
        raise UserError(f"--department of {disease!r} is missing: {known}, or another")
    _slug(department)
    return DraftSubject(_next_id(library, department), disease, department)


def _next_id(library: Library, department: str) -> str:
    """The department's letters with the next free number."""
    used = [
        (found[1].upper(), int(found[2]), listing.department)
        for listing in library.listings
        if (found := re.fullmatch(r"(.+)-([0-9]{1,9})", listing.id))
    ]
    own = [prefix for prefix, _, name in used if name == department]
    first, *more = words(department)
    new = "".join(word[0] for word in (first, *more)) if more else first[:3]
    letters = own[0] if own else new.upper()
    numbers = [number for prefix, number, _ in used if prefix == letters]
    return f"{letters}-{max(numbers, default=0) + 1:02d}"


def draft_path(folder: Path, subject: DraftSubject) -> Path:
    """The file that a draft is written to.

    Raises:
        UserError: if a file is there that is no draft.
    """
    filed = file_folder(folder) if holds_outlines(folder) else {}
    if subject.id in filed:
        if not filed[subject.id].draft:
            raise UserError(
                f"{filed[subject.id].path} is no draft: move it away before another takes its place"
            )
        return filed[subject.id].path
    path = folder / _slug(subject.department) / f"{_slug(subject.name)}.yaml"
    if path.exists():
        raise UserError(f"{path} is there already: move it away first")
    return path


def _slug(text: str) -> str:
    if not (found := words(text)):
        raise UserError(f"no file can be named after {text!r}: give a name with letters")
    return "_".join(found)[:80]


def write_draft(path: Path, outline: Outline) -> Path | None:
    """Write a draft with a head that says what it is; where a copy is kept of one that was there.

    Raises:
        UserError: if it cannot be written.
    """
    data = outline.model_dump(mode="json", exclude_defaults=True)
    text = _HEADER + yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=100)
    kept = None
    if path.exists():
        names = (path.with_name(f"{path.name}.{number}") for number in count(1))
        kept = next(name for name in names if not name.exists())
        write_text(kept, read_text(path, "the draft"))
    write_text(path, text)
    return kept
