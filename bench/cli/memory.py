"""`pzbench memory`: what a patient's memory gained in a run, and what it kept out."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import typer

from bench.cli.paths import usable

if TYPE_CHECKING:
    from bench.records.dialogue import Dialogue, Exchange
    from bench.records.dialogue_files import DialogueFile


class _Filed(NamedTuple):
    """A file of dialogues, and what the run says of it; empty for one that is in no run."""

    dialogues: "DialogueFile"
    backbone: str = ""
    method: str = ""
    interaction: str = ""
    format: str = ""

    @property
    def title(self) -> str:
        parts = (
            self.interaction,
            self.format,
            self.method,
            self.backbone and f"by {self.backbone}",
        )
        return " ".join(part for part in parts if part)


def memory(
    run: Path = typer.Argument(callback=usable, help="Run folder, or a file of dialogues."),
    patient: str = typer.Argument(help="Id of the patient."),
    form: str | None = typer.Option(None, "--format", help="Only this format of the record."),
    interaction: str | None = typer.Option(
        None, "--interaction", help="Only this interaction, for instance cross-with."
    ),
) -> None:
    """Show how a patient's memory changed: facts added, replies rejected, and why."""
    from bench.cli.find_patient import unknown_patient
    from bench.core.errors import UserError
    from bench.core.registry import nearest
    from bench.report.tables import printable

    filed = _filed(run)
    for option, given in (("interaction", interaction), ("format", form)):
        if given is not None and run.is_file():
            raise UserError(f"--{option} tells the files of a run apart, and {run} is one file")
        known = sorted({getattr(one, option) for one in filed})
        if given is not None and given not in known:
            raise UserError(f"{run} holds no {option} {given!r}{nearest(given, known)}")
        filed = [one for one in filed if given in (None, getattr(one, option))]
    ids: list[str] = []
    found = False
    for one in filed:
        for dialogue in one.dialogues:
            ids.append(dialogue.id)
            if dialogue.id == patient:
                found = True
                lines = "\n".join(_told(dialogue, one.title))
                typer.echo(printable(f"{lines}\n"))
    if not found:
        raise unknown_patient(run, patient, ids)


def _filed(run: Path) -> list[_Filed]:
    """The files of dialogues of a run, or the one that was named.

    Raises:
        UserError: if there are none.
    """
    from bench.core.errors import UserError
    from bench.records.dialogue_files import DialogueFile
    from bench.runs.folder import RunFolder

    if run.is_file():
        return [_Filed(DialogueFile(run))]
    folder = RunFolder(run)
    found = [
        _Filed(DialogueFile(path), talk.backbone, talk.method, talk.interaction, talk.format)
        for cell in folder.cells()
        for talk in folder.talks(cell)
        if talk.interaction and talk.format and (path := folder.dialogues(talk)).exists()
    ]
    if not found:
        raise UserError(f"{run} holds no dialogues; `pzbench list runs` shows the runs there are")
    return found


def _told(dialogue: "Dialogue", title: str) -> Iterator[str]:
    """The log of one dialogue's memory, in lines."""
    from bench.agents.memory import decompose_record
    from bench.cli.memory_lines import one_line, tell_calls

    facts = dialogue.facts
    if facts is None:
        facts = decompose_record(dialogue.record) if dialogue.record is not None else ()
    texts = {fact.id: fact.text for fact in facts}
    held = len(texts)
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
        f"{held} facts of the record, {added} added ({dialogue.updating}); {rejected} replies "
        f"rejected, {flagged} sent although contradictory; {tell_calls(calls, engine, 'triplet ')}"
    )


def _changes(exchange: "Exchange", texts: dict[str, str]) -> Iterator[str]:
    """What one question did to the memory."""
    from bench.cli.memory_lines import one_line, tell_contradictory, tell_learned

    for attempt in exchange.attempts[:-1]:
        yield from tell_contradictory("rejected reply", attempt, texts)
    if exchange.flagged:
        what = "sent all the same, and nothing learned"
        yield from tell_contradictory(what, exchange.attempts[-1], texts)
    if exchange.lost:
        yield f"nothing learned, the facts could not be read: {one_line(exchange.lost)}"
    for one in exchange.learned:
        yield from tell_learned(one, texts)
        yield f"  from the reply: {one_line(one.reply)}"
