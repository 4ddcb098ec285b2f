"""Questions from the hub: a small one on loopback, and hubs that cannot be reached."""

import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import Ended, script
from invented import original
from small_hub import COMMIT, SmallHub

REPO = "Invented/MedQA-Small-4-options"
ALLOWED = 10.0
"""Seconds in which an unreachable hub is to be reported (the issue)."""


@pytest.fixture
def hub() -> Iterator[SmallHub]:
    lines = "".join(json.dumps(original(at)) + "\n" for at in range(3))
    made = SmallHub(REPO, {"test.jsonl": lines.encode(), "train.jsonl": lines.encode()}).start()
    yield made
    made.stop()


def show(endpoint: str, home: Path, place: str = f"hub:{REPO}@{COMMIT}", **more: str) -> Ended:
    cache = str(home / "datasets")
    online = {"HF_HUB_OFFLINE": "0", "HF_DATASETS_OFFLINE": "0", "HF_DATASETS_CACHE": cache}
    variables: dict[str, Any] = {
        **online,
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "NO_PROXY": "*",
        **more,
    }
    return script("medqa", "show", "--medqa", place, **variables)


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


def test_a_hub_without_an_address_is_reported_in_time(tmp_path: Path):
    timed("http://no-such-hub.invalid", tmp_path)


def test_an_offline_setting_is_named_and_kept(hub: SmallHub, tmp_path: Path):
    said = show(hub.url, tmp_path, HF_HUB_OFFLINE="1").error
    assert "HF_HUB_OFFLINE being set" in said
    assert not hub.asked


@pytest.mark.parametrize("place", [f"hub:{REPO}", "hub:@main", "hub:a/b@", "hub:a b/c@main"])
def test_a_place_without_a_revision_is_refused(place: str, tmp_path: Path):
    assert "write hub:OWNER/NAME@REVISION" in show("http://127.0.0.1:1", tmp_path, place).error
