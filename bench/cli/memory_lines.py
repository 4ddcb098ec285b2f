"""What a patient's memory holds and why it changed, in lines for the screen."""

from collections.abc import Iterator, Mapping

from bench.core.text import one_line
from bench.records.dialogue import Exchange, Fact, Learned
from bench.records.label import Label

SAYS: dict[Label, str] = {"contradict": "contradicts", "entail": "entails"}
"""The labels that are told, the graver first; what is neutral is left out everywhere."""


def tell_fact(fact: Fact, text: str) -> str:
    """A fact with its id, a learned one marked; `text` is what may be told of it."""
    if fact.round is None:
        return f"  {fact.id:<4} {text}"
    return f"+ {fact.id:<4} {text}  (learned in round {fact.round}, question {fact.turn})"


def tell_labels(labels: Mapping[str, Label], texts: Mapping[str, str]) -> Iterator[str]:
    """What something is to the facts, a line each; `texts` are the facts' words by id."""
    lines = [
        f"{says} {fact}" + (f" ({texts[fact]})" if fact in texts else "")
        for kind, says in SAYS.items()
        for fact, label in labels.items()
        if label == kind
    ]
    yield from lines or ["neutral to every fact"]


def tell_attempts(exchange: Exchange, texts: Mapping[str, str]) -> Iterator[str]:
    """Every reply made to a question, with its labels and what became of it."""
    for number, attempt in enumerate(exchange.attempts, start=1):
        last = number == len(exchange.attempts)
        fate = "sent" if last else "withdrawn"
        if last and exchange.flagged:
            fate = "sent although it contradicts memory: no try did better"
        yield f"reply {number}, {fate}: {one_line(attempt.reply)}"
        yield from (f"  {line}" for line in tell_labels(attempt.labels, texts))


def tell_learned(learned: Learned, texts: Mapping[str, str]) -> Iterator[str]:
    """A fact that memory gained, with what it is to the facts before it."""
    yield f"learned {learned.fact.id}: {one_line(learned.fact.text)}"
    yield from (f"  {line}" for line in tell_labels(learned.labels, texts))


def tell_calls(count: int, engine: str) -> str:
    """How much an engine evaluated; the local one calls nobody and computes pairs."""
    if engine.startswith("nli/"):
        return f"{count} computed pairs of a sentence and a fact"
    return f"{count} triplet calls"
