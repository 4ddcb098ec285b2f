"""What a doctor agent has learned: solved cases and rules, looked up by likeness.

The nearest are those of the highest cosine of the run's encoder, equal ones (to 6 decimals) in the
order learned. Shown are, in turn, the nearest case, the nearest rule, the next case and so on; one
that the word budget has no room for is left out whole, and a smaller one behind it may still fit.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

from bench.model import Model
from bench.training.settings import TrainSettings

if TYPE_CHECKING:
    from bench.encoders.bert import Encoder, Vectors

    Load = Callable[[], Encoder]

DECIMALS = 6


class Entry(Model):
    """One thing learned."""

    id: str
    """For instance "case 3" or "rule 5.2": the number of the record, and of the rule of it."""
    kind: Literal["case", "rule"]
    after: int
    """Records practised when it was learned, from 1."""
    record: str
    """Id of the record it was learned from."""
    text: str
    """What is shown."""
    about: str
    """What is compared with a question."""

    @property
    def words(self) -> int:
        """Length in words, as the budget counts."""
        return len(self.text.split())


@dataclass(frozen=True)
class Recalled:
    """What is shown with a question."""

    entries: tuple[Entry, ...] = ()

    @property
    def texts(self) -> tuple[str, ...]:
        """What a prompt shows."""
        return tuple(entry.text for entry in self.entries)

    @property
    def ids(self) -> tuple[str, ...]:
        """Which they are."""
        return tuple(entry.id for entry in self.entries)

    @property
    def words(self) -> int:
        """Words shown."""
        return sum(entry.words for entry in self.entries)


@dataclass(frozen=True)
class Memory:
    """The case base and the experience base; never changed, only added to as a new one."""

    entries: tuple[Entry, ...] = ()
    vectors: "tuple[Vectors, ...]" = ()
    """Embedding of each entry's `about`, of length 1."""

    async def plus(self, entries: Sequence[Entry], encoder: "Load") -> "Memory":
        """This and some entries more; the encoder is loaded only where there are any."""
        if not entries:
            return self
        vectors = await encoder().embed([entry.about for entry in entries])
        return Memory((*self.entries, *entries), (*self.vectors, *vectors))

    def after(self, cases: int) -> "Memory":
        """What was held after so many records."""
        kept = [
            (entry, vector)
            for entry, vector in zip(self.entries, self.vectors, strict=True)
            if entry.after <= cases
        ]
        return Memory(tuple(entry for entry, _ in kept), tuple(vector for _, vector in kept))

    def of(self, kind: Literal["case", "rule"]) -> tuple[Entry, ...]:
        """The cases or the rules, in the order learned."""
        return tuple(entry for entry in self.entries if entry.kind == kind)

    async def recall(self, question: str, settings: TrainSettings, encoder: "Load") -> Recalled:
        """What is nearest to a question, within the settings' numbers and word budget."""
        if not self.entries:
            return Recalled()
        (vector,) = await encoder().embed([question])
        cosines = [round(float(own @ vector), DECIMALS) for own in self.vectors]
        ranked = sorted(range(len(cosines)), key=lambda at: (-cosines[at], at))
        nearest = [self.entries[at] for at in ranked]
        cases = [entry for entry in nearest if entry.kind == "case"][: settings.k_cases]
        rules = [entry for entry in nearest if entry.kind == "rule"][: settings.k_rules]
        turns = (entry for pair in zip_longest(cases, rules) for entry in pair if entry)
        return Recalled(tuple(within(turns, settings.budget)))


def within(entries: Iterable[Entry], budget: int) -> Iterable[Entry]:
    """The entries that a budget of words has room for, in order."""
    for entry in entries:
        if entry.words <= budget:
            budget -= entry.words
            yield entry
