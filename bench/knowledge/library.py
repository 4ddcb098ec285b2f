"""Outlines by disease: a committed index says what there is; each file is read when asked for."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from bench.errors import UserError
from bench.knowledge.approval import is_draft
from bench.knowledge.outline import Outline
from bench.model import Model
from bench.yaml_file import YamlFile, read_yaml

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


@dataclass(frozen=True)
class Filed:
    """A listing and where its outline lies."""

    listing: Listing
    path: Path


def read_outline(path: Path) -> Outline:
    """The outline in a YAML file.

    Raises:
        UserError: naming the file, the line and the field at fault.
    """
    return parse_outline(read_yaml(path, "the outline"))


def parse_outline(file: YamlFile) -> Outline:
    """The outline that a file holds.

    Raises:
        UserError: naming the file, the line and the field at fault.
    """
    try:
        return Outline.model_validate(file.data)
    except ValidationError as error:
        found = error.errors(include_url=False)
        more = f" (and {len(found) - 1} more)" if len(found) > 1 else ""
        raise UserError(f"{file.place(found[0]['loc'])}: {found[0]['msg']}{more}") from error


def outline_files(folder: Path) -> list[Path]:
    """The files of a folder that are outlines, whatever is in them.

    Raises:
        UserError: if the folder is not there or holds none.
    """
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder} of outlines")
    found = sorted(path for path in folder.rglob("*.yaml") if not path.name.startswith("."))
    if not found:
        raise UserError(f"{folder} holds no outline (no .yaml file)")
    return found


def file_folder(folder: Path) -> dict[str, Filed]:
    """What a folder holds, by id and in its order; only what the index does not know is read.

    Raises:
        UserError: if an outline cannot be read, or two share an id or a name.
    """
    index = _read_index(folder)
    found: dict[str, Filed] = {}
    for path in outline_files(folder):
        file, text = path.relative_to(folder).as_posix(), path.read_bytes()
        sha256 = hashlib.sha256(text).hexdigest()
        listing = index.get((file, sha256))
        if listing is None:
            outline = read_outline(path)
            listing = Listing(
                id=outline.id,
                name=outline.name,
                synonyms=outline.synonyms,
                department=outline.department,
                file=file,
                sha256=sha256,
                draft=is_draft(outline, text.decode()),
            )
        if listing.id in found:
            other = found[listing.id].path
            raise UserError(f"{path}: the id {listing.id} is taken by {other}")
        found[listing.id] = Filed(listing, path)
    return {identity: found[identity] for identity in sorted(found)}


def build_index(folder: Path = FOLDER) -> str:
    """The text of the index of a folder of outlines, in order of id.

    Raises:
        UserError: as `file_folder`.
    """
    ordered = [
        filed.listing.model_dump(exclude_defaults=True) for filed in file_folder(folder).values()
    ]
    return json.dumps(ordered, indent=1, ensure_ascii=False) + "\n"


def _read_index(folder: Path) -> dict[tuple[str, str], Listing]:
    """The index by file and hash; empty where there is none that can be used."""
    try:
        listed = json.loads((folder / INDEX).read_text(encoding="utf-8"))
        found = [Listing.model_validate(item) for item in listed]
    except (OSError, ValueError):
        return {}
    return {(listing.file, listing.sha256): listing for listing in found}


class Library:
    """The diseases of one or several folders; outlines are read one at a time and kept."""

    def __init__(self, *folders: Path, base: Path | None = FOLDER, drafts: bool = False) -> None:
        """Take the outlines below `base` and below the folders; nothing is read yet.

        An outline of a later folder replaces the one of the same id; any other is added. Drafts
        that nobody has approved are there only if `drafts` asks for them.
        """
        self.folders = (*([base] if base is not None else []), *folders)
        self._drafts = drafts
        self._outlines: dict[str, Outline] = {}

    @cached_property
    def filed(self) -> dict[str, Filed]:
        """Every outline by id, drafts included, in order of id.

        Raises:
            UserError: if an outline cannot be read, or two diseases share a name.
        """
        found: dict[str, Filed] = {}
        for folder in self.folders:
            found.update(file_folder(folder))
        owners: dict[str, Filed] = {}
        for filed in found.values():
            for name in (filed.listing.name, *filed.listing.synonyms):
                owner = owners.setdefault(name.lower(), filed)
                if owner is not filed:
                    raise UserError(
                        f"{filed.path}: the name {name!r} of {filed.listing.id} is taken by "
                        f"{owner.listing.id} in {owner.path}; rename it, or give it that id to "
                        "replace the other"
                    )
        return {identity: found[identity] for identity in sorted(found)}

    @cached_property
    def listings(self) -> tuple[Listing, ...]:
        """The diseases there are, in order of id; drafts only where they were asked for."""
        every = (filed.listing for filed in self.filed.values())
        return tuple(listing for listing in every if self._drafts or not listing.draft)

    @cached_property
    def _by_name(self) -> dict[str, Listing]:
        every = [filed.listing for filed in self.filed.values()]
        # "Graves disease (hyperthyroidism)" is found without its brackets too.
        short = {one.name.partition(" (")[0].lower(): one for one in every}
        return short | {
            key.lower(): one for one in every for key in (one.id, one.name, *one.synonyms)
        }

    @cached_property
    def digest(self) -> str:
        """Hash of the whole knowledge, in hex; changes with every outline."""
        told = "\n".join(f"{listing.id} {listing.sha256}" for listing in self.listings)
        return hashlib.sha256(told.encode()).hexdigest()

    @cached_property
    def departments(self) -> tuple[str, ...]:
        """The departments in alphabetical order."""
        return tuple(sorted({listing.department for listing in self.listings}))

    def diseases(self, department: str) -> Sequence[Listing]:
        """The diseases of a department in order of id.

        Raises:
            UserError: if there is no such department, with the nearest one.
        """
        found = [item for item in self.listings if item.department == department]
        if not found:
            hint = self._nearest(department, self.departments)
            raise UserError(f"there is no department {department!r}{hint}")
        return found

    def listing(self, disease: str) -> Listing | None:
        """The listing of a disease by id, name or synonym in any letter case, be it a draft."""
        return self._by_name.get(disease.strip().lower())

    def find(self, disease: str) -> Outline | None:
        """The outline of a disease by id, name or synonym in any letter case; none if unknown."""
        listing = self.listing(disease)
        if listing is None or (listing.draft and not self._drafts):
            return None
        return self._load(listing)

    def get(self, disease: str) -> Outline:
        """The outline of a disease by id, name or synonym.

        Raises:
            UserError: if it is unknown, with the nearest name, or a draft.
        """
        outline = self.find(disease)
        if outline is None and (listing := self.listing(disease)) is not None:
            raise UserError(
                f"{listing.id} {listing.name} is a draft that nobody has approved "
                f"({self.filed[listing.id].path}): check it and run `pzbench kb approve`, or add "
                "--drafts"
            )
        if outline is None:
            near = get_close_matches(disease.strip().lower(), self._by_name, n=1)
            hint = (
                f"did you mean {self._by_name[near[0]].name!r}?" if near else "see pzbench kb list"
            )
            raise UserError(f"no outline of {disease!r}; {hint}")
        return outline

    def _load(self, listing: Listing) -> Outline:
        if listing.id not in self._outlines:
            self._outlines[listing.id] = read_outline(self.filed[listing.id].path)
        return self._outlines[listing.id]

    @staticmethod
    def _nearest(word: str, known: Sequence[str]) -> str:
        near = get_close_matches(word, known, n=1, cutoff=0.4)
        return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"

    def __iter__(self) -> Iterator[Outline]:
        """All outlines in order of id, read as they come."""
        return (self._load(listing) for listing in self.listings)
