"""Source texts as a reader sees them, one block a line, and where in them a quotation stands."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rapidfuzz import fuzz

from bench.core.errors import UserError
from bench.core.text import one_line, words
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
HIDDEN = (
    "script",
    "style",
    "title",
    "meta",
    "link",
    "base",
    "nav",
    "footer",
    "noscript",
    "template",
)
INLINE = ("a", "abbr", "b", "code", "em", "i", "mark", "small", "span", "strong", "sub", "u")
_BLANKS = re.compile(r"\s+")
_NUMBER = re.compile(r"[-−–+]?\d")
_MINUS = str.maketrans("−–", "--")
_BRACKETED = re.compile(r"[\[(].*[\])]", re.DOTALL)


@dataclass(frozen=True)
class SourceText:
    """One source."""

    name: str
    sha256: str
    """Hash of the file's bytes."""
    text: str
    """Its plain text: what spans count characters in."""

    def find(self, quote: str, field: str) -> Evidence | None:
        """Where a quotation stands, or none.

        Letter case, spacing, dashes and quotation marks may differ, and a few letters of a long
        one; a short one must be whole words.
        """
        wanted, held = _folded(one_line(quote)), _folded(self.text)
        span = _exactly(wanted, held)
        exact = span is not None
        span = span or _nearly(wanted, held)
        if span is None:
            return None
        first, last = span
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


_ALIKE = str.maketrans("\n‘’“”–—−‑İ", " ''\"\"----i")
"""What tells no texts apart beside letter case, each for one character, so that places stay."""


def _folded(text: str) -> str:
    return text.translate(_ALIKE).lower()


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
    """The source in a file, or those in a folder whose names are or hold that of a disease.

    Raises:
        UserError: if there is nothing to read, or too much, or a file is no text.
    """
    if not path.is_dir() and not path.is_file():
        raise UserError(f"there is no source {path}")
    sources = tuple(
        _read(file, file.relative_to(path).as_posix() if file != path else path.name)
        for file in (_about(path, disease) if path.is_dir() else [path])
    )
    size = sum(len(source.text) for source in sources)
    if size > MOST:
        raise UserError(
            f"{path} holds {size:,} characters, more than the {MOST:,} that fit one question: "
            f"give only those of {disease}"
        )
    return sources


def _about(folder: Path, disease: str) -> list[Path]:
    """The texts of a folder that are named after a disease."""
    wanted = f" {' '.join(words(disease))} "
    paths = [path for path in sorted(folder.rglob("*")) if path.suffix.lower() in READABLE]
    named = [path for path in paths if wanted in f" {' '.join(words(path.stem))} "]
    if not named:
        raise UserError(
            f"none of the {len(paths)} texts in {folder} ({', '.join(READABLE)}) is named after "
            f"{disease!r}: name the file itself"
        )
    return named


def _read(path: Path, name: str) -> SourceText:
    kind = path.suffix.lower()
    if kind not in READABLE:
        raise UserError(f"{path} is neither HTML, Markdown nor plain text ({', '.join(READABLE)})")
    try:
        data = path.read_bytes()
        text = _plain(data, kind)
    except (OSError, ValueError, RecursionError) as error:
        raise UserError(f"{path} cannot be read ({error})") from error
    text = plain_lines(text)
    if not text:
        raise UserError(f"{path} holds no text")
    return SourceText(one_line(name), hashlib.sha256(data).hexdigest(), text)


def plain_lines(text: str) -> str:
    """A text with one space for each run of white space, and without empty lines."""
    return "\n".join(filter(None, map(one_line, text.splitlines())))


def _plain(data: bytes, kind: str) -> str:
    """What a reader of the text sees.

    Raises:
        ValueError: if it is none.
        UserError: if the libraries that read pages are not installed.
    """
    text = data.decode("utf-8-sig") if kind in PLAIN else _page_text(data, kind)
    if found := re.search(r"[\x00-\x08\x0e-\x1f\ufffd]", text):
        raise ValueError(f"it is not text (it holds {found[0]!a})")
    return text


def _page_text(data: bytes, kind: str) -> str:
    try:
        from bs4 import BeautifulSoup
        from bs4.dammit import UnicodeDammit
        from bs4.element import NavigableString
        from markdown_it import MarkdownIt
    except ImportError as error:
        raise UserError(
            "reading HTML and Markdown needs the extra: pip install 'patient-zero-bench[kb]'"
        ) from error
    if kind in MARKDOWN:
        html = str(MarkdownIt("commonmark").enable("table").render(data.decode("utf-8-sig")))
    else:
        html = UnicodeDammit(data, is_html=True).unicode_markup or "\ufffd"
    page = BeautifulSoup(html, "html.parser")
    for hidden in page(list(HIDDEN)):
        hidden.decompose()
    for raised in page("sup"):
        raised.replace_with(_raised(raised))
    for inline in page(list(INLINE)):
        inline.unwrap()
    page.smooth()
    for text in page.find_all(string=lambda text: type(text) is NavigableString):
        text.replace_with(_BLANKS.sub(" ", text))  # only blocks begin new lines
    return page.get_text("\n")


def _raised(sup: Any) -> str:
    """A superscript as text: a number behind "^", the mark of a note left out."""
    text = _BLANKS.sub(" ", sup.get_text()).strip()
    if _is_note(sup) or _BRACKETED.fullmatch(text):
        return ""
    return f"^{text}".translate(_MINUS) if _NUMBER.match(text) else text


def _is_note(sup: Any) -> bool:
    """Whether it links to another place of the page, or says that it is a reference."""
    links = [*sup("a"), *(one for one in sup.parents if one.name == "a")]
    if any("#" in str(link.get("href", "")) for link in links):
        return True
    return bool({"reference", "citation", "footnote", "noprint"} & set(sup.get("class", ())))
