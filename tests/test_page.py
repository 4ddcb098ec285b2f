"""The page, as a browser shows it."""

import os
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from bench.page import Chart, Point, html_page
from bench.tables import Grid

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
    [Grid(f"Scores {EVIL} (stand-in)", ("Metric", EVIL), (("bleu", f"0.5\n{EVIL}"),), (EVIL,))],
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
