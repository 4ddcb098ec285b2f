"""Parsed outlines are kept, and never trusted more than the text they come from."""

from pathlib import Path

import pytest

from bench.core import yaml_lines
from bench.core.errors import UserError
from bench.knowledge.library import FOLDER, Library, read_outline
from bench.knowledge.outline import Outline

OUTLINE = next(iter(sorted(FOLDER.rglob("*.yaml"))))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pzbench" / "outlines"


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were parsed as YAML."""
    paths: list[Path] = []
    parse = yaml_lines.parse_yaml

    def parse_yaml(path: Path, text: str) -> yaml_lines.YamlFile:
        paths.append(path)
        return parse(path, text)

    monkeypatch.setattr("bench.knowledge.library.parse_yaml", parse_yaml)
    return paths


def copied(tmp_path: Path) -> Path:
    path = tmp_path / "outline.yaml"
    path.write_bytes(OUTLINE.read_bytes())
    return path


def test_every_outline_is_parsed_once_and_read_alike(folder: Path, parsed: list[Path]) -> None:
    fresh = list(Library())
    assert len(parsed) == len(fresh) == len(list(folder.iterdir()))
    assert list(Library()) == fresh
    assert len(parsed) == len(fresh)
    assert [one.model_dump_json() for one in Library()] == [one.model_dump_json() for one in fresh]


def test_another_text_is_another_outline(folder: Path, parsed: list[Path], tmp_path: Path) -> None:
    path = copied(tmp_path)
    before = read_outline(path)
    path.write_text(path.read_text().replace(f"name: {before.name}", "name: Another", 1))
    assert read_outline(path).name == "Another"
    assert len(parsed) == 2


@pytest.mark.parametrize("what", ["", "{}", "half", "another name", "no text"])
def test_a_spoilt_entry_is_written_anew(
    folder: Path, parsed: list[Path], tmp_path: Path, what: str
) -> None:
    path = copied(tmp_path)
    fresh = read_outline(path)
    (entry,) = folder.iterdir()
    good = entry.read_bytes()
    spoilt = {
        "half": good[: len(good) // 2],
        "another name": good.replace(fresh.name.encode(), b"Another"),
        "no text": b"\xff\xfe\x00",
    }
    entry.write_bytes(spoilt.get(what, what.encode()))
    assert read_outline(path) == fresh
    assert entry.read_bytes() == good
    assert len(parsed) == 2


def test_no_cache_is_no_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, parsed: list[Path]
) -> None:
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert isinstance(read_outline(OUTLINE), Outline)

    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", homeless)
    assert isinstance(read_outline(OUTLINE), Outline)
    assert len(parsed) == 2


def test_a_wrong_outline_is_told_each_time(folder: Path, tmp_path: Path) -> None:
    path = copied(tmp_path)
    path.write_text(path.read_text().replace("symptoms:", "complaints:", 1))
    for _ in range(2):
        with pytest.raises(UserError, match=r"outline\.yaml, line \d+"):
            read_outline(path)
    assert not folder.exists()
