"""What a conversation puts on the screen: no word is broken at its edge, and a patient's reply is
heard while it is made."""

import math
import re
from collections.abc import Callable

import typer
from rich.cells import cell_len
from rich.console import Console

from bench.backbones.prompt import Answer, Prompt, T
from bench.backbones.requests import Reply
from bench.backbones.respondent import Respondent
from bench.cli.screen import say
from bench.report.text import printable

PATIENT = "Patient: "
_SPACE = re.compile(r"(\s+)")


def note(text: str) -> None:
    """A remark that nobody in the conversation makes."""
    say(f"[{text}]", "dim")


class Flow:
    """One speech in pieces: each word is printed once it is whole, on a line that has room."""

    def __init__(self, start: str) -> None:
        """Begin a line."""
        console = Console()
        self._width = console.width if console.is_terminal else math.inf
        """Cells of a line."""
        self._column = cell_len(start)
        self._space = self._word = ""
        typer.echo(start, nl=False)

    def add(self, piece: str) -> None:
        """Print the words that are whole by now."""
        *whole, self._word = _SPACE.split(self._word + piece)
        for word, space in zip(whole[::2], whole[1::2], strict=True):
            self._print(word)
            self._space += space

    def end(self) -> None:
        """Print what is left, and end the line."""
        self._print(self._word)
        typer.echo()

    def _print(self, word: str) -> None:
        if not word:
            return
        shown = printable(word)
        if "\n" in self._space:
            self._column = 0
        elif self._width < self._column + cell_len(self._space + shown):
            self._space, self._column = "\n", 0
        typer.echo(self._space + shown, nl=False)
        self._column += cell_len(self._space.rpartition("\n")[2] + shown)
        self._space = ""


class Voice:
    """One answer on the screen: what is heard of it while it is made, and its end."""

    def __init__(self, shown: Callable[[str], str]) -> None:
        """`shown` tells a fact's text as the doctor may see it."""
        self._shown = shown
        self._flow: Flow | None = None
        self._heard = ""
        self._over = False
        self.withdrawn = False
        """Whether something was heard that is not the answer."""

    def begin(self, avoid: tuple[str, ...]) -> Callable[[str], None] | None:
        """A reply is about to be made; who hears it, or none for one made again."""
        if not avoid:
            return self.hear
        against = "; ".join(self._shown(text) for text in avoid)
        self._withdraw(f"withdrawn, for it contradicts what the patient knows: {against}")
        return None

    def hear(self, piece: str) -> None:
        """Show a piece of the reply, unless its question was given up."""
        if self._over:
            return
        if self._flow is None:
            piece = piece.lstrip()
            if not piece:
                return
            self._flow = Flow(PATIENT)
        self._heard += piece
        self._flow.add(piece)

    def end(self, answer: str) -> None:
        """Show the answer, or the end of it."""
        self._over = True
        if self._flow is not None and self._heard.strip() == answer:
            self._flow.end()
        else:
            self._withdraw("withdrawn: it was no whole answer")
            say(PATIENT + answer)

    def fail(self) -> None:
        """There will be no answer."""
        self._over = True
        self._withdraw("withdrawn")

    def _withdraw(self, why: str) -> None:
        if self._flow is not None:
            self._flow.end()
            note(why)
            self.withdrawn, self._flow, self._heard = True, None, ""


class Aloud(Respondent):
    """Answers in the patient's role, replies heard while they are made."""

    voice: Voice | None = None

    async def ask(
        self, prompt: Prompt[T], on_text: Callable[[str], None] | None = None
    ) -> Answer[T]:
        if isinstance(prompt.request, Reply) and self.voice is not None:
            on_text = self.voice.begin(prompt.request.avoid)
        return await super().ask(prompt, on_text)
