"""What became of everything that a backbone was asked in a role: told by manifest and results."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from bench.backbones.prompt import Completion

_SNAPSHOT = re.compile(r"[-@:](?:latest|\d{3,4}|\d{4}-?\d{2}-?\d{2})")
"""What an endpoint adds to a name of which it serves a dated copy."""


@dataclass
class Account:
    """Counts of one role; a replayed answer counts like one made now."""

    outcomes: Counter[str] = field(default_factory=Counter)
    """Asks by outcome: "answer" or that of their failure; what is not stored is left out."""
    repaired: int = 0
    """Answers that were valid only when asked again."""
    doubted: int = 0
    """Answers that were asked again and kept all the same."""
    cut: int = 0
    """Exchanges that came to no end of their own."""
    served: Counter[str] = field(default_factory=Counter)
    """Exchanges by the model that the endpoint named."""
    shapes: Counter[str] = field(default_factory=Counter)
    """Exchanges by how their requests had to be put."""

    def add(self, outcome: str, exchanges: Iterable[Completion]) -> None:
        """Count an ask that has its end, with the exchanges it took."""
        self.outcomes[outcome] += 1
        for completion in exchanges:
            self.cut += completion.outcome == "cut"
            self.served.update(filter(None, [completion.model]))
            self.shapes.update(filter(None, [completion.shape]))

    @property
    def asks(self) -> int:
        """How much was asked, repairs not counted."""
        return self.outcomes.total()

    def as_data(self) -> dict[str, Any]:
        """The counts, for a manifest."""
        return {
            "asks": self.asks,
            "repaired": self.repaired,
            "doubted": self.doubted,
            "failed": {name: n for name, n in self.outcomes.items() if name != "answer"},
            "cut": self.cut,
            "served": dict(self.served),
            "shapes": dict(self.shapes),
        }

    def notes(
        self, who: str, asked: str, *, alias: bool = False, drawn: Iterable[str] = ()
    ) -> tuple[str, ...]:
        """What a reader of a figure must know of `who` had a part in it; mostly nothing.

        `asked` is the name that was asked for; an `alias` is no name of a model. `drawn` names what
        decides the draw and may have been refused.
        """
        said = []
        if self.repaired:
            share = f"{self.repaired} of {self.asks} answers ({self.repaired / self.asks:.1%})"
            said.append(f"{share} of {who} had to be asked again")
        told = ", ".join(f"{model} ({count})" for model, count in sorted(self.served.items()))
        if len(self.served) > 1:
            said.append(f"several models answered as {who}: {told}")
        elif not alias and not all(_same(asked, model) for model in self.served):
            said.append(f"another model than asked answered as {who}: {told}")
        for name in drawn:
            count = sum(n for shape, n in self.shapes.items() if f"no {name}" in shape.split(", "))
            if count:
                said.append(f"{who} takes no {name}: {count} answers were drawn by its own")
        return tuple(said)


def _same(asked: str, served: str) -> bool:
    """Whether an endpoint's name of a model is the one asked for, or that of its dated copy."""
    wanted, given = asked.casefold().partition("/")[2], served.casefold()
    if given == asked.casefold():
        return True
    # A gateway may add or leave out whose model it is.
    names, models = ({one, one.rpartition("/")[2]} for one in (wanted, given))
    return any(
        model == name or (model.startswith(name) and _SNAPSHOT.fullmatch(model[len(name) :]))
        for name in names
        for model in models
    )
