"""One item that could not be made or scored: recorded, counted, shown, and never the run's end."""

from bench.backbones.prompt import AskError
from bench.model import Model


class Failure(Model):
    """One item that could not be made or scored; recorded, counted and shown."""

    item: str
    """Id of the case or record."""
    stage: str
    """What was being done, for instance "direct" or "accuracy"."""
    outcome: str
    """"refusal", "invalid", "unreachable" or "error"."""
    reason: str
    keys: tuple[str, ...] = ()
    """Journal keys of the exchanges made for it."""


def failure_of(item: str, stage: str, error: Exception) -> Failure:
    """An exception as one item's failure."""
    if isinstance(error, AskError):
        return Failure(
            item=item, stage=stage, outcome=error.outcome, reason=error.reason, keys=error.keys
        )
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return Failure(item=item, stage=stage, outcome="error", reason=reason)
