"""The real `pzbench`, in a process of its own or, where isolation is not needed, in this one."""

import contextlib
import io
import os
import signal
import sqlite3
import subprocess
import sys
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

SCRIPT = Path(sys.executable).with_name("pzbench")
SECONDS = 240
"""A command that takes longer hangs."""
TABLE_FILES = ("table3.csv", "table3.md", "rows.csv")
"""In the folder of tables of a run whose experiment is the small one."""
KEY = "sk-very-secret-0123456789"


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one sentence of a command that met bad input: exit 2, one line, no traceback."""
        said = [line for line in self.err.splitlines() if line.startswith("pzbench: ")]
        assert self.code == 2, self
        assert "Traceback" not in self.out + self.err, self
        assert len(said) == 1, self
        assert self.err.endswith(said[0] + "\n"), self
        return said[0].removeprefix("pzbench: ")


def environment(**variables: str) -> dict[str, str]:
    """Our environment without what names a model's server or key, and the variables given.

    A PYTHONPATH that is given comes before ours.
    """
    kept = {name: value for name, value in os.environ.items() if "OPENAI" not in name}
    if "PYTHONPATH" in variables and "PYTHONPATH" in kept:
        variables["PYTHONPATH"] += os.pathsep + kept["PYTHONPATH"]
    return kept | variables


def script(
    *arguments: object, cwd: Path | None = None, answers: bytes = b"", **variables: str
) -> Ended:
    """The installed console script; `answers` are piped in."""
    done = subprocess.run(
        [str(SCRIPT), *map(str, arguments)],
        capture_output=True,
        check=False,
        timeout=SECONDS,
        cwd=cwd,
        env=environment(**variables),
        input=answers,
    )
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


def started(*arguments: object, **variables: str) -> subprocess.Popen[bytes]:
    """The installed console script, still running and mute; for whoever means to kill it."""
    return subprocess.Popen(
        [str(SCRIPT), *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(**variables),
    )


def python(code: str, *arguments: object, cwd: Path | None = None) -> Ended:
    """Some lines of Python in a process of its own, where the tests' support can be imported."""
    paths = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        check=False,
        timeout=SECONDS,
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        text=True,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def inside(*arguments: object, answers: Sequence[str] = (), **variables: str) -> Ended:
    """The console script's own function in this process: the same code, no start-up.

    `answers` are the lines piped in.
    """
    from bench.cli.main import main

    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
    ):
        patch.setattr(sys, "argv", ["pzbench", *map(str, arguments)])
        patch.setattr(sys, "stdin", io.StringIO("".join(f"{line}\n" for line in answers)))
        for name in os.environ.keys() - environment().keys():
            patch.delenv(name)
        for name, value in variables.items():
            patch.setenv(name, value)
        terminated = signal.getsignal(signal.SIGTERM)
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        finally:
            signal.signal(signal.SIGTERM, terminated)
    return Ended(code, out.getvalue(), err.getvalue())


def experiment(path: Path, **settings: Any) -> Path:
    """A small offline experiment in a file, settings changed as given; its path.

    Settings of `generate` may stand at the top.
    """
    generate = {"cases_per_department": 2, "methods": ["direct", "multi-step"]}
    generate |= {name: settings.pop(name) for name in generate.keys() & settings.keys()}
    plain: dict[str, Any] = {
        "name": "small",
        "seed": 3,
        "departments": ["Urology", "Psychiatry"],
        "generate": generate,
        "roles": {"generator": "rules", "judge": "rules"},
        "metrics": ["accuracy", "bleu", "rouge-l"],
        "tables": ["table3", "rows"],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(plain | settings, sort_keys=False), encoding="utf-8")
    return path


def tables(run: Path) -> dict[str, bytes]:
    """The bytes of a run's table files."""
    return {name: (run / "tables" / name).read_bytes() for name in TABLE_FILES}


def whole_text(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Name and bytes of everything in a run folder, the journal's bodies decompressed too."""
    for path in sorted(one for one in folder.rglob("*") if one.is_file()):
        yield str(path), path.read_bytes()
        if path.suffix == ".sqlite":
            with contextlib.closing(sqlite3.connect(path)) as journal:
                for request, body in journal.execute("select request, body from entries"):
                    yield f"{path}: a request", zlib.decompress(request)
                    yield f"{path}: a body", zlib.decompress(body)
