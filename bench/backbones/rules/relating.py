"""Relates statements to facts: entail, contradict or neither (paper equation 1).

A statement agrees with a fact if one says all that the other says. It contradicts a fact only for
a reason that is named below; what a fact of the same memory supports contradicts none of them. So
a contradiction that the rules see is nearly always one, and some are missed.
"""

import random
import re
from dataclasses import dataclass
from functools import lru_cache

from bench.backbones.requests import LabelFacts, Labelled, Labels, StatementLabels
from bench.backbones.rules.claiming import Claims, claims, clash, fact_claims
from bench.backbones.rules.denying import answered_no, denials
from bench.backbones.rules.phrasing import (
    CANNOT,
    NOT,
    RELATIVES,
    SIDES,
    clauses,
    numbers,
    plain,
    segments,
    sentences,
    stem,
    words,
)
from bench.backbones.rules.recalling import Kind, read_fact
from bench.knowledge.library import Library
from bench.records.label import Label

_LESS = words(
    "loss lose lost lack less poor reduced reduce reduction hardly little few refuse seldom rare "
    "rarely missing absent without inability weak low free decrease skip stop avoid former"
) | {NOT, CANNOT}
"""In a fact, they turn its sense: no denial is held against it."""
_COMPLAINTS = words(
    "pain ache aching headache fever numbness tingling weakness swelling nausea vomiting cough "
    "blood bleeding rash burning itching cramp lump diarrhoea diarrhea constipation palpitation "
    "dizziness fatigue tiredness thirst stiffness sore soreness spasm sweating tremor trembling "
    "redness discharge hallucination voices anxiety panic depression insomnia breathlessness "
    "vertigo floater flash chills heartburn bloating itch bulge limp numb discomfort cramping "
    "pressure stinging hurt vomit stabbing urge leakage incontinence craving convulsion seizure"
)
_VAGUE = words(
    "feeling feel sensation strength sense trouble problem thing people day night time year week "
    "month hour work way reason help energy control life relief side body part type new old good "
    "mild severe long short small large high low use morning evening home age previous past since "
    "school walk sit stand lie lift move light hard strong doctor treat"
) | frozenset(SIDES)
"""Words that alone make no two phrases speak of the same."""
_UNIT = words("hours days weeks months years times a mg g ml iu units ago per km litres")
_TOPICS: dict[str, frozenset[str]] = {
    "allergy": words("allergy allergies intolerance"),
    "medicine": words("medicine drugs tablets pills prescription regular medication"),
    "operation": words("operation surgery operated previous"),
    "vaccine": words("vaccination vaccine immunised"),
    "family": words("family illness disease hereditary runs run relatives parents"),
    "complaint": words("symptoms complaints"),
}
_OPERATED = re.compile(
    r"ectomy\b|surg|operat|\bremoved\b|\brepair|replace[dm]|caesarean|bypass|stent|vasectomy", re.I
)
_ALLERGIC = re.compile(r"allerg|intoleran|hay fever|hives (?:after|from)|rash after", re.I)
_DAYS = {"hour": 1 / 24, "day": 1.0, "week": 7.0, "month": 30.4, "year": 365.25}
_SPAN = re.compile(r"\b(\d+(?:\.\d+)?|an?|a few) (hour|day|week|month|year)s?\b")
_BEGAN = re.compile(
    r"\b(?:began|beg[iu]n|start(?:ed)?|came on|going on|lasted|noticed it|had (?:it|this|these|them"
    r"|the \w+|my \w+))\b[^.;]*?(?:\b(?:for|since|ago)\b|$)"
)
_AGO = re.compile(
    r"^(?:(?:for|about|since|over) )*(?:\d+|an?) (?:hour|day|week|month|year)s?(?: ago)?$"
)
_ASKS_WHEN = re.compile(r"how long|when did|since when")
DURATION_TOLERANCE = 1.5
"""Two durations that differ by more than this factor are two different ones."""
_TAKES = re.compile(r"\b(?:takes?|taking|am on|is on|uses?|using) (?:only )?([a-z][\w-]+)")
_ANY_DRUG = words(
    "it them the medicine tablets pills painkillers something drug drops capsules care place"
)
_AIM = re.compile(r"\b(?:for|against|because)\b")
_DOSE = re.compile(r"\b(\d+(?:[.,]\d+)?) (mg|g|µg|mcg|iu|ml|units?)\b")


@dataclass(frozen=True, slots=True)
class _Known:
    """A fact, read once."""

    kind: Kind
    text: str
    words: frozenset[str]
    parts: tuple[frozenset[str], ...]
    """The words of each of its clauses."""
    relatives: frozenset[str]
    claims: Claims
    topics: frozenset[str]
    """On which "I have no ..." would deny it."""
    days: float | None = None
    """Length of the complaints, days."""


@dataclass(frozen=True, slots=True)
class _Said:
    """A main clause of a statement, read once."""

    text: str
    words: frozenset[str]
    relatives: frozenset[str]
    claims: Claims
    denied: tuple[frozenset[str], ...]
    days: float | None


def relate(task: LabelFacts, library: Library, drawn: random.Random) -> Labels:
    """The labels of each statement that are not neutral; `library` and `drawn` are not needed."""
    facts = {name: _known(text) for name, text in task.facts.items()}
    return Labels(
        statements=tuple(
            StatementLabels(
                statement=number,
                labels=tuple(
                    Labelled(fact=name, label=label)
                    for name, label in labels(statement, facts, task.question).items()
                ),
            )
            for number, statement in enumerate(task.statements, start=1)
        )
    )


def clashes(statement: str, facts: tuple[str, ...]) -> bool:
    """Whether a statement contradicts one of some facts."""
    known = {str(number): _known(fact) for number, fact in enumerate(facts)}
    return "contradict" in labels(statement, known, "").values()


def labels(statement: str, facts: dict[str, _Known], question: str) -> dict[str, Label]:
    """The labels of a statement against facts by id; neutral ones are left out."""
    found: dict[str, Label] = {}
    whole: set[str] = set()
    for sentence in sentences(statement):
        if sentence.endswith("?"):
            continue
        whole |= words(sentence)
        for text in segments(sentence):
            said = _said(text, question)
            agreed = [name for name, fact in facts.items() if _agree(said, fact)]
            found.update(dict.fromkeys(agreed, "entail"))
            at_odds = _at_odds(said, facts, bool(agreed))
            found.update(dict.fromkeys(at_odds, "contradict"))
    no = answered_no(statement, question)
    if no:
        said = _Said(statement, no, frozenset(), {}, (no,), None)
        found.update(dict.fromkeys((n for n, f in facts.items() if _denies(said, f)), "contradict"))
    for name, fact in facts.items():
        # What is told in several sentences.
        if name not in found and len(fact.parts) > 1 and fact.words and fact.words <= whole:
            found[name] = "entail"
    return {name: found[name] for name in facts if name in found}


@lru_cache(maxsize=65536)
def _known(text: str) -> _Known:
    held = read_fact(text)
    told = f"{held.label}; {held.value}" if held.kind == "examination" else held.value
    days = None
    if held.kind == "duration":
        span = _SPAN.search(plain(held.value))
        days = _days(span) if span else None
    topics = {
        "allergy": bool(_ALLERGIC.search(told)),
        "medicine": told.lower().startswith("takes "),
        "operation": bool(_OPERATED.search(told)) and held.kind == "history",
        "vaccine": held.kind == "vaccination",
        "family": held.kind == "family",
        "complaint": held.kind == "symptom",
    }
    clear = not _LESS & words(told)
    return _Known(
        kind=held.kind,
        text=plain(told),
        words=words(told),
        parts=tuple(part.words for part in clauses(told) if part.words),
        # A child's complaints are told of "the child".
        relatives=_relatives(told.replace("the child ", "") if held.kind == "symptom" else told),
        claims=fact_claims(held),
        topics=frozenset(name for name, on in topics.items() if on and clear),
        days=days,
    )


@lru_cache(maxsize=65536)
def _said(text: str, question: str) -> _Said:
    lower = plain(text).strip(" .!?")
    span = _SPAN.search(lower)
    timed = span and (
        _BEGAN.search(lower) or (_AGO.match(lower) and _ASKS_WHEN.search(question.lower()))
    )
    return _Said(
        text=lower,
        words=words(text),
        relatives=_relatives(text),
        claims=claims(_as_told(text), question),
        denied=denials(text),
        days=_days(span) if span and timed else None,
    )


_THIRD = ((re.compile(r"^is (?=an? |\d|female|male)", re.I), "I am "),
          (re.compile(r"^the (?=(?:full )?name (?:is|'s) )", re.I), "My "))  # fmt: skip


def _as_told(text: str) -> str:
    """A statement in the third person as the patient told it: "Is 24 years old" is an age."""
    for pattern, own in _THIRD:
        text = pattern.sub(own, text)
    return text


def _days(span: re.Match[str]) -> float:
    count = {"a": 1.0, "an": 1.0, "a few": 3.0}.get(span[1]) or float(span[1])
    return count * _DAYS[span[2]]


def _relatives(text: str) -> frozenset[str]:
    return frozenset(
        RELATIVES[word] for word in re.findall(r"[a-z-]+", text.lower()) if word in RELATIVES
    )


def _agree(said: _Said, fact: _Known) -> bool:
    """Whether one says all that the other says, in the same sense."""
    for matter in ("age", "gender", "name"):
        if fact.kind == matter:
            claimed = said.claims.get(matter)
            return claimed is not None and bool(claimed & fact.claims[matter])
    if fact.kind == "disease":
        return bool(fact.words) and fact.words <= said.words and NOT not in said.words
    if fact.days is not None and said.days is not None and _same_length(said.days, fact.days):
        return True
    shared = said.words & fact.words
    others = (said.relatives ^ fact.relatives) - {"family"}
    if not shared or (fact.kind != "duration" and others):
        return False
    if not shared - _VAGUE - _UNIT - numbers(shared) and shared != fact.words:
        return False
    if not (said.words <= fact.words or fact.words <= said.words):
        return False
    nots = [NOT in part for part in fact.parts if part & shared - {NOT}]
    return (NOT in said.words) in nots if nots else False


def _same_length(one: float, other: float) -> bool:
    return 1 / DURATION_TOLERANCE <= one / max(other, 1e-9) <= DURATION_TOLERANCE


def _at_odds(said: _Said, facts: dict[str, _Known], supported: bool) -> list[str]:
    """The facts that a main clause contradicts."""
    found = []
    for name, fact in facts.items():
        if _claims_clash(said, fact) or (
            not supported
            and (
                _denies(said, fact)
                or _affirms(said, fact)
                or _other_length(said, fact)
                or _other_number(said, fact)
                or _other_side(said, fact)
                or _other_drug(said, fact, facts)
            )
        ):
            found.append(name)
    return found


def _claims_clash(said: _Said, fact: _Known) -> bool:
    """Another age, gender or name; the opposite habit; other company at home."""
    return bool(said.claims and fact.claims) and any(
        clash(matter, claimed, fact.claims[matter])
        for matter, claimed in said.claims.items()
        if matter in fact.claims
    )


def _denies(said: _Said, fact: _Known) -> bool:
    """ "I have no pain in my leg", "I have no allergies", "my father never had diabetes"."""
    for denied in said.denied:
        if any(
            denied <= _TOPICS[topic] and (denied & {stem(topic)} or denied & _heads(topic))
            for topic in fact.topics
        ):
            return True
        if not denied - _VAGUE or not denied <= fact.words | _generic(fact):
            continue
        core = denied - _generic(fact)
        if fact.text.startswith("takes ") and not core & words(_AIM.split(fact.text)[0]):
            continue
        if not core or said.relatives - fact.relatives - {"family"}:
            continue
        if fact.relatives and not said.relatives:
            continue
        held = [part for part in fact.parts if part & core]
        if any(part & _LESS for part in held) or (fact.words & _LESS and fact.kind == "symptom"):
            continue
        if fact.kind in ("symptom", "duration", "examination"):
            if not core & _COMPLAINTS and len(core) < 0.6 * len(fact.words):
                continue
            if fact.kind != "symptom":
                continue
        return True
    return False


def _heads(topic: str) -> frozenset[str]:
    return _TOPICS[topic] - words("regular previous family disease illness run")


def _generic(fact: _Known) -> frozenset[str]:
    """Words that go without saying for a fact of this kind."""
    topics = [_TOPICS[topic] for topic in fact.topics if topic != "family"]
    if fact.kind == "family":
        topics.append(words("family"))
    return frozenset().union(*topics)


def _affirms(said: _Said, fact: _Known) -> bool:
    """Says what a fact denies: "I have a fever" against "No fever", "I can" against "cannot"."""
    if fact.kind == "duration" or said.denied or NOT in said.words:
        return False
    for part in fact.parts:
        core = part - {NOT, CANNOT}
        can = CANNOT in part and CANNOT not in said.words and re.search(r"\bcan\b", said.text)
        if can and len(core) >= 2 and core <= said.words:
            return True
        starts = fact.text.startswith(("no ", "not ", "never "))
        clear = bool(core - _VAGUE) and not _LESS & (core | said.words)
        near = core <= said.words and len(said.words - core) <= 3
        if NOT in part and starts and clear and near:
            return True
    return False


def _other_length(said: _Said, fact: _Known) -> bool:
    """ "It began a year ago" against a duration of 10 days."""
    return (
        said.days is not None and fact.days is not None and not _same_length(said.days, fact.days)
    )


def _other_number(said: _Said, fact: _Known) -> bool:
    """Another number or dose for the same thing."""
    own = numbers(said.words)
    if not own or not numbers(fact.words) or said.relatives ^ fact.relatives:
        return False
    if own & numbers(fact.words) and not _DOSE.search(said.text):
        return False
    if fact.kind == "examination":
        return False
    for dose in _DOSE.finditer(fact.text):
        drug = words(fact.text[: dose.start()]) - words("take")
        told = {found[1] for found in _DOSE.finditer(said.text) if found[2] == dose[2]}
        if drug and drug <= said.words and told and dose[1] not in told:
            return True
    rest = said.words - own
    for part in fact.parts:
        there = numbers(part)
        same = rest & (part - there)
        near = same in (part - there, rest) and len(same) >= 2 and same - _UNIT - _VAGUE
        if there and not there & own and near:
            return NOT not in said.words and NOT not in part
    return False


def _other_side(said: _Said, fact: _Known) -> bool:
    """The right leg instead of the left."""
    own, there = said.words & SIDES, fact.words & SIDES
    if len(own) != 1 or len(there) != 1 or own == there or fact.kind not in _SIDED:
        return False
    rest = said.words - own
    return (
        len(rest) >= 2
        and rest <= fact.words
        and bool(rest - _VAGUE)
        and not fact.relatives
        and not said.relatives
        and (NOT in said.words) == (NOT in fact.words)
        and "than the" not in fact.text
    )


_SIDED = ("symptom", "history", "learned")


def _other_drug(said: _Said, fact: _Known, facts: dict[str, _Known]) -> bool:
    """Another drug for the same complaint, or by the same scheme."""
    if not fact.text.startswith("takes ") or NOT in said.words:
        return False
    named = _TAKES.search(said.text)
    if not named:
        return False
    drug = stem(named[1])
    if drug in _ANY_DRUG or any(drug in other.words for other in facts.values()):
        return False
    scheme = words(re.sub(r"^takes [\w-]+(?: acid)?", "", fact.text))
    rest = said.words - {drug, "tak", "take", "us"} - _ANY_DRUG
    purpose = re.search(r"\b(?:for|against) (.*)", fact.text)
    aim = words(re.sub(r"\b\d.*", "", purpose[1])) - _UNIT if purpose else frozenset()
    told = re.search(r"\b(?:for|against) (.*)", said.text)
    told_aim = words(re.sub(r"\b\d.*", "", told[1])) - _UNIT if told else frozenset()
    return bool(aim - _VAGUE and aim == told_aim) or (bool(numbers(rest)) and rest == scheme)
