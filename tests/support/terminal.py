"""The real `pzbench` in a terminal of its own, for what only a person at one can do."""

import os
import pty
import signal
import subprocess
import threading
import time
from collections.abc import Callable

from commands import SCRIPT, environment

SECONDS = 120.0
"""What is waited for and does not come in this time never comes."""


class Terminal:
    """A running command with a pseudo-terminal for its eyes and hands."""

    def __init__(self, *arguments: object, **variables: str) -> None:
        ours, theirs = pty.openpty()
        self._ours = ours
        self._process = subprocess.Popen(
            [str(SCRIPT), *map(str, arguments)],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            env=environment(TERM="dumb", **variables),
            start_new_session=True,
        )
        os.close(theirs)
        self.seen = ""
        """Everything on the screen so far."""
        self._from = 0
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        try:
            while part := os.read(self._ours, 4096):
                self.seen += part.decode(errors="replace").replace("\r\n", "\n")
        except OSError:  # the other end is closed
            pass

    def until(self, done: Callable[[], bool]) -> None:
        """Wait for something."""
        end = time.monotonic() + SECONDS
        while not done():
            if time.monotonic() > end:
                raise AssertionError(f"it did not happen; on the screen: {self.seen!r}")
            time.sleep(0.01)

    def expect(self, text: str) -> None:
        """Wait until a text appears behind what was expected before."""
        self.until(lambda: text in self.seen[self._from :])
        self._from = self.seen.index(text, self._from) + len(text)

    def type(self, line: str) -> None:
        os.write(self._ours, f"{line}\n".encode())

    def interrupt(self) -> None:
        """Ctrl-C."""
        self._process.send_signal(signal.SIGINT)

    def end(self) -> None:
        """Ctrl-D on an empty line."""
        os.write(self._ours, b"\x04")

    def code(self) -> int:
        """The exit code, once there is one."""
        return self._process.wait(SECONDS)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._reader.join(SECONDS)
        os.close(self._ours)
