"""The page, as a browser shows it."""

import os
import re
import shutil
import subprocess
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bench.api.table import Grid
from bench.report.page import Chart, Point, html_page
from bench.report.pivot import STAND_IN

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
)
EVIL = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script>"
PAGE = html_page(
    f"A run {EVIL}",
    [
        Grid(
            f"Scores \u202e{EVIL} (stand-in)",
            ("Metric", EVIL),
            (("bleu", f"0.5\n{EVIL}"),),
            (EVIL,),
        )
    ],
    [
        Chart(EVIL, (Point(EVIL, 0.5, 0.4, 0.6, 0.55), Point("flat", 0.5))),
        Chart("one value", (Point("a", 0.0),)),
        Chart("nothing", ()),
    ],
)


def test_foreign_text_is_escaped():
    assert EVIL not in PAGE
    assert "<img" not in PAGE
    assert "<script" not in PAGE
    assert "&lt;script&gt;" in PAGE
    assert "\u202e" not in PAGE


def test_the_page_asks_for_nothing():
    found: list[str | None] = []

    class Links(HTMLParser):
        def handle_starttag(self, tag, attrs):
            found.extend(value for name, value in attrs if name in ("src", "href", "srcset"))

    Links().feed(PAGE)
    assert found == ["data:,"]
    assert "url(" not in PAGE


def test_a_chart_ends_where_its_data_end():
    chart = Chart("x", (Point("a", 98.2, 96.9, 100.0, 99.0), Point("b", 97.0)))
    assert chart.ends == (96.9, 100.0)
    places = [chart.place(value) for value in (96.9, 97.0, 98.2, 99.0, 100.0)]
    assert places == sorted(places)
    assert (places[0], places[-1]) == (0, 360)
    assert Chart("x", (Point("a", 100.0), Point("b", 100.0))).place(100.0) == 180


def test_a_long_label_is_pressed_into_its_place():
    long = "openai/gpt-4o-2024-08-06 patient-zero, regenerated until plausible, 20 (3 missing)"
    page = html_page("x", [], [Chart("c", (Point(long, 1.0), Point("short", 2.0)))])
    assert re.findall(r"<text[^>]* textLength[^>]*>([^<]*)</text>", page) == [long]


CROSSED = """
const box = (one) => one.getBoundingClientRect();
const beside = (a, b) => a.right <= b.left || b.right <= a.left;
const apart = (a, b) => beside(a, b) || a.bottom <= b.top || b.bottom <= a.top;
let crossed = 0;
for (const svg of document.querySelectorAll("svg"))
  for (const text of svg.querySelectorAll("text:not(.soft)"))
    for (const mark of svg.querySelectorAll("circle, path, line"))
      crossed += !apart(box(text), box(mark));
const sideways = document.documentElement.scrollWidth - document.documentElement.clientWidth;
document.body.dataset.found = `crossed ${crossed}, sideways ${sideways}`;
"""
SEEN = """
const seen = [...document.querySelectorAll("td")].filter((cell) => {
  const { right, bottom } = cell.getBoundingClientRect();
  return right <= innerWidth && bottom <= innerHeight;
});
document.body.dataset.found = seen.map((cell) => cell.textContent).join();
"""


def dumped(path: Path) -> str:
    """The document as Chromium has it in the end."""
    if BROWSER is None and "CI" not in os.environ:
        pytest.skip("no Chromium is installed on this machine")
    assert BROWSER is not None, "CI must have Chromium"
    command = [BROWSER, *FLAGS, f"--user-data-dir={path.with_name('profile')}", "--dump-dom"]
    command += ["--virtual-time-budget=5000", path.as_uri()]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def found(path: Path, page: str, width: int, script: str) -> str:
    """What a script finds in a page that is so wide, and 844 high; it is no part of the page."""
    page = re.sub(r"<meta http-equiv[^>]*>", "", page)
    page = page.replace("</body>", f"<script>{script}</script></body>")
    told = "document.title = this.contentDocument.body.dataset.found"
    # A window cannot be as narrow as a frame.
    frame = f"<iframe onload='{told}' width={width} height=844 srcdoc=\"{escape(page)}\"></iframe>"
    path.write_text(frame, encoding="utf-8")
    return dumped(path).partition("<title>")[2].partition("</title>")[0]


@pytest.mark.parametrize("width", [320, 1200])
def test_labels_stand_clear_of_marks_and_nothing_scrolls_sideways(tmp_path: Path, width: int):
    label = "openai/gpt-4o-2024-08-06 patient-zero-with-plausibility, 20"
    chart = Chart("c", (Point(label, 0.0, 0.0, 30.0, 5.0), Point("a", 50.0, 10.0, 90.0)))
    page = html_page("x", [Grid("t", ("a",) * 40, (("1",) * 40,))], [chart, chart])
    assert found(tmp_path / "x.html", page, width, CROSSED) == "crossed 0, sideways 0"


def test_a_phone_shows_figures_on_its_first_screen(tmp_path: Path):
    heads = ("Backbone", "Dialogues", "Metric", "JSON", "plain text", "atomic facts")
    row = ("openai/gpt-4o-2024-08-06", "single, with update", "dialogue consistency % ↑")
    figures = ("98.08\n[96.9, 99.1]\npaper: 98.32†", "98.21", "97.44")
    page = html_page("table4", [Grid(f"Table 4 ({STAND_IN})", heads, ((*row, *figures),) * 9)], [])
    assert ",".join(figures) in found(tmp_path / "x.html", page, 390, SEEN)


def test_a_browser_shows_the_tables_and_runs_nothing(tmp_path: Path):
    path = tmp_path / "page.html"
    path.write_text(PAGE, encoding="utf-8")
    dom = dumped(path)
    assert ">bleu</td>" in dom
    assert "<title>run</title>" not in dom
    assert not re.search(r"<(script|img)\b", dom)
    assert dom.count("<figure>") == 2
    assert dom.count("<circle") == 3
