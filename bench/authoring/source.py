"""Source texts as plain text, and where in them a quotation stands."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rapidfuzz import fuzz

from bench.authoring.pages import NoText, check_text, html_text, markdown_text
from bench.core.errors import UserError
from bench.knowledge.outline import Evidence

HTML = (".html", ".htm", ".xhtml")
MARKDOWN = (".md", ".markdown")
PLAIN = (".txt", ".text")
READABLE = (*HTML, *MARKDOWN, *PLAIN)
MOST = 200_000
"""Characters of all sources together, about 50,000 tokens: what a model's context holds."""
SHORTEST = 12
"""Characters of a quotation from which it may stand within words, or differ in a few letters."""
FEWEST = 4
"""Letters and figures of a quotation; a shorter one would be found anywhere."""
CLOSE = 92.0
"""Similarity, of 100, from which a quotation counts as one that was copied with slips."""


@dataclass(frozen=True)
class SourceText:
    """One source."""

    name: str
    sha256: str
    """Hash of the file's bytes."""
    text: str
    """Its plain text: what spans count characters in."""

    @cached_property
    def _folded(self) -> tuple[str, list[int]]:
        return _fold(self.text)

    def find(self, quote: str, field: str) -> Evidence | None:
        """Where a quotation stands, or none.

        Letter case, spacing, dashes and quotation marks may differ, and a few letters of a long
        one; a short one must be whole words.
        """
        wanted = _fold(quote)[0].strip()
        folded, places = self._folded
        span = _exactly(wanted, folded)
        exact = span is not None
        span = span or _nearly(wanted, folded)
        if span is None:
            return None
        first, last = places[span[0]], places[span[1] - 1] + 1
        # Whole words and numbers: of "40", "4" was not said.
        while first > 0 and self.text[first - 1].isalnum() and self.text[first].isalnum():
            first -= 1
        while last < len(self.text) and self.text[last - 1 : last + 1].isalnum():
            last += 1
        return Evidence(
            field=field,
            source=self.name,
            start=first,
            end=last,
            quote=self.text[first:last],
            exact=exact,
        )


def _exactly(wanted: str, folded: str) -> tuple[int, int] | None:
    if len(wanted) >= SHORTEST:
        start = folded.find(wanted)
        return None if start < 0 else (start, start + len(wanted))
    if sum(letter.isalnum() for letter in wanted) < FEWEST:
        return None
    whole = re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", folded)
    return whole.span() if whole else None


def _nearly(wanted: str, folded: str) -> tuple[int, int] | None:
    if not SHORTEST <= len(wanted) <= len(folded):
        return None
    near = fuzz.partial_ratio_alignment(wanted, folded, score_cutoff=CLOSE)
    return None if near is None else (near.dest_start, near.dest_end)


def find_quote(sources: Iterable[SourceText], quote: str, field: str) -> Evidence | None:
    """Where a quotation stands in the first source that has it, one that has it exactly first."""
    places = [place for source in sources if (place := source.find(quote, field)) is not None]
    return min(places, key=lambda place: not place.exact, default=None)


def read_sources(path: Path, disease: str) -> tuple[SourceText, ...]:
    """The source in a file, or those in a folder that tell of a disease.

    Of a folder: the files whose name or first line names the disease, else those that mention it.

    Raises:
        UserError: if there is nothing to read, or too much, or a file is no text.
    """
    if not path.exists():
        raise UserError(f"there is no source {path}")
    if not path.is_dir() and not path.is_file():
        raise UserError(f"the source {path} is neither a file nor a folder")
    sources = _in_folder(path, disease) if path.is_dir() else [_read(path, path.name)]
    size = sum(len(source.text) for source in sources)
    if size > MOST:
        names = ", ".join(source.name for source in sources[:5])
        raise UserError(
            f"the sources hold {size:,} characters ({names}{', ...' * (len(sources) > 5)}), more "
            f"than the {MOST:,} that fit one question: give only those of {disease}"
        )
    return tuple(sources)


def _in_folder(folder: Path, disease: str) -> Sequence[SourceText]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    paths = [path for path in files if path.suffix.lower() in READABLE]
    if not paths:
        raise UserError(f"{folder} holds no HTML, Markdown or plain text")
    wanted = _words(disease)
    every: list[SourceText] = []
    unread: list[UserError] = []
    for path in paths:
        try:
            every.append(_read(path, path.relative_to(folder).as_posix()))
        except UserError as error:
            if wanted in _words(path.stem):
                raise
            unread.append(error)  # another text, for all that its name tells
    titled = [
        source
        for source in every
        if wanted in _words(Path(source.name).stem + "\n" + _title(source))
    ]
    chosen = titled or [source for source in every if wanted in _words(source.text)]
    if not chosen:
        others = f" ({len(unread)} cannot be read: {unread[0]})" if unread else ""
        raise UserError(
            f"none of the {len(paths)} texts in {folder} names {disease!r}{others}: "
            "name the file itself, or the disease as the text does"
        )
    return chosen


def _title(source: SourceText) -> str:
    return source.text.partition("\n")[0]


def _words(text: str) -> str:
    words = re.findall(r"[^\W_]+", text.lower())
    return f" {' '.join(words)} "


def _read(path: Path, name: str) -> SourceText:
    kind = path.suffix.lower()
    if kind not in READABLE:
        raise UserError(f"{path} is neither HTML, Markdown nor plain text ({', '.join(READABLE)})")
    try:
        data = path.read_bytes()
        text = _plain(data, kind)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error})") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 text (byte {error.start}): save it as such"
        ) from error
    except RecursionError as error:
        raise UserError(f"{path} is nested too deep to be read") from error
    except NoText as error:
        raise UserError(f"{path} {error}") from error
    text = "\n".join(line for line in (_spaced(line) for line in text.splitlines()) if line)
    if not text:
        raise UserError(f"{path} holds no text")
    return SourceText(one_line(name), hashlib.sha256(data).hexdigest(), text)


def _plain(data: bytes, kind: str) -> str:
    if kind in HTML:
        return html_text(data)
    text = data.decode("utf-8-sig")
    check_text(text)
    return markdown_text(text) if kind in MARKDOWN else text


def one_line(name: str) -> str:
    """A name that a line, a terminal and a YAML file can hold: other characters as escapes."""
    return "".join(
        one if one.isprintable() else one.encode("unicode_escape").decode() for one in name
    )


def _spaced(line: str) -> str:
    return " ".join(line.split())


_MARKS = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "−": "-", "‑": "-"}
)


def _fold(text: str) -> tuple[str, list[int]]:
    """Text without differences that do not matter, and for each character its place before."""
    folded: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        for one in unicodedata.normalize("NFKC", character).translate(_MARKS).casefold():
            if not one.isspace():
                folded.append(one)
            elif not folded or folded[-1] != " ":
                folded.append(" ")
            else:
                continue
            places.append(place)
    return "".join(folded), places
