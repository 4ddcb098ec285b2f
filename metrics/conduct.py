"""Conduct: what a patient agent does wrong that no model is needed to see."""

import re
from collections.abc import Callable, Iterator, Sequence
from hashlib import sha256
from importlib.metadata import version
from typing import ClassVar

from bench.agents.styles import FILE, styles
from bench.api.context import Context
from bench.api.evaluation import Evaluation
from bench.api.metric import MetricCard, PartCard
from bench.api.score import Direction
from bench.core.text import folded, one_line, sentences, stems
from bench.knowledge.library import Library
from bench.records.dialogue import Dialogue, Exchange
from bench.records.formats import facts
from bench.records.record import PatientRecord
from metrics.rating import NO_STYLE

ALIKE = 95
"""Similarity (rapidfuzz ratio, 0 to 100) from which two replies are one reply repeated."""
SHORT = 3
"""Words up to which a reply repeats nothing: "No, never." is an answer twice."""
Values = Sequence[float] | str
"""A measure's values of one dialogue, or why it has none."""


def over_cap(dialogue: Dialogue) -> Values:
    """Share of replies with more sentences than their style allows (`bench.core.text`)."""
    if dialogue.style is None:
        return NO_STYLE
    style = styles().get(dialogue.style)
    if style is None:
        return f"the style {dialogue.style!r} has no sentence cap"
    return [float(len(sentences(reply)) > style.sentences) for reply in _replies(dialogue)]


def leaked_diagnosis(dialogue: Dialogue, library: Library) -> Values:
    """Share of dialogues in which a reply names the disease of the record.

    Names are the record's disease, the one that was planned, and all that the outlines call
    either, with and without what stands in brackets, word by word; letter case, possessives and
    plural endings do not count, but a name in capitals of up to five letters is matched as written.
    A name that the record also states among history, habits, family or complaints is no secret
    ("Father had kidney stones"). Denied or supposed, a name counts: it is not the patient's to say.
    """
    if dialogue.record is None:
        return "no record to compare with (add --records FILE)"
    watched = _watched(dialogue.record, library)
    return [float(any(_names(name, text) for text in _replies(dialogue) for name in watched))]


def repeated_replies(dialogue: Dialogue) -> Values:
    """Share of replies that repeat an earlier one of the same round.

    Two replies are one if their rapidfuzz ratio is at least 95, letter case and spaces folded. A
    reply of up to three words repeats nothing. Rounds stand apart: a patient who is asked the same
    in another consultation does well to answer the same.
    """
    from rapidfuzz.fuzz import ratio

    repeats: list[float] = []
    for conversation in dialogue.rounds:
        before: list[str] = []
        for exchange in conversation.exchanges:
            if exchange.answer is None:
                continue
            reply = folded(exchange.answer)
            long = len(reply.split()) > SHORT
            again = long and any(ratio(reply, earlier, score_cutoff=ALIKE) for earlier in before)
            repeats.append(float(again))
            before.append(reply)
    return repeats


def stage_directions(dialogue: Dialogue) -> Values:
    """Share of replies with words in *asterisks*, (parentheses) or [brackets] that tell an act.

    An act begins with a verb, noun or adverb of `ACT`: "(sighs)", "*looks away*", "[long pause]".
    Emphasis ("*really*") and asides ("(about 5 mg)") are none.
    """
    return [float(any(map(is_act, _asides(reply)))) for reply in _replies(dialogue)]


def contradictions_left(dialogue: Dialogue) -> Values:
    """Share of checked replies that were sent although they contradict memory."""
    return [float(exchange.flagged) for exchange in _checked(dialogue)] or UNCHECKED


def retries_per_turn(dialogue: Dialogue) -> Values:
    """Mean number of replies that were made anew, over checked replies."""
    return [float(len(exchange.attempts) - 1) for exchange in _checked(dialogue)] or UNCHECKED


def facts_added(dialogue: Dialogue) -> Values:
    """Mean number of facts that memory gained in a dialogue, where memory was updated.

    Neither more nor fewer is better in itself; the direction is that of the paper's aim.
    """
    if dialogue.updating == "none":
        return NOT_UPDATED
    return [float(sum(len(exchange.learned) for exchange in dialogue.exchanges()))]


def extractions_lost(dialogue: Dialogue) -> Values:
    """Share of accepted replies whose new facts could not be had or labelled.

    A reply that was sent although it contradicts memory teaches nothing by rule and is not counted.
    """
    if dialogue.updating == "none":
        return NOT_UPDATED
    accepted = [exchange for exchange in _checked(dialogue) if not exchange.flagged]
    lost = [float(exchange.lost is not None) for exchange in accepted]
    return lost or "no reply was checked and accepted"


def triplet_calls_per_turn(dialogue: Dialogue) -> Values:
    """Mean number of triplet evaluations, in calls, over checked replies."""
    return [float(exchange.calls) for exchange in _checked(dialogue)] or UNCHECKED


UNCHECKED = "no reply was checked against memory"
NOT_UPDATED = "memory was not updated"


def _of_replies(name: str, unit: str = "share", *pins: str) -> PartCard:
    """A measure with a value for each reply."""
    return PartCard(name, unit, "lower", per="answer", pins="|".join(("per:reply", *pins)))


def _of_dialogue(name: str, unit: str, better: Direction = "lower") -> PartCard:
    """A measure with a value for each dialogue."""
    return PartCard(name, unit, better, pins="per:dialogue")


REPEATED = ("share", f"ratio:{ALIKE}", f"over {SHORT} words")
LEAKED = _of_dialogue("leaked-diagnosis", "share")
MEASURES: dict[PartCard, Callable[..., Values]] = {
    _of_replies("over-cap"): over_cap,
    LEAKED: leaked_diagnosis,
    _of_replies("repeated-replies", *REPEATED): repeated_replies,
    _of_replies("stage-directions"): stage_directions,
    _of_replies("contradictions-left"): contradictions_left,
    _of_replies("retries-per-turn", "retries"): retries_per_turn,
    _of_dialogue("facts-added", "facts", "higher"): facts_added,
    _of_replies("extractions-lost"): extractions_lost,
    _of_replies("triplet-calls-per-turn", "calls"): triplet_calls_per_turn,
}
"""Each gives its values of a dialogue; that of leaked diagnoses is given the outlines, too."""


class Conduct:
    """Nine measures of conduct, each a part of its own; nobody is asked.

    Each function above is the exact definition of one. A dialogue that lacks what a measure needs
    (a record, a known style, the attempts behind a reply) is missing from it, with the reason.
    """

    card: ClassVar[MetricCard] = MetricCard(
        name="conduct",
        summary="Over-long, repeated, staged or leaking replies, retries, facts added; no model.",
        unit="share",
        better="lower",
        takes="dialogues",
        parts=tuple(MEASURES),
        whole=False,
    )

    async def evaluate(self, dialogue: Dialogue, context: Context) -> Evaluation:
        """Every measure of a dialogue."""
        values: dict[str, tuple[float, ...]] = {}
        left_out: dict[str, str] = {}
        missing: dict[str, int] = {}
        for part, measure in MEASURES.items():
            known = (context.outlines,) if part is LEAKED else ()
            counted = measure(dialogue, *known)
            if isinstance(counted, str):
                left_out[part.name] = counted
                missing[part.name] = len(dialogue.answered()) if part.per == "answer" else 1
            else:
                values[part.name] = tuple(counted)
        return Evaluation(values=values, left_out=left_out, missing=missing)

    def signature(self, context: Context) -> str:
        """The code, the names that leak, and the styles' caps."""
        parts = (
            f"pzbench:{version('patient-zero-bench')}",
            f"outlines:{context.outlines.digest[:12]}",
            f"styles:{sha256(FILE.read_bytes()).hexdigest()[:12]}",
        )
        return "|".join(parts)


def _replies(dialogue: Dialogue) -> Iterator[str]:
    return (exchange.answer for exchange in dialogue.exchanges() if exchange.answer is not None)


def _checked(dialogue: Dialogue) -> list[Exchange]:
    """The exchanges whose replies somebody held against memory."""
    # Ours name who checked; others may tell of attempts without it.
    if dialogue.origin is not None and not dialogue.origin.triplets:
        return []
    return [exchange for exchange in dialogue.answered() if exchange.attempts]


# Names of the disease

OPEN = ("epidemiology.", "disease_information.symptoms", "disease_information.duration", "profile.")
"""Fields that a patient tells freely."""


def _watched(record: PatientRecord, library: Library) -> set[str]:
    """The names that a patient with this record is not to say."""
    names: set[str] = set()
    for disease in (record.disease_information.disease, record.planned_disease):
        listing = library.listing(disease)
        for name in (disease, *((listing.name, *listing.synonyms) if listing else ())):
            names |= {name, name.partition(" (")[0]}
    freely = " ; ".join(fact.value for fact in facts(record) if fact.path.startswith(OPEN))
    return {name for name in names if not _names(name, freely)}


def _names(name: str, text: str) -> bool:
    """Whether a text holds the words of a name, one after the other."""
    if len(name) <= 5 and name.isupper():
        return name in re.findall(r"\w+", text)
    wanted = " ".join(stems(name))
    return bool(wanted) and f" {wanted} " in f" {' '.join(stems(text))} "


# Stage directions

# Possessive, from the first asterisk of a run: a run is read once, an aside is at most 100 long.
_ASIDE = re.compile(
    r"(?<!\*)\*++([^*\n]{1,100}+)\*|\(([^()\n]{1,100}+)\)|\[([^\[\]\n]{1,100}+)\]"
    r"|（([^（）\n]{1,100}+)）"
)
_LEAD = (
    r"(?:(?:he|she|they|the|patient|a|an|then|and|still|long|short|brief|deep|slight|heavy)\s+)*"
)
ACT = re.compile(
    rf"""{_LEAD}(?:\w+ly,?\s+)?{_LEAD}(?:
    (?:sigh|paus|laugh|smil|nodd?|shrugg?|frown|hesitat|whisper|mutter|mumbl|chuckl|giggl|grinn?
      |fidget|glanc|stammer|stutter|sniffl|gestur|lean|star|grumbl|snapp?|scoff|smirk|blush
      |winc|grimac|trembl|groan|swallow|gasp|exhal|inhal)(?:e?s|ing)
    |sigh|pause|laugh|laughter|smile|nod|shrug|chuckle|silence|silent|sobs?|tearful
    |cries|shakes|shivers|rubs|holds|clutches|touches|points|scratches|coughs|clears|wrings|rolls
    |crosses|folds|wipes|shifts|breathes|(?:takes?|taking)\ an?(?:other)?\ (?:\w+\ )?breath
    |look(?:s|ing)\ (?:away|down|up|around|towards?|at\ (?:the|his|her|you)|nervous|worried)
    |voice\ (?:\w+ly\ )?(?:break|crack|trembl|shak|ris|drop|falter|low|quiet)\w*
    |eyes\ (?:\w+ly\ )?(?:well|fill|widen|wide|lower|down|dart)\w*
    |(?:in|with)\ an?\ (?:\w+\ )?(?:voice|tone|sigh|laugh|smile|shrug|frown|nod|grin|chuckle)
    |(?:nervous|soft|quiet|tearful|hesitant|anxious|sheepish|sad|irritated|defensive)ly$
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
"""What an act begins with, after "the patient", an article or an adverb."""


def _asides(text: str) -> Iterator[str]:
    """What stands in asterisks, parentheses or brackets."""
    for match in _ASIDE.finditer(text):
        yield one_line(match[match.lastindex or 0])


def is_act(aside: str) -> bool:
    """Whether an aside tells of an act, a voice or a silence."""
    return ACT.match(aside) is not None
