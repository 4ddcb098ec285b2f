"""A consultation in the terminal: a person asks as the doctor, a patient agent answers."""

import asyncio
import contextlib
import sys
from collections.abc import Callable
from pathlib import Path

import typer

from bench.agents.interview import Setting
from bench.agents.memory import Memory, is_private
from bench.agents.patient import Patient
from bench.agents.triplets import Engine
from bench.api.failure import Failure, guarded
from bench.backbones.requests import turns
from bench.cli.memory import tell_attempts, tell_calls, tell_fact, tell_learned
from bench.cli.screen import say
from bench.cli.voice import Aloud, Voice, note
from bench.core.errors import UserError
from bench.core.registry import nearest
from bench.knowledge.disease_names import judge_guess
from bench.knowledge.library import Library
from bench.records.dialogue import Dialogue, DialogueOrigin, Exchange, Fact, Round
from bench.records.dialogue_files import write_dialogues
from bench.records.record import PatientRecord

COMMANDS = {
    "/memory": "what the patient holds, what it learned marked with +",
    "/why": "how the last reply was checked: what it entails or contradicts, what was learned",
    "/diagnose": "NAME: check your diagnosis; the right one is told then",
    "/round": "a further consultation: what was said is forgotten, what was learned is not",
    "/save": "FILE: keep the dialogue, as JSON lines or (.txt) as a transcript",
    "/help": "this list",
    "/quit": "end; so does Ctrl-D. Ctrl-C ends a reply that takes too long",
}
HIDDEN = "hidden until /diagnose"
"""Stands for what only the agent is to know."""
MOST_NAMES = 5
"""Diseases listed that a guess may mean."""


class Consultation:
    """What a person and a patient say to each other, and the commands in between."""

    def __init__(
        self,
        record: PatientRecord,
        setting: Setting,
        patient: Aloud,
        engine: Engine | None,
        library: Library,
    ) -> None:
        """Nothing is said yet; the setting's rounds and questions are the doctor's to choose."""
        self._record = record
        self._setting = setting
        self._respondent = patient
        self._engine = engine
        self._library = library
        self._memory = Memory(record, setting.format)
        self._rounds: list[list[Exchange]] = [[]]
        self._revealed = False
        self._lost = 0
        self._own: set[Path] = set()
        self._commands: dict[str, Callable[[str], None]] = {
            "/memory": self._show_memory,
            "/why": self._show_why,
            "/diagnose": self._diagnose,
            "/round": self._next_round,
            "/save": self._save_as,
            "/help": self._help,
        }

    def hold(self, runner: asyncio.Runner) -> None:
        """Ask and answer to the end of the input."""
        if sys.stdin is None:  # closed by whoever started us
            return
        # What is typed or piped in may be no text at all: a wrong byte ends no conversation.
        if hasattr(sys.stdin, "reconfigure"):
            sys.stdin.reconfigure(errors="replace")
        while (line := _read()) is not None:
            word, _, rest = line.partition(" ")
            if not word.startswith("/"):
                self._ask(runner, line)
            elif word == "/quit":
                return
            elif word in self._commands:
                try:
                    self._commands[word](rest.strip())
                except (UserError, OSError, RuntimeError, ValueError) as error:
                    note(str(error))  # the last three of names that no file can have
            else:
                note(f"there is no command {word}{nearest(word, list(COMMANDS))}")

    def save(self, path: Path) -> None:
        """Write the dialogue, unless nothing was said.

        Raises:
            UserError: if the file is there already, or cannot be written.
        """
        if not any(self._rounds):
            note("nothing was said yet: there is nothing to save")
            return
        if path.exists() and path.resolve() not in self._own:
            raise UserError(f"{path} is there already: name another file")
        write_dialogues(path, [self.dialogue()])
        self._own.add(path.resolve())
        note(f"wrote {path}; `pzbench score {path}` scores it")

    def dialogue(self) -> Dialogue:
        """What was said so far."""
        return Dialogue(
            id=self._record.id,
            department=self._record.department,
            manner=dict(self._setting.manner),
            format=self._setting.format,
            updating=self._setting.updating,
            rounds=tuple(Round(exchanges=tuple(sitting)) for sitting in self._rounds if sitting),
            record=self._record,
            origin=DialogueOrigin(
                patient=self._respondent.pinned,
                doctor="person",
                triplets=self._engine.name if self._engine else "",
            ),
        )

    def _ask(self, runner: asyncio.Runner, question: str) -> None:
        """Put a question; whatever goes wrong, the conversation goes on."""
        sitting = self._rounds[-1]
        history = turns(sitting)
        # A question that got no answer, asked again, is another draw.
        again = f"/again{self._lost}" if self._lost else ""
        patient = Patient(
            self._memory,
            self._setting.manner,
            self._respondent,
            self._engine,
            self._setting.updating,
            f"{self._setting.replicate}/{self._record.id}{again}",
        )
        voice = self._respondent.voice = Voice(self._shown_text)
        where = len(self._rounds), len(sitting) + 1
        try:
            exchange = runner.run(guarded(patient.answer(question, history, *where), "", "reply"))
            if not isinstance(exchange, Failure):
                voice.end(exchange.answer or "")
                sitting.append(exchange)
                self._remark(exchange, voice)
                return
            why = f"no answer ({exchange.outcome}): {exchange.reason}"
        except UserError as error:
            why = f"no answer: {error}"
        except KeyboardInterrupt:
            why = "stopped"
        voice.fail()
        self._lost += 1
        note(f"{why}; ask again, or something else")

    def _remark(self, exchange: Exchange, voice: Voice) -> None:
        """Say what the answer alone does not show."""
        earlier = len(exchange.attempts) - 1
        if exchange.flagged:
            note(f"it contradicts what the patient knows, as did {earlier} before it; see /why")
        elif earlier and not voice.withdrawn:
            note(f"withdrawn before this one: {earlier}; see /why")

    def _shown(self, fact: Fact) -> str:
        """A fact as the doctor may see it."""
        hidden = is_private(fact) and not self._revealed
        return HIDDEN if hidden else fact.text

    def _shown_text(self, text: str) -> str:
        hidden = [self._shown(fact) for fact in self._memory.facts if fact.text == text]
        return (hidden or [text])[0]

    def _show_memory(self, _: str) -> None:
        for fact in self._memory.facts:
            say(tell_fact(fact, self._shown(fact)))

    def _show_why(self, _: str) -> None:
        last = next((sitting[-1] for sitting in reversed(self._rounds) if sitting), None)
        if last is None:
            note("nothing was said yet")
            return
        if self._engine is None:
            note("nothing was checked: --updating is none")
            return
        texts = {fact.id: self._shown(fact) for fact in self._memory.facts}
        lines = [*tell_attempts(last, texts)]
        lines += (line for gain in last.learned for line in tell_learned(gain, texts))
        calls = tell_calls(last.calls, self._engine.name)
        learned = "" if last.learned else "nothing was learned; "
        for line in (*lines, f"{learned}checked in {calls} of {self._engine.name}"):
            say(line)

    def _diagnose(self, guess: str) -> None:
        if not guess:
            note("say which: /diagnose NAME")
            return
        disease = self._record.disease_information.disease
        diseases = [disease, self._record.planned_disease]
        judgement = judge_guess(guess, diseases, self._library)
        if judgement.verdict == "several":
            meant = ", ".join(judgement.understood[:MOST_NAMES])
            more = ", ..." if len(judgement.understood) > MOST_NAMES else ""
            note(f"name one disease{f'; that may be {meant}{more}' if meant else ''}")
            return
        self._revealed = True
        word = "Right" if judgement.verdict == "right" else "No"
        say(f"{word}: the diagnosis is {disease}.")

    def _next_round(self, _: str) -> None:
        if not self._rounds[-1]:
            note("nothing was asked in this round yet")
            return
        self._rounds.append([])
        note(f"round {len(self._rounds)}: nobody remembers what was said, but for /memory")

    def _save_as(self, name: str) -> None:
        if not name:
            note("say where: /save FILE")
            return
        self.save(Path(name.strip("\"'")).expanduser())

    def _help(self, _: str) -> None:
        for command, text in COMMANDS.items():
            say(f"  {command:<10} {text}")


def _read() -> str | None:
    """The doctor's next line that is not empty; none at the end.

    Where nobody types, the line is shown, so that what is printed reads as a transcript.
    """
    typing = sys.stdin.isatty() and sys.stdout.isatty()
    if typing:
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  (makes the line editable)
    while True:
        try:
            line = input("Doctor: " if typing else "")
        except EOFError:
            typer.echo("\n" if typing else "", nl=False)
            return None
        except KeyboardInterrupt:
            typer.echo()
            note("/quit or Ctrl-D ends")
            continue
        if line.strip():
            if not typing:
                say(f"Doctor: {line.strip()}")
            return line.strip()
