"""`pzbench`: how a command ends.

Exit codes: 0 done; 2 bad input, one sentence says what to do; 3 done, but items failed; 130 stopped
by Ctrl-C, 143 by SIGTERM. Next to nothing is imported before `main` runs, so that Ctrl-C finds it.
"""

import gc
import io
import os
import signal
import sys
from types import FrameType

DEBUG = "--debug"
STOPPED = "stopped; the same command again goes on with a run"


def main() -> None:
    """The console script."""
    # Read here, for it may stand anywhere, and an error may come before any option is parsed.
    debug = DEBUG in sys.argv
    sys.argv = [word for word in sys.argv if word != DEBUG]
    # Thousands of requests are under way at once: the default looks for cycles among them so often
    # that it takes a fifth of the time.
    gc.set_threshold(50_000)
    try:
        signal.signal(signal.SIGTERM, _terminate)
        _check_streams()
        from bench.cli.app import app

        app()
    except KeyboardInterrupt:  # before there was a command
        _end(STOPPED, 130)
    except SystemExit as end:
        if end.code in (130, 143):
            _end(STOPPED, int(end.code))
        raise
    except Exception as error:
        sentence = _sentence(error)
        if sentence is None:
            raise
        if debug:
            sys.excepthook(type(error), error, error.__traceback__)
        _end(sentence, 2)


def _terminate(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _check_streams() -> None:
    """Make sure that there are three, which show what their encoding does not have as "\\u2191".

    Raises:
        OSError: if standard output is closed.
    """
    for name, mode in (("stdin", "r"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))
    if sys.stdout is None:
        raise OSError("standard output is closed: send it to a file, or to /dev/null")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _sentence(error: Exception) -> str | None:
    """What to say of what the user, the system or somebody else's plug-in got wrong."""
    from bench.core.errors import UserError
    from bench.core.registry import fault_of
    from bench.report.text import printable

    if isinstance(error, UserError):
        return printable(str(error))
    if isinstance(error, OSError):
        where = "" if error.filename is None else f"{error.filename}: "
        return printable(where + (error.strerror or str(error)))
    fault = fault_of(error)
    return None if fault is None else printable(fault)


def _end(sentence: str, code: int) -> None:
    sys.stderr.write(f"pzbench: {sentence}\n")
    sys.exit(code)
