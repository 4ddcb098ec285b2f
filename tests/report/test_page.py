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
from bench.report.page import LETTERS, Chart, Point, html_page

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


def test_a_chart_keeps_its_points_on_the_axis():
    chart = Chart("x", (Point("a", 0.2, 0.1, 0.3, 0.9), Point("b", 0.5)))
    places = [chart.place(value) for value in (0.1, 0.2, 0.3, 0.5, 0.9)]
    assert places == sorted(places)
    assert places[0] > 0
    assert places[-1] < 360


def test_a_long_label_keeps_both_ends_and_is_told_whole():
    long = "openai/gpt-4o-2024-08-06 patient-zero, regenerated until plausible, 20 (3 missing)"
    page = html_page("x", [], [Chart("c", (Point(long, 1.0), Point("short", 2.0)))])
    (shown,) = re.findall(r"<text[^>]*>([^<]*)<title>", page)
    assert len(shown) <= LETTERS
    assert shown.startswith("openai/gpt-4o-2024-08-06")
    assert shown.endswith("20 (3 missing)")
    assert f"<title>{long}</title></text>" in page
    assert ">short</text>" in page


MEASURE = """
<script>
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
</script>
"""


@pytest.mark.skipif(
    BROWSER is None and "CI" not in os.environ, reason="no Chromium is installed on this machine"
)
@pytest.mark.parametrize("width", [320, 1200])
def test_labels_stand_clear_of_marks_and_nothing_scrolls_sideways(tmp_path: Path, width: int):
    assert BROWSER is not None, "CI must have Chromium"
    label = "openai/gpt-4o-2024-08-06 patient-zero-with-plausibility, 20"
    chart = Chart("c", (Point(label, 0.0, 0.0, 30.0, 5.0), Point("a", 50.0, 10.0, 90.0)))
    page = html_page("x", [Grid("t", ("a",) * 40, (("1",) * 40,))], [chart, chart])
    # A window cannot be as narrow as a frame. What measures is no part of the page.
    page = re.sub(r"<meta http-equiv[^>]*>", "", page).replace("</body>", f"{MEASURE}</body>")
    path = tmp_path / "frame.html"
    frame = f'<iframe width="{width}" height="900" srcdoc="{escape(page)}"></iframe>'
    told = "document.title = this.contentDocument.body.dataset.found"
    path.write_text(frame.replace("<iframe", f"<iframe onload='{told}'"), encoding="utf-8")
    command = [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    done = subprocess.run(
        [*command, "--virtual-time-budget=5000", path.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert "<title>crossed 0, sideways 0</title>" in done.stdout


@pytest.mark.skipif(
    BROWSER is None and "CI" not in os.environ, reason="no Chromium is installed on this machine"
)
def test_a_browser_shows_the_tables_and_runs_nothing(tmp_path: Path):
    assert BROWSER is not None, "CI must have Chromium"
    path = tmp_path / "page.html"
    path.write_text(PAGE, encoding="utf-8")
    command = [BROWSER, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom"]
    done = subprocess.run(
        [*command, path.as_uri()], capture_output=True, text=True, check=True, timeout=60
    )
    dom = done.stdout
    assert "<td>bleu</td>" in dom
    assert "<title>run</title>" not in dom
    assert not re.search(r"<(script|img)\b", dom)
    assert dom.count("<figure>") == 2
    assert dom.count("<circle") == 3
