"""The documents, and the examples that they show."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = {path.name: path.read_text("utf-8") for path in (ROOT / "README.md", *ROOT.glob("docs/*"))}


def blocks(page: str, language: str) -> list[str]:
    """The blocks of a language, without their fences."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGES[page], re.MULTILINE | re.DOTALL)


def files(page: str) -> dict[str, str]:
    """The blocks that begin with a comment that names a file, by its name."""
    found = {}
    for block in blocks(page, "(?:python|yaml)"):
        if named := re.match(r"# (\w+\.(?:py|yaml))\b", block):
            found[named[1]] = block
    return found


def install(folder: Path, *pages: str) -> None:
    """Put the files of some pages into a folder, and name them as their TOML does.

    On PYTHONPATH the folder is as good as an installed package.
    """
    package = folder / "examples-1.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: examples\nVersion: 1\n")
    points = ""
    for page in pages:
        for name, text in files(page).items():
            (folder / name).write_text(text, encoding="utf-8")
        for block in blocks(page, "toml"):
            for group, named in tomllib.loads(block)["project"]["entry-points"].items():
                lines = [f"{name} = {target}\n" for name, target in named.items()]
                points += f"[{group}]\n{''.join(lines)}"
    (package / "entry_points.txt").write_text(points)
