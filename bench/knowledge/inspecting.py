"""Inspects files of outlines: everything wrong with each and between them, with file and line."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import ValidationError

from bench.errors import UserError
from bench.knowledge.approval import is_draft
from bench.knowledge.checking import faults
from bench.knowledge.library import outline_files
from bench.knowledge.outline import Outline
from bench.knowledge.overlap import overlaps
from bench.yaml_file import YamlFile, read_yaml


@dataclass
class Inspection:
    """What was found."""

    files: int = 0
    drafts: list[str] = field(default_factory=list)
    """Ids of the drafts that nobody has approved as they stand."""
    complaints: list[str] = field(default_factory=list)
    """One sentence for each fault."""


def inspect_outlines(paths: Iterable[Path]) -> Inspection:
    """Check files, and folders of them; an outline replaces one of the same id in an earlier path.

    Raises:
        UserError: if a path is not there or holds no outline, or the units library is missing.
    """
    found = Inspection()
    kept: dict[str, tuple[Outline, YamlFile]] = {}
    for path in paths:
        own: dict[str, tuple[Outline, YamlFile]] = {}
        for file in [path] if path.is_file() else outline_files(path):
            found.files += 1
            for outline, read in _read(file, found.complaints):
                if outline.id in own:
                    other = own[outline.id][1].path
                    found.complaints.append(f"{file}: the id {outline.id} is taken by {other}")
                own[outline.id] = (outline, read)
        kept |= own
    for outline, read in kept.values():
        found.complaints += [f"{read.place(one.where)}: {one.says}" for one in faults(outline)]
        if is_draft(outline, read.text):
            found.drafts.append(outline.id)
            if outline.approval is not None:
                found.complaints.append(
                    f"{read.place(('approval',))}: the text was changed after "
                    f"{outline.approval.by} approved it; approve it again"
                )
    found.complaints += _between(kept)
    return found


def _read(path: Path, complaints: list[str]) -> Iterator[tuple[Outline, YamlFile]]:
    """The outline of a file, if it follows the schema."""
    try:
        file = read_yaml(path, "the outline")
        yield Outline.model_validate(file.data), file
    except UserError as error:
        complaints.append(str(error))
    except ValidationError as error:
        complaints += [
            f"{file.place(fault['loc'])}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        ]


def _between(kept: dict[str, tuple[Outline, YamlFile]]) -> Iterator[str]:
    """Names that two diseases share, and text that was copied."""
    owners: dict[str, str] = {}
    for identity, (outline, file) in kept.items():
        for place, name in enumerate((outline.name, *outline.synonyms)):
            owner = owners.setdefault(name.lower(), identity)
            if owner != identity:
                where = ("synonyms", place - 1) if place else ("name",)
                yield f"{file.place(where)}: {name!r} is a name of {owner} as well"
    for found in overlaps(outline for outline, _ in kept.values()):
        yield (
            f"{kept[found.second][1].path}: {found.share:.1%} of its text is that of "
            f"{found.first}, for instance {found.example!r}; write it anew"
        )
