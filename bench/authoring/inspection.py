"""Inspects files of outlines: everything wrong with each and between them, with file and line."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path

from pydantic import ValidationError

from bench.authoring.checks import faults
from bench.core.errors import UserError
from bench.core.text import RUN, Runs, folded, overlap, runs, words
from bench.core.yaml_lines import Location, YamlFile, read_yaml
from bench.knowledge.approval import is_draft
from bench.knowledge.library import outline_files
from bench.knowledge.outline import Outline

Kept = dict[str, tuple[Outline, YamlFile]]
Told = list[tuple[Path, str]]
"""Files, each with a sentence on what is wrong."""
INCIDENTAL = 0.03
"""Largest share of runs in common by which no text was copied."""


@dataclass
class Inspection:
    """What was found."""

    files: int = 0
    drafts: list[str] = field(default_factory=list)
    """Ids of the drafts that nobody has approved as they stand."""
    faults: list[str] = field(default_factory=list)
    """One sentence for each fault."""
    changed: list[str] = field(default_factory=list)
    """One sentence for each draft that was changed after its approval."""

    @property
    def complaints(self) -> list[str]:
        """Everything that is wrong."""
        return [*self.faults, *self.changed]


def inspect_outlines(folders: Sequence[Path], paths: Sequence[Path] = ()) -> Inspection:
    """Check folders of outlines, or files; an outline replaces one of the same id in an earlier.

    Where `paths` are given, these alone are checked, as one more folder that comes last; the
    others are there to be compared with.

    Raises:
        UserError: if a path is not there or holds no outline, or the units library is missing.
    """
    faults_found: Told = []
    kept: Kept = {}
    checked: set[Path] = set()
    for layer in [*([folder] for folder in folders), *([paths] if paths else [])]:
        files = _files(layer)
        own = _read_layer(files, faults_found)
        # What comes last is what is blamed for what it shares with others.
        kept = {identity: entry for identity, entry in kept.items() if identity not in own} | own
        checked = set(files) if layer is paths else checked | set(files)
    inspection = Inspection(files=len(checked))
    for outline, read in kept.values():
        if read.path not in checked:
            continue
        faults_found += [
            (read.path, f"{read.place(fault.where)}: {fault.says}") for fault in faults(outline)
        ]
        if is_draft(outline, read.text):
            inspection.drafts.append(outline.id)
            if outline.approval is not None:
                inspection.changed.append(
                    f"{read.place(('approval',))}: the text was changed after "
                    f"{outline.approval.by} approved it; approve it again"
                )
    faults_found += _between(kept)
    inspection.faults += dict.fromkeys(says for path, says in faults_found if path in checked)
    return inspection


def _files(paths: Iterable[Path]) -> list[Path]:
    """The files that are meant, each once."""
    every = [file for path in paths for file in ([path] if path.is_file() else outline_files(path))]
    return list({file.resolve(): file for file in every}.values())


def _read_layer(files: Iterable[Path], faults: Told) -> Kept:
    """The outlines of files that may share no id, by id."""
    own: Kept = {}
    for file in files:
        for outline, read in _read(file, faults):
            if outline.id in own:
                other = own[outline.id][1].path
                faults.append((file, f"{file}: the id {outline.id} is taken by {other}"))
            own[outline.id] = (outline, read)
    return own


def _read(path: Path, faults: Told) -> Iterator[tuple[Outline, YamlFile]]:
    """The outline of a file, if it follows the schema."""
    try:
        file = read_yaml(path, "the outline")
        yield Outline.model_validate(file.data), file
    except UserError as error:
        faults.append((path, str(error)))
    except ValidationError as error:
        faults += [
            (path, f"{file.place(fault['loc'])}: {fault['msg']}")
            for fault in error.errors(include_url=False, include_input=False)
        ]


def _between(kept: Kept) -> Iterator[tuple[Path, str]]:
    """Names and ids that two diseases share, and text that was copied."""
    owners = {folded(identity): identity for identity in reversed(kept)}
    for identity, (outline, file) in kept.items():
        names: list[tuple[Location, str]] = [(("id",), identity), (("name",), outline.name)]
        names += [(("synonyms", at), name) for at, name in enumerate(outline.synonyms)]
        for where, name in names:
            owner = owners.setdefault(folded(name), identity)
            if owner != identity:
                yield file.path, f"{file.place(where)}: {name!r} is a name of {owner} as well"
    for first, second, share, example in copied(outline for outline, _ in kept.values()):
        path = kept[second][1].path
        yield (
            path,
            f"{path}: {share:.1%} of its text is that of {first}, for instance {example!r}; "
            "write it anew",
        )


def copied(
    outlines: Iterable[Outline], most: float = INCIDENTAL
) -> Iterator[tuple[str, str, float, str]]:
    """Ids of pairs that share more than `most` of their runs of words, the share and an example."""
    held = {outline.id: _runs(outline) for outline in outlines}
    for (first, own), (second, other) in combinations(held.items(), 2):
        if (share := overlap(own, other)) > most:
            yield first, second, share, " ".join(max(own & other))


def _runs(outline: Outline) -> Runs:
    """Runs of an outline's text; none reaches from one statement into the next."""
    fields = outline.model_dump(exclude={"sources", "id", "provenance", "approval"})
    long = (runs(text) for text in _texts(fields) if len(words(text)) >= RUN)
    return frozenset[tuple[str, ...]]().union(*long)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _texts(inner)
