"""What a patient's memory holds and why it changed, in lines for the screen."""

from collections.abc import Iterator, Mapping

from bench.core.text import one_line
from bench.records.dialogue import Attempt, Exchange, Fact, Learned
from bench.records.label import Label

SAYS: dict[Label, str] = {"contradict": "contradicts", "entail": "entails"}
"""The labels that are told, the graver first; what is neutral is left out everywhere."""


def tell_fact(fact: Fact, text: str | None = None) -> str:
    """A fact with its id, a learned one marked; `text` stands in for its own."""
    mark = "+" if fact.round is not None else " "
    when = ""
    if fact.round is not None:
        when = f"  (learned in round {fact.round}, question {fact.turn})"
    return f"{mark} {fact.id:<4} {text if text is not None else fact.text}{when}"


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


def tell_contradictory(what: str, attempt: Attempt, texts: Mapping[str, str]) -> Iterator[str]:
    """A reply that memory contradicts, with the facts against it alone; `what` became of it."""
    against = {fact: attempt.labels[fact] for fact in attempt.contradicted}
    yield f"{what}: {one_line(attempt.reply)}"
    yield from (f"  {line}" for line in tell_labels(against, texts))


def tell_learned(learned: Learned, texts: Mapping[str, str]) -> Iterator[str]:
    """A fact that memory gained, with what it is to the facts before it."""
    yield f"learned {learned.fact.id}: {one_line(learned.fact.text)}"
    yield from (f"  {line}" for line in tell_labels(learned.labels, texts))


def tell_calls(count: int, engine: str, of: str = "") -> str:
    """How much an engine evaluated, in words; the local one calls nobody and computes pairs."""
    if engine.startswith("nli/"):
        return f"{count} computed {'pair' if count == 1 else 'pairs'} of a sentence and a fact"
    return f"{count} {of}call{'' if count == 1 else 's'}"
