"""Pages as their readers see them: HTML and Markdown to plain text, one block a line."""

import re
from typing import Any

from bench.core.errors import UserError

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


def html_text(data: str | bytes) -> str:
    """What a reader of a page sees.

    Raises:
        ValueError: if it is no page.
        UserError: if the library that reads pages is not installed.
    """
    try:
        from bs4 import BeautifulSoup
        from bs4.dammit import UnicodeDammit
        from bs4.element import NavigableString
    except ImportError as error:
        raise UserError(
            "reading HTML and Markdown needs beautifulsoup4: pip install 'patient-zero-bench[kb]'"
        ) from error
    html = data if isinstance(data, str) else UnicodeDammit(data, is_html=True).unicode_markup
    check_text(html or "\ufffd")
    page = BeautifulSoup(html or "", "html.parser")
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


def markdown_text(text: str) -> str:
    """What a reader of rendered Markdown sees.

    Raises:
        ValueError, UserError: as for HTML.
    """
    try:
        from markdown_it import MarkdownIt
    except ImportError as error:
        raise UserError(
            "reading Markdown needs markdown-it-py: pip install 'patient-zero-bench[kb]'"
        ) from error
    check_text(text)
    return html_text(str(MarkdownIt("commonmark").enable("table").render(text)))


def check_text(text: str) -> None:
    """Refuse what was never text.

    Raises:
        ValueError: if it holds control characters, or bytes that could not be decoded.
    """
    if found := re.search(r"[\x00-\x08\x0e-\x1f\ufffd]", text):
        raise ValueError(f"it is not text (it holds {found[0]!a})")


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
