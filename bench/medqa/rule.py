"""The rule that assigns one of the six departments by words alone: version 1.1.0, rewritten.

Terms of six departments and fourteen competitors stand in `lexicon.v1.json`, each in a tier:
disease or procedure (D), sign, drug or test (S), weak (W), or telling in the answer only (A). What
a term weighs depends on where it stands: in the answer and the lead-in more than in the body, in
the history less, in a denial nothing. The rule reads the gold answer: it chooses questions, and is
never shown to who answers them.

The original's code was not at hand; its output on 388 questions was. How near this comes is said
in docs/medqa.md.
"""

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

LEXICON = Path(__file__).with_name("lexicon.v1.json")
Tier = Literal["high", "medium"]
ANSWER = ("answer", "answer_effect")
TELLING = ("first", "lead")
SOLID = (*TELLING, "body")
FADING = {"D": (1.0, 0.75, 0.5, 0.25), "S": (1.0, 1.0, 0.8, 0.8, 0.6, 0.6, 0.4, 0.4, 0.2)}
"""What the first, second, ... strongest term of a tier counts; further ones as the last."""
_SINCE = r"(?:days?|weeks?|months?|hours?)"
_KIN = r"(?:mother|father|brother|sister|uncle|aunt|grand\w+)"
_TURNS = r"(?:comes|presents|is brought|is admitted|was admitted|is referred|is seen|is|was)"
_SENTENCE = re.compile(r"(?<=[.?!])\s+(?=[A-Z\"“(])|\n+")
_BOILERPLATE = re.compile(r"drinks one (?:to|or) two (?:glasses|beers)[^.]*")
_NORMAL = re.compile(r"within normal limits|unremarkable", re.IGNORECASE)
_HISTORY = re.compile(
    r"\b(?:medical|family|surgical|psychiatric|past) history\b|\bhistory is\b"
    r"|\bmedications? (?:include|are|is)\b|\bwas diagnosed\b|\bwife died\b"
    rf"|(?<!by his )(?<!by her )(?<!by the )(?<!by )\b{_KIN}\b"
    r"|^(?:he|she|the patient) (?:also )?has (?!had|been|not|no\b|met|an?\b|never|lost)"
    r"(?:\S+ ){0,8}\S+ ?\.?$"  # each word matched in one way only, or long ones take for ever
    r"|\b(?:weeks|months|years) ago,.{0,40}\bhad an? (?:\w+ )?\w+(?:ectomy|plasty|otomy)\b"
    r"|^(?:He|She) takes [a-z]+ and [a-z]+\.$",
    re.IGNORECASE,
)
_DENIED = re.compile(
    r"\b(?:negative for|denies|denied)\b[^.;]*|\b(?:no|not|without|absence of|never|nor)\b[^.,;]*",
    re.IGNORECASE,
)
_COMPLAINT = re.compile(rf"({_SINCE}),? history of")
"""A "2-week history of pain" is what the patient comes with, no history."""
_PAST = re.compile(
    rf"\bhistory of .*?(?=\b{_TURNS}\b|[.,;]|$)|(?:who was |previously )diagnosed with [^,.]*",
    re.IGNORECASE,
)
_BESIDE = re.compile(
    r"\b(?:man|woman|boy|girl|male|female|patient|infant) with (?!an? \d)(?!.{0,30}\bhistory)"
    r".{0,400}?(?=\b(?:comes|presents|is brought|is admitted|was admitted|is referred)\b)"
    rf"|\b{_SINCE} (?:after|following)\b[^,.]*",
    re.IGNORECASE,
)
_EFFECT = re.compile(
    r"adverse effect|side effect|complication|at (?:greatest |increased |highest )?risk (?:of|for)",
    re.IGNORECASE,
)
_CAUSE = re.compile(r"cause|diagnosis|condition is|etiology", re.IGNORECASE)


@dataclass(frozen=True)
class Decision:
    """A department that the rule assigns."""

    department: str
    tier: Tier
    """Of the rule's high assignments a reading confirmed 85 % (53 of 62), of medium ones 73 %."""


@dataclass(frozen=True)
class Hit:
    """A term that was found."""

    tier: str
    zones: tuple[str, ...]
    weight: float


@dataclass(frozen=True)
class _Lexicon:
    terms: dict[str, tuple[tuple[str, str, re.Pattern[str]], ...]]
    """Term, tier and pattern by department, longer terms first: they hide the shorter in them."""
    targets: tuple[str, ...]
    prone: frozenset[str]
    """Diseases that patients have beside the one in question."""
    zones: dict[str, float]
    tiers: dict[str, float]
    weak_most: float


@lru_cache(maxsize=1)
def _lexicon() -> _Lexicon:
    data: dict[str, Any] = json.loads(LEXICON.read_text(encoding="utf-8"))
    meta = data.pop("_meta")
    terms = {
        name: tuple(
            (term, tier, re.compile(_pattern(term)))
            for term, tier in sorted(
                ((term, tier) for tier in "DSWA" for term in one.get(tier, ())),
                key=lambda pair: -len(pair[0]),
            )
        )
        for name, one in data.items()
    }
    return _Lexicon(
        terms=terms,
        targets=tuple(name for name, one in data.items() if one["target"]),
        prone=frozenset(meta["comorbidity_prone"]),
        zones=meta["zones"],
        tiers=meta["tier_weights"],
        weak_most=meta["w_cap"],
    )


def _pattern(term: str) -> str:
    """A term as whole words; "*" ends a stem, a plural is the same term."""
    words = (
        re.escape(word[:-1]) + r"\w*" if word.endswith("*") else re.escape(word)
        for word in term.split()
    )
    plural = "" if term.endswith("*") else "(?:s|es)?"
    return rf"\b{' '.join(words)}{plural}\b"


def decide(question: str, answer: str) -> Decision | None:
    """The department of a question by its words and its gold answer; none if nothing stands out."""
    terms = hits(question, answer)
    scores = {name: score(ones) for name, ones in terms.items()}
    best = max(_lexicon().targets, key=lambda name: scores[name])
    first, other = scores[best], max(value for name, value in scores.items() if name != best)
    margin, ratio = first - other, round(first, 6) / other if other else float("inf")
    ahead = first >= 6 and margin >= 2 and ratio >= 1.35
    alone = first >= 5 and ratio >= 3 and _pointed(terms[best])
    lead = (_sentences(question) or [""])[-1]
    if not (ahead or alone) or not _anchored(terms[best], lead) or _is_method(terms):
        return None
    high = first >= 8.5 and margin >= 4 and ratio >= 1.7 and _firm(terms[best])
    return Decision(best, "high" if high else "medium")


def hits(question: str, answer: str) -> dict[str, list[Hit]]:
    """The terms found, by department."""
    lexicon = _lexicon()
    passages = [(zone, _plain(text)) for zone, text in _passages(question, answer)]
    whole = "\n".join(text for _, text in passages)
    by_department: dict[str, list[Hit]] = {}
    for name, terms in lexicon.terms.items():
        left = [text for _, text in passages]
        by_department[name] = []
        for term, tier, pattern in terms:
            if not pattern.search(whole):
                continue  # most are nowhere: thousands of terms, and as many sentences
            zones = []
            for at, (zone, _) in enumerate(passages):
                if tier == "A" and zone not in ANSWER:
                    continue
                left[at], count = pattern.subn("#", left[at])
                zones += [zone] * bool(count)
            if zones:
                weight = max(_weight(term, tier, zone, lexicon) for zone in zones)
                by_department[name].append(Hit(tier, tuple(zones), weight))
    return by_department


def score(terms: Sequence[Hit]) -> float:
    """What the terms of a department weigh together."""
    total = 0.0
    for tier, tiers in (("D", "DA"), ("S", "S")):
        weights = sorted((one.weight for one in terms if one.tier in tiers), reverse=True)
        fading = FADING[tier]
        total += sum(w * fading[min(at, len(fading) - 1)] for at, w in enumerate(weights))
    weak = sum(one.weight for one in terms if one.tier == "W")
    return total + min(weak, _lexicon().weak_most)


def _weight(term: str, tier: str, zone: str, lexicon: _Lexicon) -> float:
    beside = tier == "D" and term in lexicon.prone and zone not in (*ANSWER, *TELLING)
    return lexicon.tiers["S" if beside else tier] * lexicon.zones[zone]


def _strong(terms: Sequence[Hit]) -> list[Hit]:
    return [one for one in terms if one.tier != "W"]


def _anchored(terms: Sequence[Hit], lead: str) -> bool:
    """Whether more than weak terms or a mere mention speaks for the department."""
    strong = _strong(terms)
    in_stem = [one for one in strong if not set(one.zones).isdisjoint(SOLID)]
    in_answer = [one for one in strong if not set(one.zones).isdisjoint(ANSWER)]
    names_it = any(one.tier in "DA" for one in in_answer) and _CAUSE.search(lead) is not None
    return (
        any(one.tier == "D" for one in in_stem)
        or bool(in_answer and in_stem)
        or len(in_stem) >= 3
        or (len(strong) >= 2 and _telling(strong))
        or names_it
    )


def _pointed(terms: Sequence[Hit]) -> bool:
    """Whether several strong terms speak for the department, one where the question is put."""
    strong = _strong(terms)
    places = {zone for one in strong for zone in one.zones}
    return len(strong) >= 2 and not places.isdisjoint((*TELLING, *ANSWER))


def _firm(terms: Sequence[Hit]) -> bool:
    """Whether a disease is named outside the history, or a sign where the question is put."""
    strong = _strong(terms)
    named = any(one.tier in "DA" and set(one.zones) & {*SOLID, *ANSWER} for one in strong)
    return named or _telling(strong)


def _telling(strong: Sequence[Hit]) -> bool:
    return any(not set(one.zones).isdisjoint(TELLING) for one in strong)


def _is_method(terms: dict[str, list[Hit]]) -> bool:
    """Whether the question is about statistics, studies or ethics, whatever the patient has."""
    strong = _strong(terms["PublicHealthEthics"])
    return any(set(one.zones) & {"lead", *ANSWER} or one.weight >= 5 for one in strong)


def _sentences(text: str) -> list[str]:
    return [part for part in _SENTENCE.split(text.strip()) if part]


def _passages(question: str, answer: str) -> Iterator[tuple[str, str]]:
    """The parts of a question with their zones; what is denied is left out."""
    sentences = _sentences(_BOILERPLATE.sub("", question))
    lead = sentences[-1] if sentences else ""
    yield ("answer_effect" if _EFFECT.search(lead) else "answer"), answer
    for at, sentence in enumerate(sentences):
        if at == len(sentences) - 1:
            zone = "lead"
        elif _NORMAL.search(sentence):
            zone = "normal"
        elif _HISTORY.search(sentence):
            zone = "history"
        else:
            zone = "first" if at < 2 else "body"
        rest = _COMPLAINT.sub(r"\1", _DENIED.sub(" | ", sentence))
        for apart, pattern in (("history", _PAST), ("comorbid", _BESIDE)):
            for match in pattern.finditer(rest):
                yield apart, match.group()
            rest = pattern.sub(" | ", rest)
        yield zone, rest


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    return re.sub(r"[^\w%]+", " ", folded.replace("'s", "").replace("'", ""))
