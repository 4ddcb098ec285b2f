"""Reading and writing dialogues, one at a time: JSON Lines, and plain transcripts.

A transcript holds what was said and no more; what else a dialogue knows (attempts, labels, what
memory gained) needs JSON Lines. docs/protocol.md has its grammar.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from bench.core.atomic import write_text
from bench.core.errors import UserError
from bench.core.text import one_line
from bench.records.dialogue import Dialogue
from bench.records.record import SECTIONS, PatientRecord
from bench.records.record_files import ItemFile, json_lines, write_records

TRANSCRIPT = ".txt"
"""Ending of plain transcripts."""
_DIALOGUE = re.compile(r"===\s+(\S.*)")
_ROUND = re.compile(r"##\s*round\s+(\d+)", re.IGNORECASE)
_BREAK = re.compile(r"-{3,}")
_TURN = re.compile(r"(doctor|patient)\s*:(.*)", re.IGNORECASE | re.DOTALL)
_HEADER = re.compile(r"(style|department)\s*:(.*)", re.IGNORECASE | re.DOTALL)
_NAMED = re.compile(r"([^\W\d_][\w.'’-]*(?: [A-Z0-9][\w.'’-]*)?)\s*:(?!//|\d).*", re.DOTALL)


class DialogueFile(ItemFile[Dialogue]):
    """The dialogues of a file, a transcript (`.txt`) or JSON lines; it holds one."""

    def __init__(self, path: str | Path) -> None:
        """Nothing is read yet."""
        super().__init__(path, Dialogue)

    def _rows(self) -> Iterator[tuple[str, object]]:
        return self._spoken() if is_transcript(self.path) else super()._rows()

    def _spoken(self) -> Iterator[tuple[str, object]]:
        draft: _Draft | None = None
        number = 0
        try:
            # Only "\n", "\r\n" and "\r" end a line; a byte order mark is no text.
            with self.path.open(encoding="utf-8-sig") as file:
                for number, line in enumerate(map(str.rstrip, file), start=1):
                    named = _DIALOGUE.fullmatch(line)
                    if named is not None and draft is not None:
                        yield draft.done()
                    if named is not None:
                        draft = _Draft(named[1], number)
                    elif line:
                        # A file without marks is one dialogue, named like the file.
                        draft = draft or _Draft(self.path.stem, number)
                        draft.take(line)
            if draft is not None:
                yield draft.done()
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{self.path} cannot be read as UTF-8 text ({error})") from error
        except ValueError as error:
            raise UserError(f"{self.path}, line {number}: {error}") from error


def holds_dialogues(path: Path) -> bool:
    """Whether a file is a transcript, or its first line of JSON has rounds.

    Raises:
        UserError: if it cannot be read, or its first line is not JSON, or holds neither a dialogue
            nor a record.
    """
    if is_transcript(path) or path.suffix == ".parquet":
        return is_transcript(path)
    for where, first in islice(json_lines(path), 1):
        if isinstance(first, dict) and first.keys() & {"rounds", *SECTIONS}:
            return "rounds" in first
        raise UserError(
            f"{path}, {where}: this is neither a dialogue, which has 'rounds', nor a record, which "
            "has 'basic_information'"
        )
    raise UserError(f"{path} holds no records and no dialogues: it is empty")


def is_transcript(path: Path) -> bool:
    """Whether a file's name says that it is a plain transcript, in either letter case."""
    return path.suffix.lower() == TRANSCRIPT


def write_dialogues(path: Path, dialogues: Iterable[Dialogue]) -> None:
    """Write dialogues; the file appears whole or not at all.

    A path that ends in `.txt` becomes a transcript, any other JSON lines.

    Raises:
        UserError: if it cannot be written.
    """
    if is_transcript(path):
        write_text(path, "".join(map(transcript, dialogues)))
    else:
        write_records(path, dialogues)


def with_records(
    dialogues: Iterable[Dialogue], records: Mapping[str, PatientRecord]
) -> Iterator[Dialogue]:
    """Dialogues in order, each without a record given the one of its id, and its department."""
    for dialogue in dialogues:
        record = records.get(dialogue.id)
        if dialogue.record is None and record is not None:
            department = dialogue.department or record.department
            yield dialogue.model_copy(update={"record": record, "department": department})
        else:
            yield dialogue


def transcript(dialogue: Dialogue) -> str:
    """A dialogue as a plain transcript: id, style, department, and who said what.

    Lines of a turn after its first are indented, so that none is taken for a mark; empty lines
    and spaces at either end of a line are lost.
    """
    lines = [f"=== {one_line(dialogue.id)}"]
    if style := one_line(dialogue.style or ""):
        lines.append(f"Style: {style}")
    if department := one_line(dialogue.department):
        lines.append(f"Department: {department}")
    for number, sitting in enumerate(dialogue.rounds, start=1):
        if len(dialogue.rounds) > 1:
            lines.append(f"## Round {number}")
        for exchange in sitting.exchanges:
            lines.append(_turn("Doctor", exchange.question))
            if exchange.answer is not None:
                lines.append(_turn("Patient", exchange.answer))
    return "\n".join(lines) + "\n\n"


def _turn(who: str, text: str) -> str:
    first, *rest = [line.strip() for line in text.splitlines() if line.strip()] or [""]
    return "\n  ".join([f"{who}: {first}".rstrip(), *rest])


@dataclass
class _Draft:
    """A dialogue as read so far."""

    id: str
    line: int
    """Line at which it began."""
    header: dict[str, str] = field(default_factory=dict)
    """Style and department, where they are said."""
    rounds: list[list[dict[str, str]]] = field(default_factory=lambda: [[]])
    """The exchanges of each round; an open one has no answer yet."""
    turn: str = ""
    """"question" or "answer": what a line without a mark goes on with; empty as a round begins."""

    def take(self, line: str) -> None:
        """Read one line that is not empty; ValueError says what is wrong with the order."""
        if (heading := _ROUND.fullmatch(line)) or _BREAK.fullmatch(line):
            self._next_round(heading and int(heading[1]))
        elif turn := _TURN.fullmatch(line):
            self._say(turn[1].lower(), turn[2].strip())
        elif self.turn:
            self._go_on(line)
        elif not any(self.rounds) and (header := _HEADER.fullmatch(line)):
            if text := header[2].strip():
                self.header[header[1].lower()] = text
        else:
            raise ValueError("a round begins with a line 'Doctor: ...'")

    def _next_round(self, number: int | None) -> None:
        if self.rounds[-1]:
            self.rounds.append([])
        self.turn = ""
        if number not in (None, len(self.rounds)):
            raise ValueError(f"this is round {len(self.rounds)} of {self.id!r}, not {number}")

    def _say(self, who: str, text: str) -> None:
        again = "a turn goes on in lines without a name before them"
        if who == "doctor":
            if self.turn == "question":
                raise ValueError(f"the doctor's question before has no answer; {again}")
            self.rounds[-1].append({"question": text})
            self.turn = "question"
        elif self.turn == "question":
            self.rounds[-1][-1]["answer"] = text
            self.turn = "answer"
        elif self.turn:
            raise ValueError(f"the patient answers twice; {again}")
        else:
            raise ValueError("the patient speaks before any doctor's line; the doctor begins")

    def _go_on(self, line: str) -> None:
        if (named := _NAMED.fullmatch(line)) and not _HEADER.fullmatch(line):
            raise ValueError(
                f"{named[1]!r} is neither 'Doctor' nor 'Patient'; indent the line if it goes on "
                "with the turn before"
            )
        exchange = self.rounds[-1][-1]
        exchange[self.turn] = "\n".join(filter(None, (exchange[self.turn], line.strip())))

    def done(self) -> tuple[str, dict[str, Any]]:
        """The dialogue as data, with a word for the line it began at."""
        rounds = [{"exchanges": exchanges} for exchanges in self.rounds if exchanges]
        return f"line {self.line}", {"id": self.id, **self.header, "rounds": rounds}
