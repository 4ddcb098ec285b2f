"""Conduct: what a patient agent does wrong that no model is needed to see."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from typing import ClassVar, Literal

from bench.agents.styles import FILE, styles
from bench.api.context import Context
from bench.api.metric import Direction, MetricCard, Score, Talks
from bench.core.sentences import sentences
from bench.knowledge.library import Library
from bench.records.dialogue import Dialogue, Exchange
from bench.records.formats import facts
from bench.records.record import PatientRecord
from bench.scoring.clusters import Pool
from bench.scoring.ratings import NO_STYLE

ALIKE = 95
"""Similarity (rapidfuzz ratio, 0 to 100) from which two replies are one reply repeated."""
SHORT = 3
"""Words up to which a reply repeats nothing: "No, never." is an answer twice."""
Values = Sequence[float] | str
"""A measure's values of one dialogue, or why it has none."""


@dataclass(frozen=True)
class Measure:
    """One thing that is counted."""

    name: str
    unit: str
    of: Callable[[Dialogue, Library], Values]
    """Gives one value for each reply (or one for the dialogue)."""
    each: Literal["reply", "dialogue"] = "reply"
    better: Direction = "lower"
    pins: str = ""
    """What else pins its meaning."""


class Conduct:
    """Nine measures of conduct, each under a name of its own; nobody is asked.

    Each function below is the exact definition of one. A dialogue that lacks what a measure needs
    (a record, a known style, the attempts behind a reply) is missing from it, with the reason.
    """

    card: ClassVar[MetricCard] = MetricCard(
        name="conduct",
        summary="Over-long, repeated, staged or leaking replies, retries, facts added; no model.",
        unit="share",
        better="lower",
        takes="dialogues",
    )

    async def score(self, items: Talks, context: Context) -> tuple[Score, ...]:
        """One score for each measure, in the order of `MEASURES`."""
        pools = [Pool() for _ in MEASURES]
        for dialogue in items:
            for measure, pool in zip(MEASURES, pools, strict=True):
                found = measure.of(dialogue, context.outlines)
                if isinstance(found, str):
                    replies = len(dialogue.exchanges()) if measure.each == "reply" else 1
                    pool.leave_out(dialogue, found, replies)
                else:
                    pool.add(dialogue, found)
        return tuple(
            pool.score(
                f"{self.card.name}/{measure.name}",
                measure.unit,
                measure.better,
                unseen=items.missing
                * (max(pool.longest, items.answers) if measure.each == "reply" else 1),
                range_=(0.0, 1.0) if measure.unit == "share" else None,
                signature=_signature(measure, context),
            )
            for measure, pool in zip(MEASURES, pools, strict=True)
        )


def _signature(measure: Measure, context: Context) -> str:
    parts = (
        f"pzbench:{version('patient-zero-bench')}",
        f"outlines:{context.outlines.digest[:12]}",
        f"styles:{sha256(FILE.read_bytes()).hexdigest()[:12]}",
        f"per:{measure.each}",
        measure.pins,
    )
    return "|".join(filter(None, parts))


def over_cap(dialogue: Dialogue, library: Library) -> Values:
    """Share of replies with more sentences than their style allows (`bench.core.sentences`)."""
    if dialogue.style is None:
        return NO_STYLE
    style = styles().get(dialogue.style)
    if style is None:
        return f"the style {dialogue.style!r} has no sentence cap"
    return [float(len(sentences(reply)) > style.sentences) for reply in _replies(dialogue)]


def leaked_diagnosis(dialogue: Dialogue, library: Library) -> Values:
    """Share of dialogues in which a reply names the disease of the record.

    Names are the record's disease, the one that was planned, and all that the outlines call
    either, with and without what stands in brackets; letter case, apostrophes, hyphens and a
    plural ending do not count, but a name in capitals of up to five letters is matched as written.
    A name that the record also states among history, habits, family or complaints is no secret
    ("Father had kidney stones"). Denied or supposed, a name counts: it is not the patient's to say.
    """
    if dialogue.record is None:
        return "no record to compare with (add --records FILE)"
    watched = _watched(dialogue.record, library)
    return [float(any(_names(watched, reply) for reply in _replies(dialogue)))]


def repeated_replies(dialogue: Dialogue, library: Library) -> Values:
    """Share of replies that repeat an earlier one of the same round.

    Two replies are one if their rapidfuzz ratio is at least 95, letter case and spaces folded. A
    reply of up to three words repeats nothing. Rounds stand apart: a patient who is asked the same
    in another consultation does well to answer the same.
    """
    from rapidfuzz.fuzz import ratio

    found: list[float] = []
    for part in dialogue.rounds:
        said: list[str] = []
        for exchange in part.exchanges:
            reply = " ".join(exchange.answer.split()).casefold()
            long = len(reply.split()) > SHORT
            again = long and any(ratio(reply, one, score_cutoff=ALIKE) for one in said)
            found.append(float(again))
            said.append(reply)
    return found


def stage_directions(dialogue: Dialogue, library: Library) -> Values:
    """Share of replies with words in *asterisks*, (parentheses) or [brackets] that tell an act.

    An act begins with a verb, noun or adverb of `ACT`: "(sighs)", "*looks away*", "[long pause]".
    Emphasis ("*really*") and asides ("(about 5 mg)") are none.
    """
    return [float(any(map(is_act, _asides(reply)))) for reply in _replies(dialogue)]


def contradictions_left(dialogue: Dialogue, library: Library) -> Values:
    """Share of checked replies that were sent although they contradict memory."""
    return [float(one.flagged) for one in _checked(dialogue)] or UNCHECKED


def retries_per_turn(dialogue: Dialogue, library: Library) -> Values:
    """Mean number of replies that were made anew, over checked replies."""
    return [float(len(one.attempts) - 1) for one in _checked(dialogue)] or UNCHECKED


def facts_added(dialogue: Dialogue, library: Library) -> Values:
    """Mean number of facts that memory gained in a dialogue, where memory was updated.

    Neither more nor fewer is better in itself; the direction is that of the paper's aim.
    """
    if dialogue.updating == "none":
        return NOT_UPDATED
    return [float(sum(len(one.learned) for one in dialogue.exchanges()))]


def extractions_lost(dialogue: Dialogue, library: Library) -> Values:
    """Share of accepted replies whose new facts could not be had or labelled.

    A reply that was sent although it contradicts memory teaches nothing by rule and is not counted.
    """
    if dialogue.updating == "none":
        return NOT_UPDATED
    taught = [one for one in _checked(dialogue) if not one.flagged]
    return [float(one.lost is not None) for one in taught] or "no reply was checked and accepted"


def triplet_calls_per_turn(dialogue: Dialogue, library: Library) -> Values:
    """Mean number of triplet evaluations, in calls, over checked replies."""
    return [float(one.calls) for one in _checked(dialogue)] or UNCHECKED


UNCHECKED = "no reply was checked against memory"
NOT_UPDATED = "memory was not updated"
REPEATED = f"ratio:{ALIKE}|over {SHORT} words"
MEASURES = (
    Measure("over-cap", "share", over_cap),
    Measure("leaked-diagnosis", "share", leaked_diagnosis, each="dialogue"),
    Measure("repeated-replies", "share", repeated_replies, pins=REPEATED),
    Measure("stage-directions", "share", stage_directions),
    Measure("contradictions-left", "share", contradictions_left),
    Measure("retries-per-turn", "retries", retries_per_turn),
    Measure("facts-added", "facts", facts_added, each="dialogue", better="higher"),
    Measure("extractions-lost", "share", extractions_lost),
    Measure("triplet-calls-per-turn", "calls", triplet_calls_per_turn),
)


def _replies(dialogue: Dialogue) -> Iterator[str]:
    return (exchange.answer for exchange in dialogue.exchanges())


def _checked(dialogue: Dialogue) -> list[Exchange]:
    """The exchanges whose replies somebody held against memory."""
    # Ours name who checked; others may tell of attempts without it.
    if dialogue.origin is not None and not dialogue.origin.triplets:
        return []
    return [exchange for exchange in dialogue.exchanges() if exchange.attempts]


# Names of the disease

OPEN = ("epidemiology.", "disease_information.symptoms", "disease_information.duration", "profile.")
"""Fields that a patient tells freely."""


def _watched(record: PatientRecord, library: Library) -> frozenset[str]:
    """The names that a patient with this record is not to say."""
    planned = record.origin.disease if record.origin else None
    names: set[str] = set()
    for disease in filter(None, (record.disease_information.disease, planned)):
        listing = library.listing(disease)
        own = (listing.name, *listing.synonyms) if listing else ()
        for name in (disease, *own):
            names |= {name.strip(), name.partition(" (")[0].strip()}
    told = " ; ".join(fact.value for fact in facts(record) if fact.path.startswith(OPEN))
    return frozenset(name for name in names if name and not _names(frozenset([name]), told))


def _names(watched: frozenset[str], text: str) -> bool:
    pattern, exact = _patterns(watched)
    return bool((pattern and pattern.search(_folded(text))) or (exact and exact.search(text)))


@lru_cache(maxsize=1024)
def _patterns(watched: frozenset[str]) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
    """Patterns of the names, and of those in capitals, which are matched as written."""
    capitals = {name for name in watched if len(name) <= 5 and name.isupper()}
    return _any_of({_folded(name) for name in watched - capitals}), _any_of(capitals)


def _any_of(names: set[str]) -> re.Pattern[str] | None:
    told = "|".join(re.escape(name) for name in sorted(names) if name)
    return re.compile(rf"(?<!\w)(?:{told})(?:e?s)?(?!\w)") if told else None


def _folded(text: str) -> str:
    """Lower case, no apostrophes, each hyphen or run of spaces one space."""
    bare = re.sub(r"['’`´]", "", text.casefold())
    return " ".join(re.sub(r"[-‐‑–]", " ", bare).split())


# Stage directions

_ASIDE = re.compile(
    r"\*+([^*\n]{1,100}?)\*+|\(([^()\n]{1,100})\)|\[([^\[\]\n]{1,100})\]|（([^（）\n]{1,100})）"
)
_LEAD = r"(?:(?:he|she|they|the|patient|a|an|then|and|still|long|short|brief|deep|slight|heavy)\s+)"
ACT = re.compile(
    rf"""{_LEAD}*(?:\w+ly,?\s+)?{_LEAD}*(?:
    (?:sigh|paus|laugh|smil|nod|nodd|shrug|shrugg|frown|hesitat|whisper|mutter|mumbl|chuckl|giggl
      |grin|grinn|fidget|glanc|stammer|stutter|sniffl|gestur|lean|star|grumbl|snap|snapp|scoff|smirk
      |blush)(?:e?s|ing)
    |sigh|pause|laugh|laughter|smile|nod|shrug|chuckle|silence|silent|sobs?|tearful
    |winces|grimaces|cries|trembles|shakes|shivers|groans|swallows|rubs|holds|clutches|touches|points
    |scratches|coughs|clears|wrings|rolls|crosses|folds|wipes|shifts|breathes|gasps|exhales|inhales
    |looks\ (?:away|down|up|at|around|over|to|towards?|out|nervous|worried)
    |looking\ (?:away|down|up|around|towards?|at\ (?:the|his|her|you))
    |(?:takes?|taking)\ (?:a|another)\ (?:\w+\ )?breath
    |voice\ (?:\w+ly\ )?(?:break|crack|trembl|shak|ris|drop|falter|low|quiet)\w*
    |eyes\ (?:\w+ly\ )?(?:well|fill|widen|wide|lower|down|dart)\w*
    |(?:in|with)\ an?\ (?:\w+\ )?(?:voice|tone|sigh|laugh|smile|shrug|frown|nod|grin|chuckle)
    |(?:nervous|soft|quiet|tearful|angri|hesitant|anxious|sarcastical|sheepish|weari|impatient|sad
      |irritated|annoyed|defensive|shaki)ly$
    )\b""",
    re.IGNORECASE | re.VERBOSE,
)
"""What an act begins with, after "the patient", an article or an adverb."""


def _asides(text: str) -> Iterator[str]:
    """What stands in asterisks, parentheses or brackets."""
    for found in _ASIDE.finditer(text):
        yield " ".join(next(part for part in found.groups() if part is not None).split())


def is_act(aside: str) -> bool:
    """Whether an aside tells of an act, a voice or a silence."""
    return ACT.match(aside) is not None
