"""The experience of a doctor agent: solved cases and rules, looked up by likeness.

The nearest are those of the highest cosine of the run's encoder, equal ones (to 6 decimals) in the
order learned. Shown are, in turn, the nearest case, the nearest rule, the next case and so on; one
that the word budget has no room for is left out whole, and a smaller one behind it may still fit.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

from bench.core.schema import Model
from bench.students.training_settings import TrainSettings, count_words

if TYPE_CHECKING:
    from bench.backbones.encoder import Encoder, Vectors

    Load = Callable[[], Encoder]

DECIMALS = 6


class ExperienceEntry(Model):
    """One thing learned: a solved case or a rule."""

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
        return count_words(self.text)


@dataclass(frozen=True)
class Recalled:
    """What is shown with a question."""

    entries: tuple[ExperienceEntry, ...] = ()

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
class Experience:
    """The case base and the experience base; never changed, only added to as a new one."""

    entries: tuple[ExperienceEntry, ...] = ()
    """In the order learned."""
    vectors: "Vectors | None" = None
    """Embedding of each entry's `about`, a row of length 1 each; none without entries."""

    async def plus(self, entries: Sequence[ExperienceEntry], encoder: "Load") -> "Experience":
        """This and some entries more; the encoder is loaded only where there are any."""
        if not entries:
            return self
        import numpy as np

        vectors = await encoder().embed([entry.about for entry in entries])
        held = vectors if self.vectors is None else np.concatenate((self.vectors, vectors))
        return Experience((*self.entries, *entries), held)

    def after(self, cases: int) -> "Experience":
        """What was held after so many records."""
        known = bisect_right(self.entries, cases, key=lambda entry: entry.after)
        if known == 0 or self.vectors is None:
            return Experience()
        return Experience(self.entries[:known], self.vectors[:known])

    def of(self, kind: Literal["case", "rule"]) -> tuple[ExperienceEntry, ...]:
        """The cases or the rules, in the order learned."""
        return tuple(entry for entry in self.entries if entry.kind == kind)

    async def recall(self, question: str, settings: TrainSettings, encoder: "Load") -> Recalled:
        """What is nearest to a question, within the settings' numbers and word budget."""
        if self.vectors is None:
            return Recalled()
        (vector,) = await encoder().embed([question])
        ranked = (-(self.vectors @ vector)).round(DECIMALS).argsort(kind="stable")
        nearest = [self.entries[at] for at in ranked]
        cases = [entry for entry in nearest if entry.kind == "case"][: settings.k_cases]
        rules = [entry for entry in nearest if entry.kind == "rule"][: settings.k_rules]
        turns = (entry for pair in zip_longest(cases, rules) for entry in pair if entry)
        return Recalled(tuple(within(turns, settings.budget)))


def within(entries: Iterable[ExperienceEntry], budget: int) -> Iterable[ExperienceEntry]:
    """The entries that a budget of words has room for, in order."""
    for entry in entries:
        if entry.words <= budget:
            budget -= entry.words
            yield entry
