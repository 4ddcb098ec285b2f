import os
from pathlib import Path
from typing import Any

import pytest

from bench.backbones import weights
from bench.backbones.weights import find_model, identity
from bench.core.errors import UserError

huggingface_hub = pytest.importorskip("huggingface_hub")


def model(folder: Path, content: bytes, name: str = "model.safetensors") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text("{}")
    (folder / name).write_bytes(content)
    return folder


def test_one_byte_of_weights_or_settings_is_another_model(tmp_path: Path) -> None:
    first = identity(model(tmp_path / "a", b"0" * 3_000_000))
    assert identity(model(tmp_path / "b", b"0" * 3_000_000)) == first
    assert identity(model(tmp_path / "c", b"0" * 2_000_000 + b"1" + b"0" * 999_999)) != first
    (tmp_path / "a" / "vocab.txt").write_text("the")
    assert identity(tmp_path / "a") != first


def test_large_weights_are_told_apart_without_reading_them_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights, "WHOLE", 1_000_000)
    first = identity(model(tmp_path / "a", b"\x00" * 3_000_000))
    trained = b"\x00" * 1_000_000 + b"\x01" * 1_000_000 + b"\x00" * 1_000_000
    assert identity(model(tmp_path / "b", trained)) != first
    assert identity(model(tmp_path / "c", b"\x00" * 3_000_001)) != first


def test_a_file_is_read_once_until_it_changes(tmp_path: Path) -> None:
    folder = model(tmp_path / "a", b"one")
    first, read = identity(folder), weights._digest.cache_info().misses
    assert identity(folder) == first
    assert weights._digest.cache_info().misses == read
    model(folder, b"two")
    os.utime(folder / "model.safetensors", (1, 1))
    assert identity(folder) != first


def test_a_folder_without_a_model_says_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"config\.json is missing"):
        identity(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(UserError, match=r"neither \*\.safetensors nor pytorch_model\*\.bin"):
        identity(tmp_path)


def test_old_weights_are_fetched_only_where_there_are_no_new_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def snapshot_download(name: str, *, allow_patterns: list[str], **_: Any) -> str:
        asked.extend(one for one in allow_patterns if one in weights.WEIGHTS)
        return str(tmp_path / name)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", snapshot_download)
    model(tmp_path / "new", b"x")
    model(tmp_path / "old", b"x", "pytorch_model.bin")
    assert find_model("new", "x").folder == tmp_path / "new"
    assert asked == ["*.safetensors"]
    assert find_model("old", "x").folder == tmp_path / "old"
    assert asked == ["*.safetensors", "*.safetensors", "pytorch_model*.bin"]
