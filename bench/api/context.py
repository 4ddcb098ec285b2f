"""What generators and metrics are given to work with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.backbones.respondent import Respondent
from bench.core.errors import UserError
from bench.journal.journal import Journal
from bench.knowledge.library import Library

if TYPE_CHECKING:
    from bench.backbones.encoder import Encoder


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
    at_once: int = 32
    """Items worked on at the same time."""
    _encoder: "Encoder | None" = None

    def role(self, name: str) -> Respondent:
        """Who answers in a role.

        Raises:
            UserError: if the run names nobody for it.
        """
        try:
            return self.roles[name]
        except KeyError:
            raise UserError(
                f"nobody is named for the role {name!r}: add --{name} BACKBONE, "
                f"or `{name}:` under `roles` in the experiment file"
            ) from None

    def encoder(self) -> "Encoder":
        """The text encoder, loaded at the first call.

        Raises:
            UserError: if the extra `neural` is not installed or the model is not found.
        """
        if self._encoder is None:
            from bench.backbones.encoder import Encoder

            self._encoder = Encoder.load(self.encoder_model, self.journal)
        return self._encoder
