"""What generators, metrics and stages are given to work with."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from bench.backbones.respondent import Respondent
from bench.core.errors import UserError
from bench.journal.journal import Journal
from bench.knowledge.library import Library

if TYPE_CHECKING:
    from bench.backbones.encoder import Encoder


class Watch(Protocol):
    """Is told how far a run is; several things may be under way at once."""

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Callable[..., None]]:
        """Something of `total` items; what it gives is called for each, `failed=True` if lost."""
        ...


class Unwatched:
    """Nobody watches."""

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Callable[..., None]]:
        """Nothing is shown."""
        yield lambda failed=False: None


@dataclass
class Shared:
    """What is loaded once for a whole run."""

    encoder: "Encoder | None" = None


@dataclass
class Context:
    """The roles' backbones, the encoder, the outlines and the limits of a run."""

    journal: Journal
    """Where everything a model computed is kept."""
    outlines: Library
    """The disease knowledge."""
    roles: Mapping[str, Respondent] = field(default_factory=dict)
    """Who answers, by role: generator, judge, ..."""
    encoder_model: str | None = None
    """Path or hub id of the text encoder; none for the packaged all-MiniLM-L6-v2."""
    seed: int = 0
    """Seed of the experiment, of whatever a metric draws."""
    at_once: int = 64
    """Items worked on at the same time; a backbone has a limit of its own."""
    folder: Path | None = None
    """Where a stage may keep what is no item, for instance a log; none outside a run."""
    watch: Watch = field(default_factory=Unwatched)
    """Is told how far things are."""
    shared: Shared = field(default_factory=Shared)

    def role(self, name: str) -> Respondent:
        """Who answers in a role.

        Raises:
            UserError: if the run names nobody for it.
        """
        try:
            return self.roles[name]
        except KeyError:
            raise nobody(name) from None

    def encoder(self) -> "Encoder":
        """The text encoder, loaded at the first call.

        Raises:
            UserError: if the extra `neural` is not installed or the model is not found.
        """
        if self.shared.encoder is None:
            from bench.backbones.encoder import Encoder

            self.shared.encoder = Encoder.load(self.encoder_model, self.journal)
        return self.shared.encoder


def nobody(role: str) -> UserError:
    """The sentence for a role that nobody fills."""
    option = {"generator": "backbone"}.get(role, role)
    return UserError(
        f"nobody is named for the role {role!r}: add --{option} BACKBONE, "
        f"or `{role}:` under `roles` in the experiment file"
    )
