"""Outlines by disease: a committed index says what there is; each file is read when asked for."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path

import yaml
from pydantic import ValidationError

from bench.errors import UserError
from bench.knowledge.outline import Outline
from bench.model import Model

FOLDER = Path(__file__).parent / "outlines"
INDEX = "index.json"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


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


def read_outline(path: Path) -> Outline:
    """The outline in a YAML file.

    Raises:
        UserError: naming the file and the line or field at fault.
    """
    try:
        data = yaml.load(path.read_text(encoding="utf-8"), _LOADER)
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"the outline {path} cannot be read ({error})") from error
    except yaml.YAMLError as error:
        raise UserError(f"{path}: not valid YAML ({' '.join(str(error).split())})") from error
    try:
        return Outline.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise UserError(f"{path}: {where}: {first['msg']}") from error


def build_index(folder: Path = FOLDER) -> str:
    """The text of the index of a folder of outlines, in order of id.

    Raises:
        UserError: if an outline cannot be read, or two share an id or a name.
    """
    listings: dict[str, Listing] = {}
    names: dict[str, str] = {}
    for path in sorted(folder.rglob("*.yaml")):
        outline = read_outline(path)
        if outline.id in listings:
            raise UserError(f"{path}: id {outline.id} is taken by {listings[outline.id].file}")
        for name in (outline.name, *outline.synonyms):
            owner = names.setdefault(name.lower(), outline.id)
            if owner != outline.id:
                raise UserError(f"{path}: the name {name!r} is taken by {owner}")
        listings[outline.id] = Listing(
            id=outline.id,
            name=outline.name,
            synonyms=outline.synonyms,
            department=outline.department,
            file=path.relative_to(folder).as_posix(),
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )
    ordered = [listings[identity].model_dump(mode="json") for identity in sorted(listings)]
    return json.dumps(ordered, indent=1, ensure_ascii=False) + "\n"


class Library:
    """The diseases of a folder; outlines are read one at a time and kept."""

    def __init__(self, folder: Path = FOLDER) -> None:
        """Take the outlines below `folder`; nothing is read yet."""
        self._folder = folder
        self._outlines: dict[str, Outline] = {}

    @cached_property
    def listings(self) -> tuple[Listing, ...]:
        """The index, in order of id."""
        text = (self._folder / INDEX).read_text(encoding="utf-8")
        return tuple(Listing.model_validate(item) for item in json.loads(text))

    @cached_property
    def _by_name(self) -> dict[str, Listing]:
        return {
            key.lower(): listing
            for listing in self.listings
            for key in (listing.id, listing.name, *listing.synonyms)
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

    def find(self, disease: str) -> Outline | None:
        """The outline of a disease by id, name or synonym in any letter case; none if unknown."""
        listing = self._by_name.get(disease.strip().lower())
        return None if listing is None else self._load(listing)

    def get(self, disease: str) -> Outline:
        """The outline of a disease by id, name or synonym.

        Raises:
            UserError: if it is unknown, with the nearest name.
        """
        outline = self.find(disease)
        if outline is None:
            names = [listing.name for listing in self.listings]
            raise UserError(f"no outline of {disease!r}{self._nearest(disease, names)}")
        return outline

    def _load(self, listing: Listing) -> Outline:
        if listing.id not in self._outlines:
            self._outlines[listing.id] = read_outline(self._folder / listing.file)
        return self._outlines[listing.id]

    @staticmethod
    def _nearest(word: str, known: Sequence[str]) -> str:
        near = get_close_matches(word, known, n=1, cutoff=0.4)
        return f"; did you mean {near[0]!r}?" if near else f"; known: {', '.join(known)}"

    def __iter__(self) -> Iterator[Outline]:
        """All outlines in order of id, read as they come."""
        return (self._load(listing) for listing in self.listings)
