"""States what an answer says as short statements, one for each main clause.

Greetings, thanks, feelings, questions and guesses state nothing.
"""

import random
import re
from functools import lru_cache

from bench.backbones.requests import Extract, Extracted
from bench.backbones.rules.phrasing import RELATIVES, plain, segments, sentences, upper_first, words
from bench.backbones.rules.voicing import BODIES
from bench.backbones.rules.wording import listed, third
from bench.knowledge.library import Library

_NOTHING = re.compile(
    r"\b(?:hello|good (?:morning|afternoon|evening)|thank(?:s| you)|please|sorry|welcome|"
    r"doctors?|you|your|nobody listens|fed up|frustrat\w*|gladly|annoyed|upset about|scared|"
    r"worried|i hope|i wish|glad|pleased to|trust|appreciate|kind of you|"
    r"reminds me|by the way|funny|speaking of|anyway|honestly|to be honest|let me|look,|"
    r"that is all|i could|nothing (?:else|more)|anything more|told you)\b",
)
_HEDGED = re.compile(
    r"\b(?:maybe|perhaps|i (?:think|guess|suppose|believe)|not sure|unsure|possibly|might be|"
    r"(?:not|cannot) (?:really )?(?:know|remember|say|recall|tell|think)|could not say|no idea|"
    r"not that i)\b"
)
_POINTING = re.compile(
    r"^(?:yes|no(?=[,.])|well|oh|ok|okay|right|of course|sure|actually|"
    r"in my family(?=:)|there is this(?=:)|"
    r"as for my vaccinations(?=:)|"
    r"as i (?:said|told|mentioned))\b[,.:]?\s*",
    re.I,
)
_ADDRESS = re.compile(
    r",?\s*\b(?:doctor|sir|madam|ma'am|you know(?=,|$|\.)|i mean|"
    r"as i (?:said|told you|mentioned))\b,?",
    re.I,
)
_ADVERBS = frozenset(
    re.findall(
        r"\w+",
        "usually often never sometimes always also still only just rarely hardly regularly mostly "
        "no longer neither seldom barely frequently occasionally scarcely normally really actually "
        "currently already ever once recently",
    )
)
_SPOKEN = {"i'm": "i am", "i've": "i have", "i'd": "i had", "i'll": "i will"}
_OWN_RELATIVE = re.compile(
    rf"\bmy (?=(?:\w+ )?({'|'.join(sorted(RELATIVES, key=len, reverse=True))})\b)", re.I
)
_OWN_BODY = re.compile(
    rf"\bmy (?=(?:(?:left|right|upper|lower|outer|inner) )*(?:{BODIES})\b)", re.I
)
_PLURAL = re.compile(r"(?:s|children|kids)$")


def extract(task: Extract, library: Library, drawn: random.Random) -> Extracted:
    """The statements in order; `library` and `drawn` are not needed."""
    return Extracted(facts=statements(task.text, task.question))


@lru_cache(maxsize=8192)
def statements(text: str, question: str = "") -> tuple[str, ...]:
    """What a text states, as of a patient."""
    found: list[str] = []
    for sentence in sentences(text):
        if sentence.endswith("?"):
            continue
        for part in segments(_ADDRESS.sub("", sentence)):
            made = _statement(_POINTING.sub("", part.strip()), question)
            if made and made not in found:
                found.append(made)
    return tuple(found)


def _statement(part: str, question: str) -> str:
    """One main clause as a statement in the third person, or nothing."""
    told = part.strip(" .!,;:")
    lower = plain(told)
    if _NOTHING.search(lower) or _HEDGED.search(lower) or not words(told):
        return ""
    if re.match(r"^(?:i am|i feel) (?:fine|ok|okay|well|here)\b", lower):
        return ""
    return upper_first(_third(told, question))


def _third(told: str, question: str) -> str:
    """ "I live with my sister" as "lives with a sister"."""
    first, _, rest = told.partition(" ")
    spoken = _SPOKEN.get(first.lower().replace("’", "'"))
    if spoken:
        first, _, verb = spoken.partition(" ")
        rest = f"{verb} {rest}"
    if first.lower() in ("i", "we"):
        made = _conjugated(rest)
    elif first.lower() in ("it", "this", "that") and rest:
        made = f"the complaint {rest}"
    elif first.lower() == "my":
        made = _my_first(rest)
    else:
        made = told
    made = _OWN_RELATIVE.sub(_companion, made)
    made = _OWN_BODY.sub("the ", made)
    for own, other in (("my", "the"), ("me", "the patient"), ("I", "the patient")):
        made = re.sub(rf"\b{own}\b", other, made)
    return made


def _my_first(rest: str) -> str:
    """What follows a leading "my": a relative needs no article, all else the definite one."""
    return rest if rest.split(" ", maxsplit=1)[0].lower() in RELATIVES else f"the {rest}"


def _companion(found: re.Match[str]) -> str:
    if found[1].lower() == "family":
        return "the "
    return "" if _PLURAL.search(found[1]) else "a "


def _conjugated(rest: str) -> str:
    verbs = rest.split(" ")
    for place, word in enumerate(verbs):
        lower = word.lower()
        if lower in _ADVERBS:
            continue
        if lower in ("don't", "don’t"):
            verbs[place] = "does not"
        elif lower in ("haven't", "haven’t"):
            verbs[place] = "has not"
        elif not _PAST.search(lower) and lower not in listed("past"):
            verbs[place] = third(lower)
        break
    return " ".join(verbs)


_PAST = re.compile(
    r"(?:^(?:was|had|did|were|will|would|could|should|might|may|must|can|cannot|can't|couldn't|"
    r"didn't|wasn't|came|got|told|slept|drank|ate|felt)|[^e]ed)$"
)
