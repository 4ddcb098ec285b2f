"""Rates a dialogue by what can be observed: markers of the style, length, repetition, form."""

import random
import re
from collections.abc import Sequence

from bench.backbones.requests import Rate, Rating
from bench.backbones.rules.phrasing import sentences
from bench.knowledge.library import Library

# Those of the styles (bench/agents/styles.yaml), which stand above this floor; a test compares.
_CAPS = {"plain": 3, "upset": 3, "verbose": 8, "reserved": 3, "tangent": 5, "pleasing": 5}
"""Most sentences of an answer by style (Patient-psi, Wang et al., 2024)."""
_UPSET = (
    r"upset|annoy|frustrat|fed up|angry|ridiculous|unbelievable|!|why (?:does|do|is|are|can)|"
    r"are you even|how often do i|waste of time|sick of|can you finally"
)
_PLEASING = (
    r"thank|whatever you|you (?:know best|are very kind)|i trust|of course|gladly|"
    r"i hope (?:that|i am)|sure you"
)
_TANGENT = r"remind|by the way|speaking of|funny|anyway|the other day|neighbo|did you (?:see|hear)"
_MARKERS = {
    "upset": re.compile(_UPSET, re.IGNORECASE),
    "pleasing": re.compile(_PLEASING, re.IGNORECASE),
    "tangent": re.compile(_TANGENT, re.IGNORECASE),
}
_STAGED = re.compile(
    r"\*[^*]+\*|[\[(](?:sighs?|pauses?|laughs?|smiles?|nods?|coughs?)[^\])]*[\])]", re.I
)
_LONG = 45
"""Words above which a spoken sentence is hard to follow."""


def rate(task: Rate, library: Library, drawn: random.Random) -> Rating:
    """The rating with its reasons; `library` and `drawn` are not needed."""
    answers = [turn.answer.strip() for turn in task.dialogue if turn.answer is not None]
    if not answers:
        return Rating(reasons="There is nothing to rate.", score=task.low)
    if task.rubric.startswith("emotion"):
        lost, reasons = _style_faults(answers, task.manner.get("style", "").rpartition(":")[2])
    else:
        lost, reasons = _form_faults(answers)
    score = round(task.high - lost * (task.high - task.low))
    return Rating(
        reasons="; ".join(reasons) if reasons else "No fault was found.",
        score=min(task.high, max(task.low, score)),
    )


def _style_faults(answers: Sequence[str], style: str) -> tuple[float, list[str]]:
    """The share of the scale to take off, and why."""
    count = len(answers)
    counts = [len(sentences(answer)) for answer in answers]
    cap = _CAPS.get(style, 5)
    over = sum(length > cap for length in counts) / count
    lacking, what = _lacking(answers, counts, style)
    staged = sum(bool(_STAGED.search(answer)) for answer in answers) / count
    found = [
        (lacking, f"{lacking:.0%} of the answers {what}", 0.7),
        (over, f"{over:.0%} of the answers are over {cap} sentences", 0.5),
        (staged, f"{staged:.0%} of the answers hold stage directions", 0.3),
    ]
    return sum(share * weight for share, _, weight in found), [
        why for share, why, _ in found if share
    ]


def _lacking(answers: Sequence[str], counts: Sequence[int], style: str) -> tuple[float, str]:
    """The share of answers that do not show the style, and how they fail."""
    if style in _MARKERS:
        shown = sum(bool(_MARKERS[style].search(answer)) for answer in answers)
        return 1 - shown / len(answers), f"show no sign of the style {style}"
    if style == "verbose":
        return sum(length < 3 for length in counts) / len(counts), "are short for somebody verbose"
    if style == "reserved":
        open_ = [len(one.split()) > 30 or bool(_MARKERS["upset"].search(one)) for one in answers]
        return sum(open_) / len(answers), "are long or heated for somebody reserved"
    upset = sum(bool(_MARKERS["upset"].search(answer)) for answer in answers)
    return upset / len(answers), "show more feeling than a plain talker would"


def _form_faults(answers: Sequence[str]) -> tuple[float, list[str]]:
    """The share of the scale to take off for how it is said, and why."""
    count = len(answers)
    repeated = count - len({answer.lower() for answer in answers})
    staged = sum(bool(_STAGED.search(answer)) for answer in answers)
    unended = sum(not answer.endswith((".", "!", "?", '"', "”")) for answer in answers)
    listed = sum(bool(re.search(r"^\s*[-*•\d]+[.)]?\s|\w:\s", answer, re.M)) for answer in answers)
    long = sum(any(len(one.split()) > _LONG for one in sentences(answer)) for answer in answers)
    empty = sum(not answer for answer in answers)
    found = [
        (repeated, "repeat an earlier answer", 1.0),
        (staged, "hold stage directions", 0.5),
        (unended, "break off or lack an end", 0.5),
        (listed, "read like a list or a form", 0.3),
        (long, f"have a sentence of more than {_LONG} words", 0.4),
        (empty, "are empty", 1.0),
    ]
    lost = sum(number / count * weight for number, _, weight in found)
    return lost, [f"{number} of {count} answers {why}" for number, why, _ in found if number]
