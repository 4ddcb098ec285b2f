"""An approval is one more line of a file that is else as it was, or it is refused."""

import json
import re
import stat
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.core.errors import UserError
from bench.core.yaml_lines import parse_yaml, read_yaml
from bench.knowledge.approval import approve, is_draft
from bench.knowledge.library import FOLDER, parse_outline, read_outline

TODAY = date(2025, 1, 2)


def drafted() -> dict[str, Any]:
    """One of ours, as if a machine had drafted it."""
    data: dict[str, Any] = yaml.safe_load(next(FOLDER.rglob("*.yaml")).read_text("utf-8"))
    made = {"backbone": "b", "prompts": "p", "evidence": [], "unsupported": []}
    return data | {"provenance": made | {"sources": [{"name": "a.md", "sha256": "0"}]}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    written = tmp_path / "x.yaml"
    written.write_text(yaml.safe_dump(drafted(), sort_keys=False), encoding="utf-8")
    return written


def approved(path: Path) -> bool:
    read = read_yaml(path, "the outline")
    outline = parse_outline(read)
    return outline.approval is not None and not is_draft(outline, read.text)


@pytest.mark.parametrize("by", ["Dr A. Foot", 'a"b\\c', "J\x7f\x85", "é 𝒜\u2028", "- {x: #\n}"])
def test_whatever_the_checker_is_called_the_file_is_read_again(by: str, path: Path):
    before = path.read_text(encoding="utf-8")
    approve(path, by, TODAY, by)
    assert approved(path)
    told = read_outline(path).approval
    assert told is not None
    assert (told.by, told.note) == (by, by)
    added = path.read_text(encoding="utf-8").removeprefix(before)
    assert re.fullmatch(r"approval: [^\x00-\x1f\x7f-\x9f]*\n", added)


UNFIT = {
    "JSON": lambda: json.dumps(drafted(), indent=1),
    "ended": lambda: yaml.safe_dump(drafted()) + "...\n",
    "indented": lambda: re.sub(r"^", "  ", yaml.safe_dump(drafted()), flags=re.MULTILINE),
}


@pytest.mark.parametrize("kind", UNFIT)
def test_a_file_that_cannot_take_a_line_more_is_left_as_it_was(kind: str, path: Path):
    path.write_text(UNFIT[kind](), encoding="utf-8")
    read_outline(path)
    before = path.read_bytes()
    with pytest.raises(UserError, match="cannot take an approval as its last line"):
        approve(path, "A", TODAY)
    assert path.read_bytes() == before


def test_a_name_that_is_no_text_is_refused(path: Path):
    before = path.read_bytes()
    with pytest.raises(UserError, match="is no text"):
        approve(path, "A\udcff", TODAY)
    assert path.read_bytes() == before


@pytest.mark.parametrize("key", ["approval", '"approval"', "'approval'"])
def test_an_approval_on_several_lines_is_replaced(key: str, path: Path):
    approve(path, "A", TODAY)
    data = yaml.safe_load(path.read_text())
    told = yaml.safe_dump(data.pop("approval"), default_flow_style=False)
    block = f"{key}:\n" + re.sub(r"^(?=.)", "  ", told, flags=re.MULTILINE)
    path.write_text(yaml.safe_dump(data, sort_keys=False) + block)
    assert approved(path), "it is the text that was approved"
    approve(path, "B", TODAY)
    assert approved(path)
    assert path.read_text().count("approval") == 1
    assert '"by": "B"' in path.read_text().splitlines()[-1]


def test_line_ends_mode_and_link_stay(path: Path, tmp_path: Path):
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    path.chmod(0o640)
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    approve(link, "A", TODAY)
    assert link.is_symlink()
    assert approved(path)
    assert path.read_bytes().count(b"\n") == path.read_bytes().count(b"\r\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


HOSTILE = {
    "key that is a list": "? [a, b]\n: 1\n",
    "day that is none": "a: 2024-02-30\n",
    "number that is none": 'a: !!int "abc"\n',
    "empty number": 'a: !!int ""\n',
    "truth that is none": 'a: !!bool "abc"\n',
    "moment that is none": 'a: !!timestamp "abc"\n',
    "brackets": "[" * 50_000,
    "braces": "{a: " * 50_000,
    "dashes": "- " * 50_000,
    "closed brackets": "[" * 5_000 + "]" * 5_000,
    "laughs": "a0: &a0 [x, x]\n"
    + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 60)),
    "merged laughs": "a0: &a0 {k: x}\n"
    + "".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}\n" for n in range(1, 60)),
    "a tower": "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 900)),
    "what holds itself": "a: &a [*a]\n",
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_yaml_gets_one_sentence_with_its_line(kind: str):
    with pytest.raises(UserError, match=r"^x\.yaml, line \d+: not valid YAML \("):
        parse_yaml(Path("x.yaml"), HOSTILE[kind])


def test_a_text_of_ordinary_depth_is_read():
    assert parse_yaml(Path("x.yaml"), "[" * 90 + "]" * 90).data
    aliases = parse_yaml(Path("x.yaml"), "a: &a {b: 1}\nc: *a\nd: {<<: *a, e: [*a, *a]}\n")
    assert aliases.data["d"] == {"b": 1, "e": [{"b": 1}] * 2}
