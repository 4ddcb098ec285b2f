"""Source texts: what a reader of the page sees, and where a quotation stands in it."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.authoring.source import MOST, SHORTEST, SourceText, find_quote, plain_lines, read_sources
from bench.core.errors import UserError

ARTICLE = Path(__file__).with_name("plantar_fasciitis.html")
FOOT = "Plantar fasciitis"


def source(text: str, name: str = "x.txt") -> SourceText:
    return SourceText(name, "0" * 64, plain_lines(text))


def test_a_page_is_read_as_its_reader_sees_it():
    (read,) = read_sources(ARTICLE, FOOT)
    assert read.text.startswith("Plantar fasciitis\nPlantar fasciitis, also known as plantar heel")
    for hidden in ("heel spur", "Home", "color:red", "write a poem"):
        assert hidden not in read.text


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a.md", "# Gout\n\nGout is a **painful** disease of the [joints](x.html).\n"),
        ("a.txt", "\ufeffGout is a painful disease of the joints.\r\n"),
        ("a.HTM", "<p>Gout is a <em>painful</em> disease\n of the <a href=x>joints</a>."),
    ],
)
def test_each_kind_of_text_is_read(name: str, written: str, tmp_path: Path):
    (tmp_path / name).write_text(written, encoding="utf-8")
    (read,) = read_sources(tmp_path / name, "Gout")
    found = read.find("gout is a painful disease of the joints.", "causes.0")
    assert found is not None
    assert found.exact
    assert (found.field, found.source) == ("causes.0", name)
    assert read.text[found.start : found.end] == found.quote


def test_of_a_folder_the_texts_named_after_the_disease_are_taken(tmp_path: Path):
    (tmp_path / "sub").mkdir()
    for name in ("gout.txt", "sub/Acute_gout.md", "arthritis.txt", "gout.png"):
        (tmp_path / name).write_text("It hurts.")
    names = [one.name for one in read_sources(tmp_path, "Gout")]
    assert names == ["gout.txt", "sub/Acute_gout.md"]
    with pytest.raises(UserError, match=r"none of the 3 texts in .* is named after 'Scurvy'"):
        read_sources(tmp_path, "Scurvy")


@pytest.mark.parametrize(
    ("name", "written", "says"),
    [
        ("a.txt", b"", "holds no text"),
        ("a.html", b"<html><script>x</script></html>", "holds no text"),
        (
            "a.txt",
            b"caf\xe9 is not UTF-8",
            r"cannot be read \('utf-8' codec can't decode byte 0xe9 in position 3",
        ),
        ("a.md", b"a\0b", "is not text"),
        ("a.txt", b"a\x1bb", "is not text"),
        ("a.html", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR gout", "is not text"),
        ("a.html", b"<div>" * 100_000 + b"gout", "cannot be read"),
        ("a.pdf", b"%PDF", "neither HTML, Markdown nor plain text"),
        ("a.txt", b"gout " * (MOST // 5 + 1), "give only those of gout"),
    ],
)
def test_what_cannot_be_read_is_said(name: str, written: bytes, says: str, tmp_path: Path):
    (tmp_path / name).write_bytes(written)
    with pytest.raises(UserError, match=says):
        read_sources(tmp_path / name, "gout")


@pytest.mark.parametrize(
    ("page", "lines"),
    [
        ("<html><head><title>T</title><meta name=x><body><p>Gout hurts.", ["Gout hurts."]),
        ("<nav>Home</nav><p>Gout.</p><footer>Imprint</footer>", ["Gout."]),
        ("<script>w('<script src=x><\\/script>')</script><p>Gout.<!-- <script> -->", ["Gout."]),
        ("<p>Count 15 x 10<sup>9</sup>/L", ["Count 15 x 10^9/L"]),
        ("<p>Count <b>10</b><sup><a href='/wiki/9'>9</a></sup>/L", ["Count 10^9/L"]),
        ("<p>from 10<sup>−9</sup> g, 5 min<sup>-1</sup>", ["from 10^-9 g, 5 min^-1"]),
        ("<p>aged 40<sup>12</sup> and", ["aged 40^12 and"]),
        ("<p>aged 10<sup><a href='#r12'>12</a></sup> and", ["aged 10 and"]),
        ("<p>aged 10<a href='#r12'><sup>12</sup></a> and", ["aged 10 and"]),
        ("<p>aged 10<sup class='reference x'>12</sup> and", ["aged 10 and"]),
        ("<p>of women.<sup>3,4–6</sup> Or 7<sup>[2]</sup>", ["of women.^3,4-6 Or 7"]),
        (
            "<p>28 kg/m<sup>2</sup>, Ca<sup>2+</sup>, <sup>131</sup>I",
            ["28 kg/m^2, Ca^2+, ^131I"],
        ),
    ],
)
def test_a_page_loses_nothing_and_no_number_is_made_up(page: str, lines: list[str], tmp_path: Path):
    (tmp_path / "a.html").write_text(page, encoding="utf-8")
    (read,) = read_sources(tmp_path / "a.html", "gout")
    assert read.text.splitlines() == lines


def test_an_absent_or_empty_source_is_said(tmp_path: Path):
    with pytest.raises(UserError, match="there is no source"):
        read_sources(tmp_path / "none.html", "gout")
    with pytest.raises(UserError, match="none of the 0 texts"):
        read_sources(tmp_path, "gout")


@pytest.mark.parametrize(
    ("quote", "exact"),
    [
        ("About 90 % of patients", True),
        ("ABOUT 90 %\nof  patients", True),
        ("eases after some minutes—of walking", False),
        ("the pain easse after some minutes of walking", False),
    ],
)
def test_a_quotation_may_differ_in_letters_that_do_not_matter(quote: str, exact: bool):
    (read,) = read_sources(ARTICLE, FOOT)
    found = read.find(quote, "f")
    assert found is not None
    assert found.exact is exact


@pytest.mark.parametrize(
    "quote",
    [
        "",
        "pai",
        "stiff",
        "flat-footed",
        "the",
        "Nine of ten patients have a heel spur",
        "x" * 300_000,
    ],
)
def test_an_invented_or_too_short_quotation_is_not_found(quote: str):
    (read,) = read_sources(ARTICLE, FOOT)
    assert read.find(quote, "f") is None


@pytest.mark.parametrize("quote", ["Obesity", "flat feet", "OBESITY", "knee", "pain"])
def test_a_short_quotation_is_found_as_whole_words(quote: str):
    (read,) = read_sources(ARTICLE, FOOT)
    found = read.find(quote, "f")
    assert found is not None
    assert found.exact
    assert found.quote.lower() == quote.lower()


def test_a_quotation_ends_with_the_word_it_ends_in():
    found = source("It is met between 40 and 60 years").find("is met between 4", "f")
    assert found is not None
    assert found.quote == "is met between 40"


def test_the_source_that_has_it_to_the_letter_is_named():
    sources = [source("the pain eases after sone minutes", "a"), source("pain eases after some")]
    found = find_quote(sources, "pain eases after some", "f")
    assert found is not None
    assert found.source == "x.txt"


@given(st.text(min_size=1, max_size=60), st.text(max_size=40), st.text(max_size=40))
def test_whatever_stands_in_a_text_is_found_in_it(quote: str, before: str, after: str):
    read = source(before + quote + after)
    found = read.find(quote, "f")
    if found is not None:
        assert read.text[found.start : found.end] == found.quote
    if len(quote.strip()) >= SHORTEST and quote.isascii() and quote.isprintable():
        assert found is not None
