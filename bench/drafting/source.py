"""Source texts as plain text, and where in them a quotation stands."""

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from rapidfuzz import fuzz

from bench.errors import UserError
from bench.knowledge.outline import Evidence

HTML = (".html", ".htm", ".xhtml")
MARKDOWN = (".md", ".markdown")
PLAIN = (".txt", ".text")
READABLE = (*HTML, *MARKDOWN, *PLAIN)
MOST = 200_000
"""Characters of all sources together, about 50,000 tokens: what a model's context holds."""
SHORTEST = 12
"""Characters of a quotation; a shorter one would be found anywhere."""
CLOSE = 92.0
"""Similarity, of 100, from which a quotation counts as one that was copied with slips."""
_BLANKS = re.compile(r"\s+")


@dataclass(frozen=True)
class Source:
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

        Letter case, spacing, dashes and quotation marks may differ, and a few letters.
        """
        wanted, _ = _fold(quote)
        wanted = wanted.strip()
        if len(wanted) < SHORTEST:
            return None
        folded, places = self._folded
        start, length = folded.find(wanted), len(wanted)
        exact = start >= 0
        if not exact:
            near = fuzz.partial_ratio_alignment(wanted, folded, score_cutoff=CLOSE)
            if near is None or len(wanted) > len(folded):
                return None
            start, length = near.dest_start, near.dest_end - near.dest_start
        first, last = places[start], places[start + length - 1] + 1
        if not exact:  # whole words: an alignment may lose a letter at its ends
            while first > 0 and self.text[first - 1].isalnum():
                first -= 1
            while last < len(self.text) and self.text[last].isalnum():
                last += 1
        return Evidence(
            field=field,
            source=self.name,
            start=first,
            end=last,
            quote=self.text[first:last],
            exact=exact,
        )


def find_quote(sources: Iterable[Source], quote: str, field: str) -> Evidence | None:
    """Where a quotation stands in the first source that has it, one that has it exactly first."""
    found = [place for source in sources if (place := source.find(quote, field)) is not None]
    return min(found, key=lambda place: not place.exact, default=None)


def read_sources(path: Path, disease: str) -> tuple[Source, ...]:
    """The source in a file, or those in a folder that tell of a disease.

    Of a folder: the files whose name or first line names the disease, else those that mention it.

    Raises:
        UserError: if there is nothing to read, or too much, or a file is no text.
    """
    if not path.exists():
        raise UserError(f"there is no source {path}")
    found = _in_folder(path, disease) if path.is_dir() else [_read(path, path.name)]
    size = sum(len(source.text) for source in found)
    if size > MOST:
        names = ", ".join(source.name for source in found[:5])
        raise UserError(
            f"the sources hold {size:,} characters ({names}{', ...' * (len(found) > 5)}), more "
            f"than the {MOST:,} that fit one question: give only those of {disease}"
        )
    return tuple(found)


def _in_folder(folder: Path, disease: str) -> Sequence[Source]:
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in READABLE]
    if not paths:
        raise UserError(f"{folder} holds no HTML, Markdown or plain text")
    every = [_read(path, path.relative_to(folder).as_posix()) for path in paths]
    wanted = _words(disease)
    titled = [one for one in every if wanted in _words(Path(one.name).stem + "\n" + _title(one))]
    found = titled or [one for one in every if wanted in _words(one.text)]
    if not found:
        raise UserError(
            f"none of the {len(every)} texts in {folder} names {disease!r}: "
            "name the file itself, or the disease as the text does"
        )
    return found


def _title(source: Source) -> str:
    return source.text.partition("\n")[0]


def _words(text: str) -> str:
    words = re.findall(r"[^\W_]+", text.lower())
    return f" {' '.join(words)} "


def _read(path: Path, name: str) -> Source:
    kind = path.suffix.lower()
    if kind not in READABLE:
        raise UserError(f"{path} is neither HTML, Markdown nor plain text ({', '.join(READABLE)})")
    try:
        data = path.read_bytes()
        if kind not in HTML and b"\0" in data:
            raise UserError(f"{path} is not text")
        if kind in HTML:
            text = _html_text(data)
        elif kind in MARKDOWN:
            text = _html_text(_markdown_html(data.decode("utf-8-sig")))
        else:
            text = data.decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error})") from error
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 text (byte {error.start}): save it as such"
        ) from error
    text = "\n".join(line for line in (_spaced(line) for line in text.splitlines()) if line)
    if not text:
        raise UserError(f"{path} holds no text")
    return Source(name, hashlib.sha256(data).hexdigest(), text)


def _spaced(line: str) -> str:
    return " ".join(line.split())


def _html_text(html: str | bytes) -> str:
    """What a reader of the page sees, one block a line."""
    try:
        from bs4 import BeautifulSoup
        from bs4.element import NavigableString
    except ImportError as error:
        raise UserError(
            "reading HTML and Markdown needs beautifulsoup4: pip install 'patient-zero-bench[kb]'"
        ) from error
    page = BeautifulSoup(html, "html.parser")
    for hidden in page(["script", "style", "noscript", "template", "nav", "footer", "head"]):
        hidden.decompose()
    for inline in page(["a", "abbr", "b", "code", "em", "i", "mark", "small", "span", "strong"]):
        inline.unwrap()
    for inline in page(["sub", "sup", "u"]):
        inline.unwrap()
    page.smooth()
    for text in page.find_all(string=lambda text: type(text) is NavigableString):
        text.replace_with(_BLANKS.sub(" ", text))  # only blocks begin new lines
    return page.get_text("\n")


def _markdown_html(text: str) -> str:
    try:
        from markdown_it import MarkdownIt
    except ImportError as error:
        raise UserError(
            "reading Markdown needs markdown-it-py: pip install 'patient-zero-bench[kb]'"
        ) from error
    return str(MarkdownIt("commonmark").enable("table").render(text))


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
