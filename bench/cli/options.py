"""Options that several commands have."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from inspect import Signature, signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from bench.experiments.experiment import Experiment

Command = Callable[..., None]

Knowledge = typer.Option(
    None,
    "--kb",
    help="Folder of outlines that extend the built-in ones, or replace those of the same id; may "
    "be given several times.",
)
Drafts = typer.Option(False, "--drafts", help="Use drafts that nobody has approved, too.")
JournalPath = typer.Option(
    None, "--journal", help="Journal to keep answers in, or to share; one of its own by default."
)
AtOnce = typer.Option(32, "--at-once", min=1, help="Exchanges in flight with each backbone.")
RetryFailed = typer.Option(
    False, "--retry-failed", help="Ask stored refusals and invalid answers again."
)


SameModel = typer.Option(
    False, "--same-model", help="Take the journal's answers of another address for the model's own."
)


@dataclass(frozen=True)
class RunOptions:
    """What every command has that runs an experiment."""

    kb: list[Path] | None = Knowledge
    drafts: bool = Drafts
    out: Path | None = typer.Option(None, "--out", help="Run folder; runs/NAME by default.")
    journal: Path | None = JournalPath
    at_once: int = AtOnce
    retry_failed: bool = RetryFailed
    same_model: bool = SameModel
    plan: bool = typer.Option(False, "--plan", help="Say what would be asked, and stop.")
    yes: bool = typer.Option(False, "--yes", "-y", help="Do not ask before many exchanges.")

    def applied(self, experiment: "Experiment") -> "Experiment":
        """An experiment with the disease knowledge that was named, too."""
        more = (path.absolute() for path in self.kb or ())
        knowledge = (*experiment.knowledge, *more)
        drafts = experiment.drafts or self.drafts
        return experiment.model_copy(update={"knowledge": knowledge, "drafts": drafts})


def with_options(kind: type[Any]) -> Callable[[Command], Command]:
    """A command with options declared as fields of a dataclass, which it takes as `options`."""
    shared = signature(kind).parameters

    def completed(command: Command) -> Command:
        own = [one for one in signature(command).parameters.values() if one.name != "options"]

        @wraps(command)
        def whole(**typed: Any) -> None:
            options = kind(**{name: typed.pop(name) for name in shared})
            command(**typed, options=options)

        whole.__signature__ = Signature([*own, *shared.values()])  # type: ignore[attr-defined]
        return whole

    return completed
