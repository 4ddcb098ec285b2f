"""Values of dialogues pooled into a score: each value counts once, intervals by patient."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bench.api.failure import Failure
from bench.api.metric import Direction, Score
from bench.records.dialogue import Dialogue
from bench.scoring.intervals import Interval, cluster_bootstrap, cluster_bootstrap_difference


@dataclass
class Pool:
    """The values of some dialogues: one for each answer, or one for each dialogue."""

    values: dict[str, list[float]] = field(default_factory=dict)
    """By dialogue; a dialogue that was looked at stands here, be it without values."""
    keys: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Journal keys behind a dialogue's values."""
    missing: int = 0
    """Values that could not be had from the dialogues there are."""
    failures: list[Failure] = field(default_factory=list)
    reasons: dict[str, int] = field(default_factory=dict)
    """Why whole dialogues have no value, with their number."""
    longest: int = 1
    """Answers of the longest dialogue."""
    _patients: dict[str, str] = field(default_factory=dict)
    _departments: dict[str, str] = field(default_factory=dict)

    def see(self, dialogue: Dialogue) -> None:
        """Know a dialogue; it has no value yet."""
        self.values.setdefault(dialogue.id, [])
        self.longest = max(self.longest, len(dialogue.exchanges()))
        # Several dialogues of one patient are no independent draws.
        record = dialogue.record
        self._patients[dialogue.id] = record.id if record else dialogue.id
        self._departments[dialogue.id] = dialogue.department

    def add(self, dialogue: Dialogue, values: Iterable[float], keys: tuple[str, ...] = ()) -> None:
        """Add values of a dialogue."""
        self.see(dialogue)
        self.values[dialogue.id] += values
        if keys:
            self.keys[dialogue.id] = (*self.keys.get(dialogue.id, ()), *keys)

    def leave_out(self, dialogue: Dialogue, reason: str, values: int) -> None:
        """Count a dialogue's values as missing for a reason that is no failure."""
        self.see(dialogue)
        self.missing += values
        self.reasons[reason] = self.reasons.get(reason, 0) + 1

    def fail(self, dialogue: Dialogue, failure: Failure) -> None:
        """Count one value as missing for a failure."""
        self.see(dialogue)
        self.missing += 1
        self.failures.append(failure)

    def by_patient(self) -> dict[str, list[float]]:
        """All values by patient: the clusters."""
        found: dict[str, list[float]] = {}
        for identity, values in self.values.items():
            found.setdefault(self._patients[identity], []).extend(values)
        return found

    def score(
        self,
        metric: str,
        unit: str,
        better: Direction,
        *,
        unseen: int = 0,
        range_: tuple[float, float] | None = None,
        signature: str,
        notes: tuple[str, ...] = (),
    ) -> Score:
        """The mean of all values as a score.

        `unseen` values belong to dialogues that were never made. `range_` is the least and the
        greatest that a value can be; the bounds follow from it.
        """
        whole = [value for values in self.values.values() for value in values]
        n, missing = len(whole), self.missing + unseen
        value, interval = None, None
        if n:
            value, interval = cluster_bootstrap(self.by_patient(), share=unit == "share")
            patients = sum(1 for one in self.by_patient().values() if one)
            if interval is None and patients >= 3:
                notes = (*notes, "no interval: all patients alike")
        bounds = None
        if range_ is not None and n + missing:
            total = math.fsum(whole)
            low, high = ((total + missing * end) / (n + missing) for end in range_)
            bounds = (low, high)
        return Score(
            metric=metric,
            value=value,
            unit=unit,
            better=better,
            n=n,
            n_missing=missing,
            interval=interval,
            bounds=bounds,
            signature=signature,
            notes=(*notes, *self._why(scored=n > 0, unseen=unseen)),
            departments=self._by_department(),
            items={name: _mean(values) for name, values in self.values.items() if values},
            keys=self.keys,
            failures=tuple(self.failures),
        )

    def _why(self, *, scored: bool, unseen: int) -> Iterator[str]:
        """What was left out; where that leaves nothing, why."""
        for reason, count in self.reasons.items():
            yield f"{count} {'dialogue' if count == 1 else 'dialogues'} left out: {reason}"
        if scored:
            return
        if self.failures:
            counted = Counter(failure.outcome for failure in self.failures)
            told = ", ".join(f"{outcome} {count}" for outcome, count in sorted(counted.items()))
            yield f"every value failed: {told}"
        elif not self.reasons:
            yield "nothing to score: no dialogue was made" if unseen else "nothing to score"

    def _by_department(self) -> dict[str, float]:
        found: dict[str, list[float]] = {}
        for identity, values in self.values.items():
            found.setdefault(self._departments[identity], []).extend(values)
        return {name: _mean(values) for name, values in found.items() if values}


def difference(
    first: Pool, second: Pool, *, share: bool
) -> tuple[float, Interval | None, int] | None:
    """Mean of the first minus mean of the second on the patients both have values of.

    None where they share none.
    """
    return cluster_bootstrap_difference(first.by_patient(), second.by_patient(), share=share)


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)
