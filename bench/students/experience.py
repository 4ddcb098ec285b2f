"""The experience of a doctor agent: solved cases and rules, looked up by likeness.

The nearest are those of the highest cosine of the run's encoder, equal ones (to 6 decimals) in the
order learned. Shown are, in turn, the nearest case, the nearest rule, the next case and so on; one
that the word budget has no room for is left out whole, and a smaller one behind it may still fit.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import TYPE_CHECKING, Literal

from bench.core.schema import Model

if TYPE_CHECKING:
    from bench.backbones.encoder import Encoder, Vectors

    Load = Callable[[], Encoder]

DECIMALS = 6
LONG = 12
"""Characters of a word; each further dozen begun counts as a word more."""


def count_words(text: str) -> int:
    """Length of a text in words: what stands between spaces, long ones counted more than once.

    So a budget binds in scripts without spaces, too.
    """
    return sum(-(-len(word) // LONG) for word in text.split())


@dataclass(frozen=True)
class Limits:
    """What may be shown from memory with a question, the same for all that are compared."""

    k_cases: int = 3
    """Solved cases, at most."""
    k_rules: int = 4
    """Rules, at most."""
    budget: int = 600
    """Words, at most, as `count_words` counts."""


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

    async def recall(
        self, question: str, limits: Limits, encoder: "Load"
    ) -> tuple[ExperienceEntry, ...]:
        """What is nearest to a question, within limits."""
        if self.vectors is None:
            return ()
        (vector,) = await encoder().embed([question])
        ranked = (-(self.vectors @ vector)).round(DECIMALS).argsort(kind="stable")
        nearest = [self.entries[at] for at in ranked]
        cases = [entry for entry in nearest if entry.kind == "case"][: limits.k_cases]
        rules = [entry for entry in nearest if entry.kind == "rule"][: limits.k_rules]
        turns = (entry for pair in zip_longest(cases, rules) for entry in pair if entry)
        return tuple(within(turns, limits.budget))


def within(entries: Iterable[ExperienceEntry], budget: int) -> Iterator[ExperienceEntry]:
    """The entries that a budget of words has room for, in order."""
    for entry in entries:
        if entry.words <= budget:
            budget -= entry.words
            yield entry
