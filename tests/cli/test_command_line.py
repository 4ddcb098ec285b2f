"""What holds for every command: help, what there is to name, and how it ends."""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from commands import SCRIPT, Ended, environment, inside
from pydantic import BaseModel

from bench.agents.styles import styles
from bench.api.adapters import load_stage
from bench.cli.app import app
from bench.core.registry import REGISTRIES, STAGES
from bench.experiments.experiment import Experiment
from bench.knowledge.library import Library


def commands() -> Iterator[tuple[str, ...]]:
    yield ()
    for info in app.registered_commands:
        yield (str(info.name),)
    for group in app.registered_groups:
        yield (str(group.name),)
        assert group.typer_instance is not None
        for info in group.typer_instance.registered_commands:
            yield (str(group.name), str(info.name))


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_help_is_whole_and_has_a_short_option(command: tuple[str, ...]) -> None:
    told = inside(*command, "--help")
    assert (told.code, told.err) == (0, "")
    assert inside(*command, "-h") == told
    listed = told.out.partition("\nCommands:")[2]
    assert "..." not in listed


def test_everything_that_can_be_named_is_listed() -> None:
    out = inside("list").out
    names = {line.split()[0] for line in out.splitlines()}
    plugins = {plugin.name for registry in REGISTRIES.values() for plugin in registry.plugins()}
    assert plugins | {*styles(), "Urology"} <= names
    assert "    timeout: float = 600.0\n" in inside("list", "backbones").out
    assert "Share of records that a judge finds aligned" in inside("list", "metrics").out
    listed = inside("list", "departments").out.splitlines()
    assert [line.rsplit(maxsplit=2)[0] for line in listed] == list(Library().departments)


def test_the_reference_of_experiments_names_every_setting() -> None:
    out = inside("schema", "--experiment").out
    names = {line.split()[0].rstrip(":") for line in out.splitlines() if line.strip()}
    sections = {plugin.name: load_stage(plugin.name).settings for plugin in STAGES.plugins()}
    models: list[type[BaseModel]] = [Experiment, *sections.values()]
    for model in models:
        assert set(model.model_fields) <= names
    assert {*sections, "judge", "scorer", "student", "openai", "bleu", "table4"} <= names
    assert {
        "view",
        "extra_body",
        "temperature",
        "plausibility",
        "path",
    } <= names  # options of plug-ins
    for model in models:
        for field in model.model_fields.values():
            assert " ".join((field.description or "").split()) in out


def test_all_of_stdout_is_json() -> None:
    assert "properties" in json.loads(inside("schema").out)


# How commands end


def in_shell(redirection: str, *arguments: str, **variables: str) -> Ended:
    command = ["sh", "-c", f'exec "$0" "$@" {redirection}', str(SCRIPT), *arguments]
    done = subprocess.run(command, capture_output=True, env=environment(**variables), check=False)
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


def test_a_closed_output_is_one_sentence() -> None:
    assert "standard output is closed" in in_shell(">&-", "list").error
    assert in_shell("2>&- <&-", "list", "styles").code == 0
    ended = in_shell("| head -1", "kb", "list")
    assert (ended.code, ended.err, ended.out.count("\n")) == (0, "", 1)


def test_what_an_encoding_does_not_have_is_spelt_out() -> None:
    ended = in_shell("", "kb", "stats", PYTHONIOENCODING="ascii")
    assert (ended.code, ended.err.count("Traceback")) == (0, 0)
    assert ended.out.isascii()


def test_few_file_handles_are_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(
        "{name: x, departments: [Urology], roles: {generator: rules}, "
        "generate: {cases_per_department: 1, methods: [direct]}}"
    )
    for most in (7, 10, 13):
        done = subprocess.run(
            [SCRIPT, "run", file, "--out", tmp_path / "run"],
            capture_output=True,
            env=environment(),
            check=False,
            preexec_fn=lambda most=most: resource.setrlimit(  # type: ignore[misc]
                resource.RLIMIT_NOFILE, (most, most)
            ),
        )
        ended = Ended(done.returncode, done.stdout.decode(), done.stderr.decode())
        assert ended.error


class Interrupting:
    """Stands in the way of every import, as an early Ctrl-C does."""

    def find_spec(self, *_: Any) -> None:
        raise KeyboardInterrupt


def test_an_early_interrupt_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "bench.cli.app")
    monkeypatch.setattr(sys, "meta_path", [Interrupting(), *sys.meta_path])
    ended = inside("list")
    assert (ended.code, ended.err.count("\n")) == (130, 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_before_anything_is_asked_is_one_sentence(
    number: signal.Signals, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Library, "departments", property(lambda _: os.kill(os.getpid(), number)))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        ended = inside("list", "departments")
    finally:
        signal.signal(signal.SIGINT, before)
    assert (ended.code, ended.err.count("\n")) == (128 + number, 1)
    assert "stopped" in ended.err
