"""What a question is about, and what a memory holds on that."""

import re
from dataclasses import dataclass
from functools import lru_cache

from bench.backbones.rules.recalling import Held, Kind


@dataclass(frozen=True, slots=True)
class Topic:
    """Something that doctors ask about."""

    name: str
    asked: re.Pattern[str]
    kinds: tuple[Kind, ...] = ()
    """Kinds of facts that all belong to it."""
    about: re.Pattern[str] | None = None
    """What else in the memory belongs to it."""
    label: str = ""
    """Item of the profile that belongs to it."""
    general: bool = False
    """Whether it gives way to any other that is asked for, too."""


def _topic(
    name: str, asked: str, about: str = "", *kinds: Kind, label: str = "", general: bool = False
) -> Topic:
    return Topic(
        name,
        re.compile(asked, re.IGNORECASE),
        kinds,
        re.compile(about, re.IGNORECASE) if about else None,
        label,
        general,
    )


_DRUGS = (
    r"^takes|\btablets?\b|insulin|medicat|medicine|\bpills?\b|painkiller|inhaler|\bspray\b|"
    r"\bdrops\b|\b\w+(?:olone|statin|pril|sartan|oxetine)\b|on thyroxine|contraceptive"
)
_OPERATED = (
    r"surg|operat|\bremov|ectomy\b|repair|caesarean|cesarean|bypass|stent|grommets|\bplate\b|"
    r"replac(?:ed|ement) (?:hip|knee|joint)|(?:hip|knee|joint|valve) replace|implant|section\b"
)
_ALLERGIES = (
    r"allerg|hay fever|intoleran|\breact(?:s|ion|ed)\b|^rash|^hives|^itch|, with |caused|"
    r"^penicillin|^latex|eczema from|wheals"
)
_ALLERGIC = re.compile(r"allerg|hay fever|intoleran|\breacts to", re.IGNORECASE)
_SPORT = (
    r"sport|exercis|\bswim|^plays|\bruns?\b|jog|cycl|\bwalks?\b|\bgym\b|train|hik|danc|\brides?\b|"
    r"football|tennis|yoga|\bactive\b|bicycle"
)
_FOOD = (
    r"\beats?\b|\bdiet|meal|food|vegeta|\bsalt|sweet|breakfast|cook|fruit|snack|meat|\bcake|milk|"
    r"overweight|obese|body mass"
)
_DRINKS = (
    r"\bbeers?\b|\bwine|alcohol|spirits|vodka|whisk|sherry|schnapps|drinks (?:socially|heavily)"
)
_JOBS = (
    r"\bwork|retired|\bschool|\bpupil|\bjob\b|teach|driver|student|office|apprentice|shift|"
    r"unemployed|employ|farm|nurse\b|clerk|hairdresser|kindergarten|nursery|pension"
)
_HOMES = r"\blives?\b|widow|married|single\b|divorc|partner\b|household|care home|\bflat\b"

TOPICS: tuple[Topic, ...] = (
    _topic("name", r"\byour (?:full )?name\b|are you called|who are you\b", "", "name"),
    _topic("age", r"how old|\byour age\b|date of birth|were you born", "", "age"),
    _topic(
        "gender",
        r"\b(?:gender|sex)\b(?!ual)|are you (?:a )?(?:male|female|man|woman)",
        "",
        "gender",
    ),
    _topic("allergies", r"allerg|intoleran|react(?:ion|ed)? to", _ALLERGIES, label="allergies"),
    _topic(
        "medication",
        r"medicat|medicine|tablet|\bpills?\b|\bdrugs?\b|prescri|painkiller|supplement|"
        r"(?:are|do) you tak(?:e|ing) anything|over.the.counter",
        _DRUGS,
        label="medication",
    ),
    _topic("operations", r"operation|operated|surger|surgical|hospital|procedure", _OPERATED),
    _topic("vaccination", r"vaccin|immuni[sz]|\bjabs?\b|\bshots\b", "", "vaccination"),
    _topic(
        "family",
        r"\b(?:family|relatives?|genetic|hereditary|runs? in)\b|"
        r"your (?:mother|father|parents|siblings|brothers?|sisters?|grandparents)",
        "",
        "family",
    ),
    _topic(
        "smoking",
        r"smok|tobacco|cigar|vap(?:e|ing)",
        r"smok|tobacco|cigar|\bpipe\b",
        label="tobacco",
    ),
    _topic(
        "alcohol",
        r"alcohol|\bdrink(?:ing)?\b(?!.*\b(?:water|coffee|in a day)\b)|\bbeer|\bwine",
        _DRINKS,
        label="alcohol",
    ),
    _topic("water", r"drink.*\b(?:water|in a day)\b|\bfluids?\b|\bthirst", r"water|litres?|thirst"),
    _topic("coffee", r"coffee|caffeine", r"coffee|\btea\b"),
    _topic("exercise", r"exercis|\bsport|physical(?:ly)? activ|\bgym\b", _SPORT, label="exercise"),
    _topic("diet", r"\bdiet|\beat\b|\beating\b|\bfood\b|\bmeals?\b|nutrition|appetite", _FOOD),
    _topic(
        "work",
        r"\b(?:your|what|you) (?:do you )?(?:\w+ )?work\b|your job|occupation|profession|"
        r"for a living|at school|retired|employ|\bwork (?:like|situation)|what work",
        _JOBS,
        label="occupation",
    ),
    _topic(
        "town",
        r"where (?:do|are) you (?:live|living|from)|what (?:town|city)",
        r"village|\btown\b|\bcity\b",
    ),
    _topic(
        "home",
        r"live (?:with|alone)|living (?:with|alone|situation)|\bat home\b|who do you live|"
        r"household|\byour home\b",
        _HOMES,
        label="living situation",
    ),
    _topic(
        "marital",
        r"married|partner\b|spouse|husband|wife|relationship",
        r"married|widow|divorc|partner\b|single\b",
        label="marital status",
    ),
    _topic(
        "children",
        r"(?:any|have|many) (?:children|kids)",
        r"\bchild(?:ren)?\b|sons?\b|daughters?\b",
        label="children",
    ),
    _topic(
        "sleep",
        r"\bsleep|insomnia|at night\b",
        r"\bsleeps?\b|asleep|mattress|\bwakes?\b|nights?\b|insomnia",
    ),
    _topic(
        "pets",
        r"\bpets?\b|\banimals?\b|\b(?:a|any) (?:dog|cat)s?\b",
        r"\bpets?\b|\bdogs?\b|\bcats?\b|budgerigar|\brabbits?\b|hamster",
    ),
    _topic(
        "hobbies",
        r"hobb|free time|spare time|interests\b|for fun|leisure",
        r"hobb|free time|collects|choir|\bsings?\b|paint|garden|\breads\b|\bplays\b|knits",
    ),
    _topic("travel", r"travel|\btrips?\b|abroad|holiday", r"travel|abroad|holiday"),
    _topic("stress", r"stress", r"stress"),
    _topic("weight", r"\bweigh", r"\bweigh|overweight|body mass|obese"),
    _topic(
        "transport", r"how did you (?:get|come)|transport", r"came here", label="arrival transport"
    ),
    _topic(
        "examinations",
        r"\btests?\b|examin|\bscans?\b|x-?rays?|blood test|imaging|\bresults\b|"
        r"seen (?:a|another|any) (?:other )?doctor|been checked|ultrasound|\bmri\b",
        "",
        "examination",
    ),
    _topic(
        "triggers",
        r"better or worse|worse or|makes? (?:it|them|this) (?:better|worse)|trigger|"
        r"bring.{0,12}\bon\b|"
        r"aggravat|reliev|\beases?\b|anything.*\bhelp|\bworse\?|\bbetter\?",
    ),
    _topic(
        "onset",
        r"when (?:did|was)|how long|since when|\bstart|\bbeg[aiu]n|onset|first notice|come and go|"
        r"constant|chang(?:ed|ing)|over time|getting (?:worse|better)|develop|sudden|gradual",
        general=True,
    ),
    _topic(
        "severity",
        r"how (?:bad|severe|strong|intense)|scale (?:of|from)|severity",
        "",
        "severity",
        label="pain",
    ),
    _topic(
        "other",
        r"(?:other|else|additional|further|more|besides)[^?.]*(?:symptom|complaint|problem|notic|feel)|"
        r"(?:symptom|complaint)s?[^?.]*not told",
    ),
    _topic(
        "lifestyle",
        r"lifestyle|habits|daily (?:life|routine)|typical day",
        "",
        "lifestyle",
        general=True,
    ),
    _topic(
        "history",
        r"\bpast\b|previous|history|illness|\bconditions?\b|diseases?\b|chronic|diagnos|"
        r"health problems|had before",
        "",
        "history",
        general=True,
    ),
    _topic(
        "feelings",
        r"worr|feel about|afraid|concern(?:s|ed)\b|\bmood\b|cop(?:e|ing)\b|emotion|spirits|scared",
        general=True,
    ),
    _topic(
        "symptoms",
        r"symptom|complain|\bpain|describe|\bfeel\b|tell me more|where (?:exactly|does|is)|"
        r"what (?:exactly|is it) like|detail|bother|hurt",
        "",
        "symptom",
        general=True,
    ),
    _topic(
        "greeting",
        r"what brings you|(?:can|may) i (?:help|do)|what (?:seems|is) (?:to be )?(?:the |your )?"
        r"(?:problem|matter|trouble|main)|what.s (?:the matter|wrong|going on)|"
        r"why (?:have|did|are) you|\bhello\b|\bhi\b|good (?:morning|afternoon|evening|day)",
        "",
        "symptom",
        general=True,
    ),
    _topic(
        "closing",
        r"anything else|anything (?:more )?you would like|(?:would|want).*\b(?:add|mention)\b|"
        r"forgotten|any questions|thank you|goodbye",
        general=True,
    ),
)
_ORDER = {topic.name: place for place, topic in enumerate(TOPICS)}
MOST_TOPICS = 3
"""Most topics of one question that are answered."""


@lru_cache(maxsize=4096)
def topics_of(question: str) -> tuple[Topic, ...]:
    """What a question is about, in the order of asking; general topics give way to others."""
    places = [(found.start(), topic) for topic in TOPICS if (found := topic.asked.search(question))]
    special = [one for one in places if not one[1].general]
    if special:
        chosen = sorted(special, key=lambda one: (one[0], _ORDER[one[1].name]))
        return tuple(topic for _, topic in chosen)[:MOST_TOPICS]
    general = sorted(places, key=lambda one: _ORDER[one[1].name])
    return tuple(topic for _, topic in general)[:1]


@lru_cache(maxsize=65536)
def belongs(held: Held, topic: Topic) -> bool:
    """Whether a thing that the memory holds is about the topic."""
    if held.kind in topic.kinds:
        return True
    if held.kind == "profile":
        return bool(topic.label) and held.label == topic.label
    if topic.about is None or held.kind not in ("history", "lifestyle", "learned", "symptom"):
        return False
    if held.kind == "symptom" and topic.name not in ("sleep", "water", "diet"):
        return False
    if held.kind == "history" and topic.name in _HABITS:
        return False
    if held.kind != "history" and topic.name == "allergies":
        return bool(_ALLERGIC.search(held.value))
    return bool(topic.about.search(held.value))


_HABITS = {
    "exercise",
    "work",
    "home",
    "hobbies",
    "children",
    "pets",
    "sleep",
    "diet",
    "town",
    "marital",
    "coffee",
    "water",
}
