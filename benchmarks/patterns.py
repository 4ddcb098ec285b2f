"""Foreign text is read in linear time: twice the text takes at most 2.5 times as long.

Each reader is given texts that make patterns go back and forth: long runs of one character, or of
a beginning that never ends. What is printed is the worst ratio of the CPU times of 2n and n.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.api.context import Context
from bench.backbones.prompt import JUDGING, Prompt
from bench.backbones.requests import (
    Extract,
    Extracted,
    Judge,
    LabelFacts,
    Labels,
    Reply,
    Request,
    Verdict,
)
from bench.backbones.rules.backbone import Rules
from bench.backbones.structured import parse
from bench.backbones.thinking import without_thinking
from bench.core.errors import UserError
from bench.core.text import runs, sentences, stems
from bench.journal.journal import Journal
from bench.knowledge.library import Library
from bench.records.dialogue import Dialogue
from bench.records.dialogue_files import DialogueFile
from bench.records.formats import Text
from bench.records.record import PatientRecord
from bench.report.text import csv_text, printable
from metrics.conduct import Conduct

SHORT = 20_000
"""Characters of the shorter text."""
MOST = 2.5
"""Times as long that twice the text may take."""
TURNS = 3
"""Times of which the least counts."""
LEAST = 0.05
"""Seconds below which a ratio is noise."""
HOSTILE = (
    "1", "1-", "9.", "1 ", "*", "(", "[a", "* a ", " ", ". ", ".", "'", "\n", "- ", "no ", "and ",
    "that I ", "a, ", "a-", ": ", "A b: ", "{", '{"a": ', "not a ", "J. ",
    "[[", "{}", "{'a", '"', "<", "<think>", "</think>", "<a>b</think> ", "<|channel|>",
)  # fmt: skip
LIBRARY = Library()
OUTLINE = LIBRARY.find("sciatica")
Reader = Callable[[str], object]


def record(text: str) -> PatientRecord:
    """A record that holds a text wherever one can stand."""
    return PatientRecord.model_validate(
        {
            "id": "X",
            "basic_information": {"name": "A B", "gender": "female", "age": 50},
            "epidemiology": {
                "medical_history": [text],
                "lifestyle": [text],
                "vaccination_history": [],
                "family_history": [text],
            },
            "disease_information": {"disease": "Sciatica", "symptoms": [text], "duration": text},
            "examination_results": [
                {"category": "laboratory", "test": "CRP", "value": "5", "finding": text},
                {"category": "laboratory", "test": "CRP", "value": text, "reference_range": text},
            ],
        }
    )


def talk(text: str) -> Dialogue:
    """A dialogue of one answer."""
    said = {"exchanges": [{"question": "What is it?", "answer": text}]}
    return Dialogue.model_validate({"id": "X", "rounds": [said], "record": record("pain")})


def asked(request: Request, answer: type) -> object:
    """What the rules answer."""
    prompt: Prompt[Any] = Prompt(request, (), answer, JUDGING, "X")
    return asyncio.run(Rules(library=LIBRARY).complete(prompt, "0" * 64))


def judged(text: str) -> object:
    """The rules judge a record."""
    if OUTLINE is None:
        raise LookupError("sciatica")
    return asked(Judge(record=record(text).sections(), outline=OUTLINE), Verdict)


def conducted(text: str) -> object:
    """The measures of conduct of a dialogue."""

    async def measured() -> object:
        context = Context(Journal.open(None), LIBRARY)
        try:
            return await Conduct().evaluate(talk(text), context)
        finally:
            await context.journal.close()

    return asyncio.run(measured())


def read(text: str) -> object:
    """A transcript from a file."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "talk.txt"
        path.write_text(f"Doctor: a?\nPatient: {text}\n", encoding="utf-8")
        return list(DialogueFile(path))


READERS: dict[str, Reader] = {
    "sentences": sentences,
    "stems": stems,
    "thinking": without_thinking,
    "an answer's JSON": lambda text: parse(text, Extracted),
    "an object to mend": lambda text: parse(f'{{"facts": [{text}],}}', Extracted),
    "a transcript": read,
    "conduct": conducted,
    "a record as text": lambda text: Text().render(record(text)),
    "a cell of CSV": lambda text: csv_text(["a"], [[text]]),
    "the terminal": printable,
    "runs of eight words": runs,
    "rules: judge": judged,
    "rules: labels": lambda text: asked(
        LabelFacts(statements=(text,), facts={"F1": text, "F2": "Age: 50"}), Labels
    ),
    "rules: extract": lambda text: asked(Extract(text=text), Extracted),
    "rules: reply": lambda text: asked(
        Reply(memory=Text().render(record(text)), history=(), question=text), str
    ),
}


def seconds(reader: Reader, text: str) -> float:
    """Least CPU time of some turns; what cannot be read is read in vain."""
    times = []
    for _ in range(TURNS):
        stems.cache_clear()
        start = time.process_time()
        with contextlib.suppress(UserError, ValueError, RecursionError):
            reader(text)
        times.append(time.process_time() - start)
        if times[-1] > 1:
            break
    return min(times)


def ratios(reader: Reader) -> Iterator[tuple[float, str]]:
    """How many times as long twice each hostile text takes."""
    for part in HOSTILE:
        text = part * (SHORT // len(part))
        once, twice = seconds(reader, text + "x"), seconds(reader, text * 2 + "x")
        yield (twice / once if twice > LEAST else 1.0), part


def main() -> None:
    """Print the worst ratio of each reader."""
    for name, reader in READERS.items():
        worst, part = max(ratios(reader))
        met = "met" if worst <= MOST else "MISSED"
        print(f"{name:<20} {worst:5.2f} x with {json.dumps(part):<8} (goal {MOST} x: {met})")


if __name__ == "__main__":
    main()
