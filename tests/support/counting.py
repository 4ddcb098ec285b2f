"""What a run asked and wrote, and a backbone whose exchanges can be foretold."""

from collections import Counter
from pathlib import Path

import pytest
from rules_run import install

from bench.backbones.rules.backbone import Rules
from bench.core.registry import BACKBONES
from bench.knowledge.library import Library
from bench.report.results import Results


def asked(results: Results) -> Counter[str]:
    """Exchanges that the last execution made, by role."""
    counts = Counter[str]()
    for role in results.manifest["roles"]:
        counts[role["role"]] += role["asked"]
    return counts


def files(folder: Path, *patterns: str) -> dict[str, bytes]:
    """The bytes of a folder's files, by their paths in it."""
    found = (path for pattern in patterns for path in folder.glob(pattern) if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


class Twin(Rules):
    """A model that answers as the rules do, so that a plan's count can be exact."""

    stand_in = False

    def __init__(self, name: str = "") -> None:
        super().__init__()
        self.name = "twin"

    def knowing(self, library: Library) -> "Twin":
        return self


def install_twin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let "twin" be the name of a backbone, as if a plug-in brought it."""
    install(monkeypatch, BACKBONES, "twin", Twin)
