"""`pzbench memory`: what a patient's memory gained in a run, and what it kept out."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bench.cli.show import Factors, factors_of
from bench.core.text import one_line

if TYPE_CHECKING:
    from bench.records.dialogue import Dialogue, Exchange, Fact, Learned
    from bench.records.dialogue_files import DialogueFile

SAYS: dict[str, str] = {"contradict": "contradicts", "entail": "entails"}
"""The labels that are told, the graver first; what is neutral is left out everywhere."""
DIALOGUES = "dialogues"
"""The kind of items that have a memory."""


def memory(
    run: Path = typer.Argument(help="Run folder, or a file of dialogues."),
    patient: str = typer.Argument(help="Id of the patient."),
    where: list[str] | None = Factors,
    form: str | None = typer.Option(None, "--format", help="Short for --where format=..."),
    interaction: str | None = typer.Option(
        None, "--interaction", help="Short for --where interaction=..."
    ),
) -> None:
    """Show how a patient's memory changed: facts added, replies rejected, and why."""
    from bench.cli.screen import say
    from bench.experiments.run_reader import unknown

    short = {"format": form, "interaction": interaction}
    factors = factors_of(where or ()) | {name: value for name, value in short.items() if value}
    ids: list[str] = []
    for title, dialogues in _files(run, factors):
        for dialogue in dialogues:
            ids.append(dialogue.id)
            if dialogue.id == patient:
                say("\n".join((*_log(dialogue, title), "")))
    if patient not in ids:
        raise unknown(run, "patient", patient, ids)


def _files(run: Path, factors: dict[str, str]) -> "list[tuple[str, DialogueFile]]":
    """The dialogues of a run's cells, each with a title; or of the one file that was named.

    Raises:
        UserError: if there are none.
    """
    from bench.core.errors import UserError
    from bench.experiments.run_reader import RunReader
    from bench.records.dialogue_files import DialogueFile
    from bench.runs.folder import RunFolder

    if run.is_file():
        for factor in factors:
            raise UserError(f"{factor} tells the files of a run apart, and {run} is one file")
        return [("", DialogueFile(run))]
    files = [
        (", ".join(f"{name} {value}" for name, value in place.cell.items()), place.path)
        for place in RunReader(RunFolder(run)).narrowed(factors)
        if place.makes == DIALOGUES and place.path.exists()
    ]
    if not files:
        raise UserError(f"{run} holds no such dialogues; `pzbench list runs` shows the runs")
    return [(title, DialogueFile(path)) for title, path in files]


def _log(dialogue: "Dialogue", title: str) -> Iterator[str]:
    """The log of one dialogue's memory, in lines."""
    from bench.agents.memory import decompose_record

    facts = dialogue.facts
    if facts is None:
        facts = decompose_record(dialogue.record) if dialogue.record is not None else ()
    texts = {fact.id: fact.text for fact in facts}
    own = len(texts)
    added = rejected = flagged = calls = 0
    held_as = dialogue.format or "they were made elsewhere"
    yield f"# {dialogue.id}: {title or held_as}, style {dialogue.style or 'not given'}"
    for number, part in enumerate(dialogue.rounds, start=1):
        for turn, exchange in enumerate(part.exchanges, start=1):
            added += len(exchange.learned)
            rejected += max(0, len(exchange.attempts) - 1)
            flagged += exchange.flagged
            calls += exchange.calls
            lines = list(_changes(exchange, texts))
            if lines:
                yield f"round {number}, question {turn}: {one_line(exchange.question)}"
                yield from (f"  {line}" for line in lines)
            texts |= {one.fact.id: one.fact.text for one in exchange.learned}
    if dialogue.updating == "none":
        yield "memory is not updated here: nothing was checked, nothing was added"
        return
    engine = dialogue.origin.triplets if dialogue.origin else ""
    yield (
        f"{own} facts of the record, {added} added ({dialogue.updating}); {rejected} replies "
        f"rejected, {flagged} sent although contradictory; {tell_calls(calls, engine)}"
    )


def _changes(exchange: "Exchange", texts: dict[str, str]) -> Iterator[str]:
    """What one question did to the memory."""
    if len(exchange.attempts) > 1 or exchange.flagged:
        yield from tell_attempts(exchange, texts)
    if exchange.lost:
        yield f"nothing learned, the facts could not be read: {one_line(exchange.lost)}"
    for one in exchange.learned:
        yield from tell_learned(one, texts)
        yield f"  from the reply: {one_line(one.reply)}"


def tell_fact(fact: "Fact", text: str) -> str:
    """A fact with its id, a learned one marked; `text` is what may be told of it."""
    if fact.round is None:
        return f"  {fact.id:<4} {text}"
    return f"+ {fact.id:<4} {text}  (learned in round {fact.round}, question {fact.turn})"


def tell_labels(labels: Mapping[str, str], texts: Mapping[str, str]) -> Iterator[str]:
    """What something is to the facts, a line each; `texts` are the facts' words by id."""
    lines = [
        f"{says} {fact}" + (f" ({texts[fact]})" if fact in texts else "")
        for kind, says in SAYS.items()
        for fact, label in labels.items()
        if label == kind
    ]
    yield from lines or ["neutral to every fact"]


def tell_attempts(exchange: "Exchange", texts: Mapping[str, str]) -> Iterator[str]:
    """Every reply made to a question, with its labels and what became of it."""
    for number, attempt in enumerate(exchange.attempts, start=1):
        last = number == len(exchange.attempts)
        fate = "sent" if last else "withdrawn"
        if last and exchange.flagged:
            fate = "sent although it contradicts memory: no try did better"
        yield f"reply {number}, {fate}: {one_line(attempt.reply)}"
        yield from (f"  {line}" for line in tell_labels(attempt.labels, texts))


def tell_learned(learned: "Learned", texts: Mapping[str, str]) -> Iterator[str]:
    """A fact that memory gained, with what it is to the facts before it."""
    yield f"learned {learned.fact.id}: {one_line(learned.fact.text)}"
    yield from (f"  {line}" for line in tell_labels(learned.labels, texts))


def tell_calls(count: int, engine: str) -> str:
    """How much an engine evaluated; the local one calls nobody and computes pairs."""
    if engine.startswith("nli/"):
        return f"{count} computed pairs of a sentence and a fact"
    return f"{count} triplet calls"
