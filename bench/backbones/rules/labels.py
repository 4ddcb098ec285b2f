"""Relates statements to facts: entail, contradict or neither (paper equation 1), by typed fields.

Two clauses agree if one holds all words of the other and denies as it does. They are at odds if
they give another age or gender, another number of the same unit for the same thing, or if one
denies what the other says. All else is neutral: a paraphrase is not
understood, and what agrees with one fact is held against no other.
"""

import random
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from bench.backbones.requests import LabelFacts, Labelled, Labels, StatementLabels
from bench.backbones.rules.facts import KnownFact, read_fact, statements
from bench.backbones.rules.phrases import NEGATIONS, RELATIVES, words
from bench.core.text import folded, stems
from bench.knowledge.library import Library
from bench.records.label import Label

_SPOKEN = frozenset(
    stems(
        "i m ve re had me my you your we our he she his her do does did am been yes there really "
        "just also so get got feel felt having take taking taken suffer notice noticed ever sign of"
    )
)
"""Words of talk that claim nothing."""
_TYPED = ("age", "gender", "severity", "present_illness_negative")
"""Kinds of facts whose words are not compared: a field of its own, or a list of what is denied."""
_SIDES = frozenset(("left", "right"))
_PIECE = re.compile(r"[;,():]|\.\s")
MOST_PIECES = 40
"""Most pieces of a text that are compared, so that no text makes much work."""
_QUANTITY = re.compile(r"(?<![\d.,])(\d++(?:[.,]\d++)*+)[\s-]?+([^\W\d_]*+)")
_AGE = re.compile(
    r"\b(\d{1,3})[- ]years?[- ]old\b"
    r"|(?:\bi am |\bi'm |(?:^|\bmy )age(?:: | is |, | ))(\d{1,3})(?=$|,)"
)
_GENDER = re.compile(
    r"\b(?:gender|sex|i am|i'm|patient is):? (?:an? )?(?:\S{1,15} )?"
    r"(?:(female|woman|girl|lady)|male|man|boy)\b"
)


class ExplainedLabels(Labels):
    """The labels and, for whoever asks for them, the reasons."""

    reasons: str


@dataclass(frozen=True, slots=True)
class _Claim:
    """What a clause claims."""

    content: frozenset[str]
    """Its telling words and numbers, without negations."""
    negated: bool
    quantities: frozenset[tuple[str, str]]
    """Numbers after their units."""

    @property
    def topic(self) -> frozenset[str]:
        """The words that are neither number nor side."""
        return frozenset(word for word in self.content if not word[0].isdigit()) - _SIDES


def label(task: LabelFacts, library: Library, drawn: random.Random) -> ExplainedLabels:
    """The labels of each statement that are not neutral; `library` and `drawn` are not needed."""
    facts = {name: _known(text) for name, text in task.facts.items()}
    labelled: list[StatementLabels] = []
    reasons: list[str] = []
    for number, statement in enumerate(task.statements, start=1):
        merged: dict[str, Label] = {}
        for part in dict.fromkeys(statements(statement)):
            own = _labels(part, facts)
            against = [name for name, relation in own.items() if relation == "contradict"]
            merged = own | merged | dict.fromkeys(against, "contradict")
            reasons += [f"{part!r} is against {task.facts[name]!r}" for name in against]
        labels = tuple(Labelled(fact=name, label=merged[name]) for name in facts if name in merged)
        labelled.append(StatementLabels(statement=number, labels=labels))
    explained = "; ".join(reasons) or "By shared words and numbers, nothing is against a fact."
    return ExplainedLabels(reasons=explained, statements=tuple(labelled))


_Known = tuple[KnownFact, tuple[_Claim, ...]]


@lru_cache(maxsize=65536)
def _known(text: str) -> _Known:
    """A fact, and what its words claim if they are to be compared."""
    fact = read_fact(text)
    return fact, () if fact.kind in _TYPED else _claims(f"{fact.test}: {fact.value}")


def _labels(part: str, facts: Mapping[str, _Known]) -> dict[str, Label]:
    """The labels of one part of a statement against facts by id; neutral ones are left out."""
    fields = dict(_fields(folded(part)))
    if fields:
        typed = {name: fact for name, (fact, _) in facts.items() if fact.kind in fields}
        same = {name: fields[fact.kind] == folded(fact.value) for name, fact in typed.items()}
        return {name: "entail" if alike else "contradict" for name, alike in same.items()}
    own = _claims(part.partition(": ")[2] or part)
    agreed = [name for name, (_, theirs) in facts.items() if _any(_agree, own, theirs)]
    if agreed:
        return dict.fromkeys(agreed, "entail")
    odd = [name for name, (_, theirs) in facts.items() if _any(_at_odds, own, theirs)]
    return dict.fromkeys(odd, "contradict")


def _fields(part: str) -> Iterator[tuple[str, str]]:
    """The typed fields that a folded part tells of the patient."""
    head, _, value = part.partition(": ")
    if head in ("severity", "my severity"):
        yield "severity", value
    if _claim(part).negated or not RELATIVES.isdisjoint(words(part)):
        return
    if age := _AGE.search(part):
        yield "age", age[1] or age[2]
    if gender := _GENDER.search(part):
        yield "gender", "female" if gender[1] else "male"


def _claims(text: str) -> tuple[_Claim, ...]:
    """The whole text as a claim, then each piece of it between commas and the like."""
    read = map(_claim, (text, *_PIECE.split(text, MOST_PIECES)[:MOST_PIECES]))
    return tuple(claim for claim in dict.fromkeys(read) if claim.content)


def _claim(text: str) -> _Claim:
    telling = frozenset(words(text)) - _SPOKEN
    quantities = _QUANTITY.findall(folded(text))
    return _Claim(
        content=telling - NEGATIONS,
        negated=not telling.isdisjoint(NEGATIONS),
        quantities=frozenset((unit.rstrip("s"), value) for value, unit in quantities),
    )


def _any(
    related: Callable[[_Claim, _Claim], bool], own: tuple[_Claim, ...], known: tuple[_Claim, ...]
) -> bool:
    """Whether any two claims of the same person are related so."""
    return any(
        related(mine, theirs)
        for mine in own
        for theirs in known
        if (mine.content ^ theirs.content).isdisjoint(RELATIVES - {"family"})
    )


def _agree(mine: _Claim, theirs: _Claim) -> bool:
    shared = mine.content & theirs.content
    within = mine.content <= theirs.content or theirs.content <= mine.content
    return within and mine.negated == theirs.negated and not shared.isdisjoint(mine.topic)


def _at_odds(mine: _Claim, theirs: _Claim) -> bool:
    if mine.negated != theirs.negated:
        # "No fever" against "fever at night".
        denied, said = (mine, theirs) if mine.negated else (theirs, mine)
        return denied.topic != set() and denied.content <= said.content
    # Lisinopril 20 mg against lisinopril 10 mg.
    units = {unit for unit, _ in mine.quantities} & {unit for unit, _ in theirs.quantities}
    same = len(mine.topic) > 1 and mine.topic <= theirs.content
    return same and units != set() and mine.quantities.isdisjoint(theirs.quantities)
