"""One item that could not be made or scored: recorded, counted, shown, and never the run's end."""

from collections.abc import Awaitable
from typing import TypeVar

from bench.backbones.prompt import AskError
from bench.errors import UserError
from bench.model import Model

R = TypeVar("R")


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


async def guarded(work: Awaitable[R], item: str, stage: str) -> R | Failure:
    """What the work gives, or its failure; only what ends a run is let through.

    Whatever a plug-in raises for one item must cost that item alone, so this one place catches
    everything but `UserError`.
    """
    try:
        return await work
    except UserError:
        raise
    except Exception as error:  # noqa: BLE001
        return failure_of(item, stage, error)
