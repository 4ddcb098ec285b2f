"""What one training is like; the same for every condition that is compared."""

from dataclasses import dataclass

from bench.core.errors import UserError

CURVE = (5, 10, 20, 50, 100)
"""Numbers of cases at which the learning curve is read."""
LONG = 12
"""Characters of a word; each further dozen begun counts as a word more."""


def count_words(text: str) -> int:
    """Length of a text in words: what stands between spaces, long ones counted more than once.

    So a budget binds in scripts without spaces, too.
    """
    return sum(-(-len(word) // LONG) for word in text.split())


@dataclass(frozen=True)
class TrainSettings:
    """How a doctor agent is trained, and what it may look up afterwards."""

    cases: int
    """Records practised on: exactly so many, the first of those given."""
    k_cases: int = 3
    """Solved cases shown with a question, at most."""
    k_rules: int = 4
    """Rules shown with a question, at most."""
    budget: int = 600
    """Words of memory shown with a question, at most, as `count_words` counts."""
    seed: int = 0
    """Seed of the options drawn for practice."""
    condition: str = ""
    """What the records are, for instance "patient-zero"; part of every replicate."""
    curve: tuple[int, ...] = CURVE
    """Numbers of cases at which what was learned is kept for a learning curve."""

    def __post_init__(self) -> None:
        """Raises UserError for what no training can have."""
        if self.cases < 0 or self.k_cases < 0 or self.k_rules < 0 or self.budget < 0:
            raise UserError(
                "a training's cases, retrieved cases, rules and word budget are none below 0, not "
                f"{self.cases}, {self.k_cases}, {self.k_rules} and {self.budget}"
            )
