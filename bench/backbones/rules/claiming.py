"""What a sentence claims on matters that have one value: age, smoking, who one lives with."""

import re
from collections.abc import Mapping
from functools import lru_cache

from bench.backbones.rules.phrasing import RELATIVES, plain, words
from bench.backbones.rules.recalling import Held

Claims = Mapping[str, frozenset[str]]

_AGE = re.compile(
    r"(?:^|\b(?:i am|patient is|he is|she is|my age is)|^aged?:?) ?"
    r"(?:now |already |just |only |a |an |actually )?(\d{1,3})"
    r"(?:(?:[- ]years?)(?:[- ]old| of age)|[- ]year-old|(?=[.,!?]|$))"
)
_GENDER = re.compile(
    r"\b(?:i am|patient is|as|he is|she is) (?:an? )?(?:\w+[- ](?:year-)?(?:old )?)?"
    r"(woman|girl|female|lady|man|boy|male|gentleman)\b"
)
_NAME = re.compile(r"\b[Mm]y (?:full )?name(?: is|'s) ((?:[A-Z][\w'-]+ ?)+)")
_SMOKING = (
    ("never", r"\bnever (?:been a smoker|smok|touched a cig)|\bnon-?smok|\bnever-smoker"),
    ("past", r"\b(?:former|ex)[- ]smok|used to smoke|smoked (?:until|in|for)|"
             r"(?:stopped|quit|gave up) (?:smoking|cigarettes|\d)|not smoked (?:for|since)|"
             r"no longer smoke"),
    ("none", r"\bnot (?:a smoker|smoke)|\bno (?:tobacco|cigarettes|smoking)|\bsmokes? nothing"),
    ("now", r"(?:^|\bi |\bpatient |\bhe |\bshe )(?:do |still |am |is )?(?:chain-)?"
            r"(?:smokes?|smoking)\b|\bsmoker of\b|^(?:a )?smoker\b|\bi am a (?:heavy )?smoker"),
)  # fmt: skip
_DRINKS = r"(?:beers?|wine|spirits|alcohol|vodka|whisky|whiskey|sherry|schnapps|cider|liquor|gin)"
_ALCOHOL = (
    ("past", rf"(?:stopped|quit|gave up) (?:drinking|{_DRINKS})|used to drink|no longer drink"),
    ("none", rf"\bno alcohol|\bteetotal|\bnot (?:drink|touch)(?: any)?(?: alcohol|$|[.,])|"
             rf"\bnever (?:drinks?|drank|touch(?:es)?)(?: any)?(?: alcohol|$|[.,])|"
             rf"\bdrinks? (?:no|neither) (?:alcohol|{_DRINKS})"),
    ("now", rf"\bdrinks?\b(?!.*\bno\b)[^,]*\b{_DRINKS}\b|\bglass(?:es)? of {_DRINKS}|"
            rf"^{_DRINKS} (?:at|on|in|with)\b|\bdrinks? (?:socially|heavily)"),
)  # fmt: skip
_SPORT = (
    ("none", r"\b(?:no|not do(?: any)?|not|never) (?:sports?|exercise)\b"),
    ("now", r"(?:^|\bi )(?:plays? (?:\w+ )?(?:football|tennis|handball|volleyball|basketball|"
            r"hockey|badminton|rugby|squash)|swims?\b|jogs?\b|runs? (?:\w+ )?(?:km|kilomet)|"
            r"goes to the gym|go to the gym|does sports?|exercises? (?:regularly|every|\d))"),
)  # fmt: skip
_MARRIED = re.compile(
    r"(?:^|\bi am (?:a )?|\bpatient is )(married|single|divorced|widow)(?:ed|er)?\b"
    r"(?! (?:super|small))"
)
_LIVES = re.compile(
    r"\bliv(?:es?|ing) (?:(?:together )?with\b([^;.]*)|(alone|by my|on (?:my|his|her) own))"
)
_WORK = re.compile(r"\b(?:i )?works? as (?:an? )?([\w -]+?)(?: (?:in|at|for|with|on)\b|[,.;]|$)")
_PETS = (
    ("none", r"\bno (?:pets?|animals)|\bnot have (?:any )?(?:pets?|animals)"),
    ("some", r"\b(?:have|has|keeps?|owns?) (?:an?|\d|some) (?:\w+ )?"
             r"(?:pets?|dogs?|cats?|rabbits?|hamsters?|birds?|budgerigars?|horses?)\b(?! allerg)"),
)  # fmt: skip
_CHILDREN = (
    ("none", re.compile(r"\bno (?:children|kids)\b|\bnot have (?:any )?(?:children|kids)\b")),
    (
        "some",
        re.compile(
            r"\b(?:i have|has) (?:an?|\d+) (?:\w+ )?(?:child(?:ren)?|kids|sons?|daughters?)\b"
        ),
    ),
)
_STATES = {
    name: tuple((status, re.compile(pattern)) for status, pattern in states)
    for name, states in (
        ("smoking", _SMOKING),
        ("alcohol", _ALCOHOL),
        ("sport", _SPORT),
        ("pets", _PETS),
    )
}
_CLASHES = {
    "smoking": {
        frozenset(pair)
        for pair in (
            ("now", "never"),
            ("now", "past"),
            ("now", "none"),
            ("past", "never"),
        )
    },
    "alcohol": {frozenset(("now", "none")), frozenset(("now", "past"))},
    "sport": {frozenset(("now", "none"))},
    "pets": {frozenset(("some", "none"))},
}
_COMPANIONS = frozenset(RELATIVES.values()) - {"family"}
_TALKS_OF = re.compile(
    r"smok|cig|tobacco|drink|alcohol|wine|beer|teetotal|drank|sport|exercis|play|swim|jog|run|gym|"
    r"pet|animal|dog|cat|rabbit|bird|budger|hamster"
)


@lru_cache(maxsize=65536)
def claims(text: str, question: str = "") -> Claims:
    """What the patient claims of himself or herself, by matter."""
    told = plain(text).strip(" .!")
    found: dict[str, frozenset[str]] = {}
    age = _AGE.search(told)
    if age and (age[0].strip() != age[1] or re.search(r"\bhow old|\bage\b", question.lower())):
        found["age"] = frozenset((age[1],))
    relatives = {RELATIVES[word] for word in re.findall(r"[\w-]+", told) if word in RELATIVES}
    gender = None if relatives else _GENDER.search(told)
    if gender:
        female = gender[1] in ("woman", "girl", "female", "lady")
        found["gender"] = frozenset(("female" if female else "male",))
    elif "i am pregnant" in told:
        found["gender"] = frozenset(("female",))
    name = _NAME.search(text)
    if name:
        found["name"] = words(name[1])
    if not relatives and _TALKS_OF.search(told):
        for matter, states in _STATES.items():
            status = next((status for status, way in states if way.search(told)), None)
            if status:
                found[matter] = frozenset((status,))
    return found | _at_home(told)


def _at_home(told: str) -> dict[str, frozenset[str]]:
    """Claims on home, children, marriage and work; relatives may be named in them."""
    found: dict[str, frozenset[str]] = {}
    lives = _LIVES.search(told)
    if lives:
        company = {
            RELATIVES[word] for word in re.findall(r"[\w-]+", lives[1] or "") if word in RELATIVES
        }
        named = frozenset(company) & _COMPANIONS
        if lives[2] or named:
            found["living"] = named or frozenset(("alone",))
    children = next((status for status, way in _CHILDREN if way.search(told)), None)
    if children:
        found["children"] = frozenset((children,))
    married = _MARRIED.search(told)
    if married:
        found["marital"] = frozenset((married[1],))
    work = _WORK.search(told)
    if work:
        found["work"] = words(work[1])
    elif re.search(r"^retired\b|\bi am (?:a )?retired", told):
        found["work"] = frozenset(("retired",))
    return found


def fact_claims(held: Held) -> Claims:
    """What a fact claims of the patient by the same matters."""
    if held.kind == "age":
        return {"age": frozenset((held.value.strip(),))}
    if held.kind == "gender":
        return {"gender": frozenset((held.value.lower(),))}
    if held.kind == "name":
        return {"name": words(held.value)}
    if held.kind in ("lifestyle", "learned", "history"):
        return claims(held.value)
    if held.kind == "profile" and held.label in ("tobacco", "alcohol"):
        return claims(held.value)
    return {}


def clash(matter: str, one: frozenset[str], other: frozenset[str]) -> bool:
    """Whether two claims on a matter cannot both be true."""
    if matter in _CLASHES:
        return any(frozenset((a, b)) in _CLASHES[matter] for a in one for b in other)
    if matter == "gender" and "other" in one | other:
        return False
    return not one & other
