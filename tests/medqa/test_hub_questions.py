"""Questions from the hub: a small one on loopback, and hubs that cannot be reached."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from commands import Ended, inside, script
from invented import original
from small_hub import COMMIT, SmallHub

pytest.importorskip("datasets")

REPO = "Invented/MedQA-Small-4-options"
PLACE = f"hub:{REPO}@{COMMIT}"
OTHER = f"hub:{REPO}@{'1' * 40}"
ALLOWED = 10.0
"""Seconds in which an unreachable hub is to be reported; starting Python comes on top."""


@pytest.fixture
def hub() -> Iterator[SmallHub]:
    lines = "".join(json.dumps(original(at)) + "\n" for at in range(3))
    made = SmallHub(REPO, {"test.jsonl": lines.encode(), "train.jsonl": lines.encode()}).start()
    yield made
    made.stop()


def show(endpoint: str, home: Path, place: str = PLACE) -> Ended:
    return script(
        "medqa", "show", "--medqa", place, HF_HUB_OFFLINE="0", HF_DATASETS_OFFLINE="0",
        HF_HOME=str(home), HF_DATASETS_CACHE=str(home / "datasets"), HF_ENDPOINT=endpoint,
        NO_PROXY="*",
    )  # fmt: skip


@pytest.mark.slow
def test_a_commit_is_read_and_then_kept(
    hub: SmallHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    beside = tmp_path / REPO / "test.jsonl"  # a folder of the same name is not the dataset
    beside.parent.mkdir(parents=True)
    beside.write_text(json.dumps(original(7)) + "\n")
    monkeypatch.chdir(tmp_path)
    first = show(hub.url, tmp_path)
    assert first.code == 0, first
    assert f"source: {PLACE}\n" in first.out
    assert "3 questions, 4 options each" in first.out
    assert first.err.startswith(f"warning: {PLACE}: not the audited"), "and no bar of a library"
    assert show("http://127.0.0.1:9", tmp_path).out == first.out
    assert f"the cache has {COMMIT} alone" in show(hub.url, tmp_path, OTHER).error


@pytest.fixture
def silent() -> Iterator[str]:
    """A server that takes every connection and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def told(endpoint: str, home: Path) -> str:
    """What is said of a hub that cannot be read, in time."""
    start = time.monotonic()
    ended = show(endpoint, home)
    took = time.monotonic() - start
    said = ended.error
    assert took < ALLOWED + 5
    assert ended.err == f"pzbench: {said}\n", "and nothing else, whatever libraries say"
    assert "give a local file instead (--medqa PATH)" in said
    return said


@pytest.mark.slow
def test_a_silent_hub_is_reported_in_time(silent: str, tmp_path: Path):
    assert "the hub cannot be reached: timed out" in told(silent, tmp_path)


def test_a_hub_that_is_not_there_is_reported_at_once(tmp_path: Path):
    assert "the hub cannot be reached: [Errno" in told("http://127.0.0.1:9", tmp_path)


class OddHub(SmallHub):
    """Does with each request what it is told to."""

    def __init__(self, does: Callable[[BaseHTTPRequestHandler], None]) -> None:
        super().__init__(REPO, {})
        self.does = does

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        self.does(request)


def sends(status: int, **headers: str) -> Callable[..., None]:
    def does(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()

    return does


@pytest.mark.parametrize(
    ("does", "says"),
    [
        (sends(503), "the hub answers 503 Service Unavailable"),
        (sends(401, X_Error_Code="RepoNotFound"), "doesn't exist on the Hub or cannot be accessed"),
    ],
    ids=["down", "private"],
)
def test_a_hub_that_does_not_give_the_dataset_is_asked_once(
    does: Callable[..., None], says: str, tmp_path: Path
):
    hub = OddHub(does).start()
    try:
        assert says in told(hub.url, tmp_path)
        assert len(hub.asked) == len(set(hub.asked)), "nothing is tried again"
    finally:
        hub.stop()


@pytest.mark.parametrize("place", [f"hub:{REPO}", "hub:@main", "hub:a/b@", "hub:a b/c@main"])
def test_a_place_without_a_revision_is_refused(place: str):
    error = inside("medqa", "show", "--medqa", place).error
    assert "write hub:OWNER/NAME@REVISION" in error


def test_an_address_with_a_password_is_refused_without_showing_it():
    said = inside("medqa", "show", "--medqa", PLACE, HF_ENDPOINT="http://bob:hunter2@hub").error
    assert said.startswith("HF_ENDPOINT holds a user name or password")
    assert "hunter2" not in said
