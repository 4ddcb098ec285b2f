"""Files that appear whole or not at all, with the rights that any new file has."""

import os
import stat
import threading
from pathlib import Path

import pytest

from bench.core.atomic import write_text, writing
from bench.core.errors import UserError


@pytest.mark.parametrize("mask", [0o022, 0o027, 0o077])
def test_a_file_has_the_rights_that_the_umask_leaves(tmp_path: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write_text(tmp_path / "new", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o666 & ~mask


def test_the_umask_of_other_threads_is_never_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def umask(_: int) -> int:
        raise AssertionError("the umask is the whole process's")

    monkeypatch.setattr(os, "umask", umask)
    path = tmp_path / "folder" / "file"

    def write(number: int) -> None:
        write_text(path, f"{number}" * 10_000)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(path.read_text())) == 1
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_a_write_that_fails_leaves_the_old_file_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "old")
    with pytest.raises(ValueError, match="half way"), writing(path) as file:
        file.write("new")
        raise ValueError("half way")
    assert path.read_text() == "old"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UserError, match="cannot be written"):
        write_text(tmp_path / "file" / "below", "x")
