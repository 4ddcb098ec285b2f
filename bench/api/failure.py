"""One item that could not be made or scored: recorded, counted, shown, and never the run's end."""

import errno
from collections.abc import Awaitable, Sequence
from typing import TypeVar

from bench.backbones.prompt import AskError
from bench.core.errors import UserError
from bench.core.registry import fault_of
from bench.core.schema import Model
from bench.core.text import one_line

R = TypeVar("R")
HEALED = ("unreachable", "error")
"""Outcomes that nobody stores: the same command tries again."""


class Failure(Model):
    """One item that could not be made or scored; recorded, counted and shown."""

    item: str
    """Id of the case or item; "*" for a whole cell."""
    stage: str
    """The stage, or what else was being done."""
    outcome: str
    """"refusal", "cut", "invalid", "off-plan", "unreachable" or "error"."""
    reason: str
    metric: str = ""
    """The metric that could not score it; empty where it could not be made."""
    cell: dict[str, str] = {}
    """The factors of its cell."""
    keys: tuple[str, ...] = ()
    """Journal keys of the exchanges made for it."""

    @property
    def heals(self) -> bool:
        """Whether the same command asks again; else `--retry-failed` does."""
        return self.outcome in HEALED


class Unscored(Exception):
    """Raised by a metric for a whole cell: it has no value, for a reason and with failures."""

    def __init__(self, reason: str, failures: Sequence[Failure] = ()) -> None:
        """Keep both."""
        super().__init__(reason)
        self.reason = reason
        self.failures = tuple(failures)


def failure_of(item: str, stage: str, error: Exception) -> Failure:
    """An exception as one item's failure."""
    if isinstance(error, AskError):
        return Failure(
            item=item, stage=stage, outcome=error.outcome, reason=error.reason, keys=error.keys
        )
    reason = fault_of(error) or one_line(f"{type(error).__name__}: {error}")
    return Failure(item=item, stage=stage, outcome="error", reason=reason)


async def guarded(work: Awaitable[R], item: str, stage: str) -> R | Failure:
    """What the work gives, or its failure; only what ends a run is let through.

    Whatever a plug-in raises for one item must cost that item alone, so this one place catches
    everything but `UserError` and `Unscored`. Too many open files are no item's fault: all that
    come after would fail alike, so they end the run, and what it had stays.

    Raises:
        UserError: the run cannot go on.
    """
    try:
        return await work
    except (UserError, Unscored):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
            raise UserError("too many open files: raise the limit (`ulimit -n 1024`)") from error
        return failure_of(item, stage, error)
