"""How a run or a scoring goes about it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """How a run goes about it; nothing here changes a result."""

    journal: Path | None = None
    """Journal to share; none for the run's own."""
    at_once: int = 32
    """Exchanges in flight for each backbone."""
    retry_failed: bool = False
    """Ask stored refusals and invalid answers again."""
    same_model: bool = False
    """Take answers of another address for the backbone's own."""
