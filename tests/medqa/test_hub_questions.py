"""Questions from the hub: a small one on loopback, and hubs that cannot be reached."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from commands import Ended, inside, script
from invented import original
from small_hub import COMMIT, SmallHub

from bench.medqa import hub as hub_module
from bench.medqa import preflight as knocking

REPO = "Invented/MedQA-Small-4-options"
ALLOWED = 10.0
"""Seconds in which an unreachable hub is to be reported (the issue)."""


@pytest.fixture
def hub() -> Iterator[SmallHub]:
    lines = "".join(json.dumps(original(at)) + "\n" for at in range(3))
    made = SmallHub(REPO, {"test.jsonl": lines.encode(), "train.jsonl": lines.encode()}).start()
    yield made
    made.stop()


def show(
    endpoint: str,
    home: Path,
    place: str = f"hub:{REPO}@{COMMIT}",
    run: Callable[..., Ended] = script,
    **more: str,
) -> Ended:
    cache = str(home / "datasets")
    online = {"HF_HUB_OFFLINE": "0", "HF_DATASETS_OFFLINE": "0", "HF_DATASETS_CACHE": cache}
    variables: dict[str, Any] = {
        **online,
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "NO_PROXY": "*",
        **more,
    }
    return run("medqa", "show", "--medqa", place, **variables)


@pytest.mark.slow
def test_a_revision_is_read_and_then_kept(hub: SmallHub, tmp_path: Path):
    pytest.importorskip("datasets")
    first = show(hub.url, tmp_path)
    assert first.code == 0, first
    assert f"source: hub:{REPO}@{COMMIT}" in first.out
    assert "3 questions, 4 options each" in first.out
    asked = len(hub.asked)
    again = show(hub.url, tmp_path)
    assert again.out == first.out
    assert len(hub.asked) == asked, "what is in the cache is asked of nobody"
    offline = show(hub.url, tmp_path, HF_HUB_OFFLINE="1")
    assert offline.out == first.out
    other = show(hub.url, tmp_path, f"hub:{REPO}@{'1' * 40}")
    assert f"has no dataset {REPO} at 111" in other.error


def test_a_hub_without_the_dataset_is_named(hub: SmallHub, tmp_path: Path):
    assert "has no dataset No/Such" in show(hub.url, tmp_path, f"hub:No/Such@{COMMIT}").error


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def refusing() -> str:
    """An address where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    return f"http://127.0.0.1:{port}"


def timed(endpoint: str, home: Path) -> str:
    start = time.monotonic()
    said = show(endpoint, home).error
    assert time.monotonic() - start < ALLOWED
    assert f"the hub {endpoint} cannot be reached" in said
    assert "give a local file instead" in said
    return said


def test_a_silent_hub_is_reported_in_time(silent: str, tmp_path: Path):
    timed(silent, tmp_path)


def test_a_refusing_hub_is_reported_in_time(refusing: str, tmp_path: Path):
    assert "refused" in timed(refusing, tmp_path)


def test_an_address_with_a_password_is_refused_without_showing_it(tmp_path: Path):
    said = show("http://bob:hunter2@127.0.0.1:9", tmp_path).error
    assert said.startswith("HF_ENDPOINT holds a user name or password")
    assert "hunter2" not in said


def test_a_hub_without_an_address_is_reported_in_time(tmp_path: Path):
    timed("http://no-such-hub.invalid", tmp_path)


class OddHub(SmallHub):
    """Does with each request what it is told to."""

    def __init__(self, does: Callable[[BaseHTTPRequestHandler], None]) -> None:
        super().__init__(REPO, {})
        self.does = does

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(f"{request.command} {request.path} {request.headers['Authorization']}")
        self.does(request)


def sends(status: int, body: bytes = b"{}", **headers: str) -> Callable[..., None]:
    def does(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return does


def trickles(request: BaseHTTPRequestHandler) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    for _ in range(40):
        request.wfile.write(b" ")
        time.sleep(0.1)


def told(
    does: Callable[[BaseHTTPRequestHandler], None], home: Path, **more: str
) -> tuple[str, list[str]]:
    """What is said of a hub that does so, and what it was asked; in this process, for speed."""
    hub = OddHub(does).start()
    try:
        start = time.monotonic()
        done = show(hub.url, home, run=inside, **more)
        assert time.monotonic() - start < ALLOWED
        said = done.error
        assert done.err == f"pzbench: {said}\n", "and nothing else, whatever libraries say"
        assert "give a local file instead (--medqa PATH)" in said
        return said.replace(hub.url, "HUB"), hub.asked
    finally:
        hub.stop()


@pytest.mark.parametrize(
    ("does", "says"),
    [
        (sends(500), "HUB cannot be reached (it answers 500 Internal Server Error)"),
        (sends(503, b"<html>"), "HUB cannot be reached (it answers 503 Service Unavailable)"),
        (sends(429), "HUB cannot be reached (it answers 429 Too Many Requests)"),
        (sends(200, b"<html>Sign in</html>", Content_Type="text/html"),
         "HUB cannot be reached (what answers is no hub, but sends text/html)"),
        (sends(302, Location="/again"), "HUB cannot be reached (it redirects without end)"),
        (sends(404), f"HUB has no dataset {REPO} at {COMMIT}"),
        (sends(401), f"HUB does not show {REPO} (it answers 401 Unauthorized): it is misspelt, "
         "private or gated; log in with `hf auth login` if you may read it, or"),
        (sends(403), f"HUB does not show {REPO} (it answers 403 Forbidden): it is misspelt"),
    ],
)  # fmt: skip
def test_a_hub_that_does_not_answer_as_one_is_reported_at_once(
    does: Callable[..., None], says: str, tmp_path: Path
):
    said, asked = told(does, tmp_path)
    assert said.startswith(f"the hub {says}")
    assert len(asked) < 20
    assert len({one.split()[1] for one in asked}) <= 2, "nothing more is tried"


def test_an_answer_without_end_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(knocking, "PATIENCE", 0.5)
    said, _ = told(trickles, tmp_path)
    assert "cannot be reached (no answer in 0.5 s)" in said


def test_the_hub_is_asked_with_the_token_of_the_user_alone(tmp_path: Path):
    pytest.importorskip("huggingface_hub")
    elsewhere = OddHub(sends(200, b"<html>")).start()
    try:
        _, asked = told(sends(302, Location=elsewhere.url), tmp_path, HF_TOKEN="hf_invented")
        assert [one.rpartition(" ")[2] for one in asked] == ["hf_invented"]
        assert [one.rpartition(" ")[2] for one in elsewhere.asked] == ["None"], "not handed on"
    finally:
        elsewhere.stop()


@pytest.mark.slow
def test_a_download_ends_with_the_process_that_began_it(silent: str):
    pytest.importorskip("datasets")
    child = subprocess.Popen(
        [sys.executable, "-P", str(hub_module.DOWNLOAD), REPO, COMMIT, "test"],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={
            **os.environ,
            "HF_ENDPOINT": silent,
            "HF_HUB_OFFLINE": "0",
            "HF_DATASETS_OFFLINE": "0",
        },
    )
    assert child.stdin is not None
    with pytest.raises(subprocess.TimeoutExpired):
        child.wait(5)
    child.stdin.close()  # as the system does for a process that was killed
    assert child.wait(30) == 1


@pytest.mark.slow
def test_a_hub_that_falls_silent_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pytest.importorskip("datasets")
    monkeypatch.setattr(hub_module, "SILENCE", 4.0)
    ended = threading.Event()

    def does(request: BaseHTTPRequestHandler) -> None:
        if request.headers["User-Agent"] == "patient-zero-bench":
            sends(200)(request)
        else:
            ended.wait(60)

    try:
        said, _ = told(does, tmp_path)
    finally:
        ended.set()
    assert said.startswith(f"the hub answered, then sent nothing of hub:{REPO}@{COMMIT} for 4 s")


@pytest.mark.slow
def test_a_hub_that_fails_later_is_reported(tmp_path: Path):
    pytest.importorskip("datasets")

    def does(request: BaseHTTPRequestHandler) -> None:
        mine = request.headers["User-Agent"] == "patient-zero-bench"
        sends(200 if mine else 404)(request)

    said, asked = told(does, tmp_path)
    assert said.startswith(f"hub:{REPO}@{COMMIT} cannot be loaded, though the hub answers (")
    assert "data file at" not in said, "no local folder was meant"
    assert len(asked) > 1


@pytest.mark.slow
def test_a_folder_of_the_same_name_is_not_taken_for_the_dataset(
    hub: SmallHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("datasets")
    monkeypatch.chdir(tmp_path)
    beside = tmp_path / REPO / "test.jsonl"
    beside.parent.mkdir(parents=True)
    beside.write_text(json.dumps(original(7)) + "\n")
    done = show(hub.url, Path("home"), run=inside)
    assert "3 questions, 4 options each" in done.out, done
    assert (tmp_path / "home" / "datasets").is_dir(), "the cache is where the user sees it"
    (arrow,) = (tmp_path / "home").rglob("*-test.arrow")
    arrow.write_bytes(b"broken")
    said = show(hub.url, Path("home"), run=inside).error
    assert f"the copy of hub:{REPO}@{COMMIT} in the cache cannot be read" in said
    assert "delete home/datasets" in said


def test_an_offline_setting_is_named_and_kept(hub: SmallHub, tmp_path: Path):
    said = show(hub.url, tmp_path, HF_HUB_OFFLINE="1").error
    assert "HF_HUB_OFFLINE being set" in said
    assert not hub.asked


@pytest.mark.parametrize("place", [f"hub:{REPO}", "hub:@main", "hub:a/b@", "hub:a b/c@main"])
def test_a_place_without_a_revision_is_refused(place: str, tmp_path: Path):
    assert "write hub:OWNER/NAME@REVISION" in show("http://127.0.0.1:1", tmp_path, place).error
