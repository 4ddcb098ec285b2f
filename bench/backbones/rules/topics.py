"""The usual questions: what a doctor asks about, and where in a memory the answer stands."""

import re
from dataclasses import dataclass
from functools import cached_property

from bench.backbones.rules.facts import KnownFact


@dataclass(frozen=True)
class Topic:
    """Something that doctors ask about."""

    field: str
    """What an answer begins with: "My allergies"."""
    words: str
    """Beginnings of the words that ask for it."""
    kinds: str
    """Kinds of facts that hold it; "?" behind a kind: only those with one of the words."""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The words; plain alternatives, so that any text is read in linear time."""
        return re.compile(rf"\b(?:{self.words})", re.IGNORECASE)

    def holds(self, entry: KnownFact) -> bool:
        """Whether a fact belongs to the topic."""
        kinds = self.kinds.split()
        some = f"{entry.kind}?" in kinds and self.pattern.search(entry.value) is not None
        return some or entry.kind in kinds


_SPECIAL = (
    Topic("My name", "your name|name is|you called|who are you", "name"),
    Topic("My age", "how old|your age|you born", "age"),
    Topic("My gender", "your gender|your sex|male|female", "gender"),
    Topic(
        "My allergies", "allerg|intoleran|react|hay fever", "allergies medical_history? learned?"
    ),
    Topic(
        "My medication",
        "take|taking|medica|medicine|tablet|pill|drug|insulin|inhaler|painkiller",
        "medication medical_history? learned?",
    ),
    Topic(
        "My operations",
        r"operat|surg|remov|repair|replace|caesarean|bypass|stent|implant|\w*ectomy",
        "medical_history? learned?",
    ),
    Topic("My vaccinations", "vaccin|immuni|jab", "vaccination_history"),
    Topic("In my family", "family|relative|mother|father|parent|brother|sister", "family_history"),
    Topic("Smoking", "smok|tobacco|cigar", "tobacco lifestyle? learned?"),
    Topic("Alcohol", "alcohol|drink|beer|wine|spirits|teetotal", "alcohol lifestyle? learned?"),
    Topic(
        "My work",
        "work|job|retired|school|student|teach|driver|office|farm|pension|employ|living from",
        "occupation lifestyle? learned?",
    ),
    Topic(
        "At home",
        "live|living with|at home|household|married|single|divorc|widow|partner|child",
        "living_situation marital_status children lifestyle? learned?",
    ),
    Topic("My sleep", "sleep|asleep|insomnia", "lifestyle? symptoms? learned?"),
    Topic("My exercise", "exercis|sport|swim|jog|walk|cycl|gym", "exercise lifestyle? learned?"),
    Topic("My food", "diet|eat|food|meal|appetite|snack", "lifestyle? learned?"),
    Topic(
        "Examinations that I had",
        "test|examin|scan|x-?ray|imaging|result|ultrasound|mri|checked",
        "examination",
    ),
    Topic("Severity", "how bad|how severe|how strong|scale|severity", "severity pain"),
    Topic("Better or worse", "better|worse|trigger|aggravat|reliev|eases", "changes"),
    Topic(
        "Since when",
        "when (?:did|was|have)|since when|how long|start|began|begin|begun|onset|changed|develop"
        "|sudden|gradual",
        "course",
    ),
)
_GENERAL = (
    Topic("My habits", "lifestyle|habit|daily", "lifestyle"),
    Topic(
        "My medical history",
        "past|history|illness|condition|disease|before",
        "medical_history",
    ),
    Topic(
        "My symptoms",
        "symptom|complain|pain|describe|feel|where|detail|bother|hurt|brings you|help|wrong|matter"
        "|problem|hello|good",
        "chiefcomplaint symptoms",
    ),
)
"""They give way to any other."""
FURTHER = re.compile(r"\b(?:other|else|further|more to|add|mention|forgotten)\b", re.IGNORECASE)
"""Words that ask for what was not told yet."""
MOST = 2
"""Most topics of one question that are answered."""


def topics_of(question: str) -> list[Topic]:
    """The special topics that a question is about, in the order of asking."""
    places = [(at.start(), topic) for topic in _SPECIAL if (at := topic.pattern.search(question))]
    return [topic for _, topic in sorted(places, key=lambda place: place[0])[:MOST]]


def general_topic(question: str) -> Topic | None:
    """What a question is about that asks for nothing special."""
    return next((topic for topic in _GENERAL if topic.pattern.search(question)), None)
