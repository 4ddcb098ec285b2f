"""The server in a process of its own, and the killing of who asks it."""

import json
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from commands import environment
from openai_server import __file__ as openai_server_module

LATENCY = 0.06
PATIENCE = 120


@contextmanager
def serving(latency: float = LATENCY) -> Iterator[str]:
    """The server in a process of its own; its address."""
    server = subprocess.Popen(
        [sys.executable, openai_server_module, "--latency", str(latency), "--life", "280"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        assert server.stdout is not None
        yield f"http://127.0.0.1:{server.stdout.readline().strip()}"
    finally:
        server.kill()
        server.wait()
        if server.stdout is not None:
            server.stdout.close()


def stats(server: str) -> dict[str, Any]:
    with urllib.request.urlopen(f"{server}/stats", timeout=10) as answer:
        found: dict[str, Any] = json.load(answer)
    return found


def until(
    condition: Callable[[], bool], process: subprocess.Popen[bytes], patience: float = PATIENCE
) -> None:
    """Wait for the moment to kill; the process must still be at work then."""
    end = time.monotonic() + patience
    while not condition():
        assert process.poll() is None, "it ended before the moment to kill it"
        assert time.monotonic() < end, "the moment never came"
        time.sleep(0.002)


def kill(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGKILL) -> None:
    """End it; SIGTERM it sees, and says so by its exit code."""
    process.send_signal(number)
    assert process.wait(PATIENCE) == (143 if number is signal.SIGTERM else -number)
