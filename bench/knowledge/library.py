"""Outlines by disease: a committed index says what there is; each file is read when asked for."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

from pydantic import Field, ValidationError

from bench.core.errors import UserError
from bench.core.registry import nearest
from bench.core.schema import Model
from bench.core.text import folded
from bench.core.yaml_lines import YamlFile, parse_yaml, read_text
from bench.knowledge.approval import is_draft
from bench.knowledge.outline import Outline
from bench.knowledge.outline_cache import cached

FOLDER = Path(__file__).parent / "outlines"
INDEX = "index.json"


class Listing(Model):
    """One disease in the index."""

    id: str
    name: str
    synonyms: tuple[str, ...]
    department: str
    file: str
    """Path of the outline below the folder, with forward slashes."""
    sha256: str
    """Hash of the file."""
    draft: bool = False
    """Whether a machine drafted it and nobody has approved it as it stands."""
    folder: Path = Field(default=Path(), exclude=True)
    """Where the outline lies; no index says so."""

    @property
    def path(self) -> Path:
        """The outline's file."""
        return self.folder / self.file

    @property
    def names(self) -> tuple[str, ...]:
        """What it answers to."""
        return (self.id, self.name, *self.synonyms)


def read_outline(path: Path) -> Outline:
    """The outline in a YAML file.

    Raises:
        UserError: naming the file, the line and the field at fault.
    """
    return _outline_in(path, read_text(path, "the outline"))


def _outline_in(path: Path, text: str) -> Outline:
    """The outline in the text of a file, parsed only if it never was before."""
    return cached(text, lambda: parse_outline(parse_yaml(path, text)))


def parse_outline(file: YamlFile) -> Outline:
    """The outline that a file holds.

    Raises:
        UserError: naming the file, the line and the field at fault.
    """
    try:
        return Outline.model_validate(file.data)
    except ValidationError as error:
        raise file.refused(error) from error


def holds_outlines(folder: Path) -> bool:
    """Whether there is such a folder and a file in it is an outline."""
    return next(_yaml_files(folder), None) is not None


def _yaml_files(folder: Path) -> Iterator[Path]:
    """What is named as an outline, but for folders and for what is hidden."""
    for path in folder.rglob("*.yaml"):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and not path.is_dir():
            yield path


def outline_files(folder: Path) -> list[Path]:
    """The files of a folder that are outlines, whatever is in them.

    Raises:
        UserError: if the folder is not there, holds none, or one that is no file.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder} of outlines")
    files = sorted(_yaml_files(folder))
    if not files:
        raise UserError(f"{folder} holds no outline (no .yaml file)")
    for path in files:
        if not path.is_file():
            raise UserError(f"the outline {path} is no file, or a link to none")
    return files


def file_folder(folder: Path, *, indexed: bool = True) -> dict[str, Listing]:
    """What a folder holds, by id and in its order; only what the index does not know is read.

    Everything is read if it is not to be `indexed`.

    Raises:
        UserError: if an outline cannot be read, or two share an id.
    """
    index = _read_index(folder) if indexed else {}
    filed: dict[str, Listing] = {}
    for path in outline_files(folder):
        listing = _listing(folder, path, index)
        if listing.id in filed:
            other = filed[listing.id].path
            raise UserError(f"{path}: the id {listing.id} is taken by {other}")
        filed[listing.id] = listing
    return dict(sorted(filed.items()))


def _listing(folder: Path, path: Path, index: Mapping[tuple[str, str], Listing]) -> Listing:
    file = path.relative_to(folder).as_posix()
    try:
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise UserError(f"the outline {path} cannot be read ({error})") from error
    if (known := index.get((file, sha256))) is not None:
        return known.model_copy(update={"folder": folder})
    text = read_text(path, "the outline")
    outline = _outline_in(path, text)
    return Listing(
        id=outline.id,
        name=outline.name,
        synonyms=outline.synonyms,
        department=outline.department,
        file=file,
        sha256=sha256,
        draft=is_draft(outline, text),
        folder=folder,
    )


def build_index(folder: Path = FOLDER) -> str:
    """The text of the index of a folder of outlines, in order of id; each of them is read.

    Raises:
        UserError: as `file_folder`.
    """
    every = file_folder(folder, indexed=False).values()
    ordered = [listing.model_dump(exclude_defaults=True) for listing in every]
    return json.dumps(ordered, indent=1, ensure_ascii=False) + "\n"


def _read_index(folder: Path) -> dict[tuple[str, str], Listing]:
    """The index by file and hash; empty where there is none that can be used."""
    try:
        listed = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        listings = [Listing.model_validate(item) for item in listed]
    except (OSError, ValueError, TypeError, RecursionError):
        return {}
    return {(listing.file, listing.sha256): listing for listing in listings}


def _owners(every: Iterable[Listing], clashing: bool) -> dict[str, Listing]:
    """Whose each name is: ids go before names, and the names of drafts come last.

    Raises:
        UserError: if two share a name, unless it is a draft's and `clashing` lets it pass.
    """
    ordered = sorted(every, key=lambda listing: listing.draft)
    named = [(listing.id, listing) for listing in ordered]
    named += [(name, listing) for listing in ordered for name in listing.names[1:]]
    owners: dict[str, Listing] = {}
    for name, listing in named:
        owner = owners.setdefault(folded(name), listing)
        if owner is not listing and not (clashing and listing.draft):
            raise UserError(
                f"{listing.path}: the name {name!r} of {listing.id} is taken by {owner.id} in "
                f"{owner.path}; rename it, or give it that id to replace the other"
            )
    return owners


class Library:
    """The diseases of one or several folders; outlines are read one at a time and kept."""

    def __init__(
        self,
        *folders: Path,
        base: Path | None = FOLDER,
        drafts: bool = False,
        clashing: bool = False,
    ) -> None:
        """Take the outlines below `base` and below the folders; nothing is read yet.

        An outline of a later folder replaces the one of the same id; any other is added. Drafts
        that nobody has approved are there, and replace others, only if `drafts` asks for them;
        those with a name that is taken only if `clashing` does, and they do not answer to it.
        """
        self.folders = (*([base] if base is not None else []), *folders)
        self._drafts = drafts
        self._clashing = clashing
        self._outlines: dict[str, Outline] = {}
        self._owners: dict[str, Listing] = {}

    @cached_property
    def _found(self) -> tuple[dict[str, Listing], ...]:
        """What each folder holds, drafts included."""
        return tuple(file_folder(folder) for folder in self.folders)

    @cached_property
    def filed(self) -> dict[str, Listing]:
        """Every outline by id, in order of id; drafts only where they were asked for.

        Raises:
            UserError: if an outline cannot be read, or two diseases share a name.
        """
        outlines = {
            listing.id: listing
            for folder in self._found
            for listing in folder.values()
            if self._drafts or not listing.draft
        }
        self._owners = _owners(outlines.values(), self._clashing)
        return dict(sorted(outlines.items()))

    @cached_property
    def listings(self) -> tuple[Listing, ...]:
        """The diseases there are, in order of id; drafts only where they were asked for."""
        return tuple(self.filed.values())

    @cached_property
    def _by_name(self) -> dict[str, Listing]:
        # "Graves disease (hyperthyroidism)" is found without its brackets too.
        short = [(folded(one.name.partition(" (")[0]), one) for one in self.listings]
        counted = Counter(key for key, _ in short)
        return {key: one for key, one in short if counted[key] == 1} | self._owners

    @cached_property
    def digest(self) -> str:
        """Hash of the whole knowledge, in hex; changes with every outline."""
        lines = "\n".join(f"{listing.id} {listing.sha256}" for listing in self.listings)
        return hashlib.sha256(lines.encode()).hexdigest()

    @cached_property
    def departments(self) -> tuple[str, ...]:
        """The departments in alphabetical order."""
        return tuple(sorted({listing.department for listing in self.listings}))

    def diseases(self, department: str) -> Sequence[Listing]:
        """The diseases of a department in order of id.

        Raises:
            UserError: if there is no such department, with the nearest one.
        """
        listed = [item for item in self.listings if item.department == department]
        if not listed:
            hint = nearest(department, list(self.departments))
            raise UserError(f"there is no department {department!r}{hint}")
        return listed

    def listing(self, disease: str) -> Listing | None:
        """The listing of a disease by id, name or synonym in any letter case; none if unknown."""
        return self.filed.get(disease) or self._by_name.get(folded(disease))

    def find(self, disease: str) -> Outline | None:
        """The outline of a disease by id, name or synonym in any letter case; none if unknown."""
        listing = self.listing(disease)
        return self._load(listing) if listing else None

    def get(self, disease: str) -> Outline:
        """The outline of a disease by id, name or synonym.

        Raises:
            UserError: if it is unknown, with the nearest name, or a draft.
        """
        outline = self.find(disease)
        if outline is None and (draft := self._left_out(disease)) is not None:
            raise UserError(
                f"{draft.id} {draft.name} is a draft that nobody has approved "
                f"({draft.path}): check it and run `pzbench kb approve`, or add --drafts"
            )
        if outline is None:
            near = get_close_matches(folded(disease), self._by_name, n=1)
            hint = (
                f"did you mean {self._by_name[near[0]].name!r}?" if near else "see pzbench kb list"
            )
            raise UserError(f"no outline of {disease!r}; {hint}")
        return outline

    def _left_out(self, disease: str) -> Listing | None:
        """The draft of a disease, where drafts were not asked for."""
        every = (listing for own in self._found for listing in own.values())
        drafts = (listing for listing in every if listing.draft and not self._drafts)
        key = folded(disease)
        return next((draft for draft in drafts if key in map(folded, draft.names)), None)

    def _load(self, listing: Listing) -> Outline:
        if listing.id not in self._outlines:
            self._outlines[listing.id] = read_outline(listing.path)
        return self._outlines[listing.id]

    def __iter__(self) -> Iterator[Outline]:
        """All outlines in order of id, read as they come."""
        return (self._load(listing) for listing in self.listings)
