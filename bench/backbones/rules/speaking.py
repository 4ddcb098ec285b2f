"""Puts what a record says into the patient's mouth, word by word where it can.

"walks with a limp to spare the left leg" becomes "I walk with a limp to spare my left leg". The
words are kept, so that what is said can be found again in the record.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from bench.backbones.rules.phrasing import RELATIVES, lower_first, upper_first
from bench.backbones.rules.recalling import Held, Kind
from bench.backbones.rules.wording import base, listed

BODIES = "|".join(sorted(listed("bodies"), key=len, reverse=True))
"""Parts of the body as alternatives of a pattern."""
_BODY = re.compile(
    r"\b(of |on )?the ((?:(?:left|right|upper|lower|outer|inner|top|big|small|middle) )*)"
    rf"({'|'.join(sorted(listed('bodies'), key=len, reverse=True))})\b"
)
_PATIENT = (
    (re.compile(r"\bthe patient(?:'s|’s)\b|\bone's\b"), "my"),
    (re.compile(r"\bthe patient\b"), "me"),
    (re.compile(r"\b(?:himself|herself|oneself)\b"), "myself"),
    (re.compile(r"\b(?:waking|woke|told|made|left|hit|struck|bit) (?:him|her)\b(?! \w+s\b)"), None),
    (re.compile(r"\bas relatives\b"), "as my relatives"),
    (re.compile(r"(?<!my )(?<!\bone's )\bown (?=private|body|life|thoughts)"), "my own "),
)
_ARTICLE = re.compile(r"^(?:a|an|the|no|some|several|many|both|each|every|my|\d|two|three|one)\b")


@lru_cache(maxsize=65536)
def say(held: Held) -> str:
    """One sentence in the first person without its full stop; empty for what is not told."""
    told = _SAID[held.kind](held.value.strip().rstrip(".")) if held.kind in _SAID else ""
    if held.kind == "profile":
        told = _profile(held.label, held.value)
    if held.kind == "examination":
        told = f"I have had this done: {lower_first(held.label)}" if held.label else ""
    return upper_first(_mine(told)) if told else ""


def _mine(text: str) -> str:
    def own(found: re.Match[str]) -> str:
        before, sides, body = found.groups()
        return f"{before or ''}my {sides}{body}"

    text = _BODY.sub(own, text)
    for pattern, replacement in _PATIENT:
        text = pattern.sub(replacement or _me, text)
    return text


def _me(found: re.Match[str]) -> str:
    return re.sub(r"(?:him|her)$", "me", found[0])


def _verb(text: str) -> str | None:
    """The phrase with its verb, and those joined to it, in the first person, if it has one."""
    first, _, rest = text.partition(" ")
    word = first.lower().rstrip(",")
    if word in listed("adverbs"):
        then = _verb(rest) if rest else None
        return f"{lower_first(first)} {then}" if then else None
    if word in ("can", "cannot", "could", "would", "will", "must"):
        return text
    if word not in listed("verbs") and not (
        word in listed("nouns_too") and rest.split(" ")[0] not in listed("prepositions")
    ):
        return None
    joined = re.sub(r"(?<=, | d|nd|or|ut|en) ?\b(\w+s)\b", lambda found: found[0], rest)
    parts = re.split(r"(, (?:and |but |then )?| and | or | but | then )", joined)
    for place in range(2, len(parts), 2):
        head, space, tail = parts[place].partition(" ")
        if head in listed("verbs"):
            parts[place] = base(head) + space + tail
    return base(word) + first[len(word) :] + (" " + "".join(parts) if rest else "")


def _symptom(text: str) -> str:
    text = lower_first(text)
    first, _, rest = text.partition(" ")
    spoken = _verb(text)
    if spoken:
        return f"I {spoken}"
    second = rest.partition(" ")[0].rstrip(",")
    if first in listed("adverbs") and first not in ("no", "easily", "mostly"):
        return f"I have {text}" if second.endswith(("ed", "pt")) else f"I am {text}"
    if first.rstrip(",") in listed("adjectives") and (
        not rest or first.endswith(",") or second in listed("prepositions")
    ):
        return f"I am {text}"
    return _about_body(text) or _clause(text) or _noun(text)


_OWN_BODY = re.compile(
    r"^((?:left|right|both|upper|lower|outer|inner|whole) )*"
    rf"({'|'.join(sorted(listed('bodies'), key=len, reverse=True))}) (\w[\w-]*)(.*)$"
)


def _about_body(text: str) -> str | None:
    found = _OWN_BODY.match(text)
    if not found:
        return None
    body, word, rest = found[2], found[3], found[4]
    if word in listed("finite"):
        return f"both my {text[5:]}" if text.startswith("both ") else f"my {text}"
    states = ("ed", "en", "er", "y", "ful", "less", "stiff", "sore", "red", "weak", "numb", "hot")
    if word.endswith(states) and word not in listed("articles") and word not in ("injury", "body"):
        joined = "are" if body.endswith("s") or body in ("feet", "teeth") else "is"
        return f"my {text[: found.start(3)]}{joined} {word}{rest}"
    return None


_BREAKS = frozenset(
    [
        "that",
        "which",
        "who",
        "when",
        "because",
        "if",
        "as",
        "while",
        "until",
        "where",
        "although",
        "for",
    ]
)


def _clause(text: str) -> str | None:
    """A phrase that already is a sentence."""
    before = ""
    for word in text.split()[:7]:
        verb = word not in _UNFINITE and (word in listed("finite") or word in listed("verbs"))
        if verb and before not in _NO_SUBJECT:
            return text
        if word in _BREAKS or word.endswith(","):
            return None
        before = word
    return None


_NO_SUBJECT = listed("prepositions") | {"", "and", "or"}
_UNFINITE = frozenset(
    [
        "no",
        "never",
        "look",
        "feel",
        "turn",
        "move",
        "fall",
        "break",
        "drop",
        "pulls",
        "bulges",
        "fills",
    ]
)


def _noun(text: str) -> str:
    if _ARTICLE.match(text):
        return f"I have {text}"
    if re.match(r"\w+ing (?!(?:pain|ache|sensation|feeling|headache|cough|of|in|on)\b)", text):
        head = text.split(maxsplit=1)[0]
        if head in _GERUNDS:
            return f"I have been {text}"
    before = re.split(rf"[,(]| (?:{'|'.join(listed('prepositions'))}) ", text)[0].split()
    if before and before[-1] in listed("articles") - listed("articles_not"):
        article = "an" if text[0] in "aeiou" else "a"
        return f"I have {article} {text}"
    return f"I have {text}"


_GERUNDS = frozenset(
    [
        "getting",
        "losing",
        "waking",
        "having",
        "needing",
        "being",
        "going",
        "giving",
        "bumping",
        "passing",
        "vomiting",
        "bringing",
        "missing",
        "dropping",
        "making",
        "shaving",
        "putting",
        "avoiding",
        "seeking",
        "leaving",
        "talking",
        "interrupting",
        "taking",
        "eating",
        "drinking",
        "gaining",
        "tossing",
        "lying",
        "sleeping",
        "wearing",
        "sweating",
        "stumbling",
        "tripping",
        "walking",
        "holding",
        "keeping",
        "wetting",
    ]
)


def _statement(text: str, otherwise: str = "I have had {}") -> str:
    """A statement of the history or the way of life."""
    first, _, rest = text.partition(" ")
    word = first.lower().rstrip(",")
    lower, second = lower_first(text), rest.partition(" ")[0].rstrip(",")
    spoken = _verb(lower)
    if spoken:
        return f"I {spoken}"
    if word in ("i", "it", "my", "there", "we"):
        return text
    if word in RELATIVES or (word in ("older", "younger", "elder") and second in RELATIVES):
        return f"my {lower}"
    if word in listed("past"):
        return f"I {lower}"
    if word in listed("participles"):
        return f"I was {lower}"
    titled = word in ("retired", "active") and second and not first.endswith(",")
    if titled and second not in listed("prepositions"):
        return f"I am a {lower}"
    if word in listed("adjectives") and (
        not rest or first.endswith(",") or second in listed("prepositions") or word == "fully"
    ):
        return f"I am {lower}"
    if word in listed("persons") or (second in listed("persons") and not text.startswith("Body")):
        return f"I am {'an' if lower[0] in 'aeiou' else 'a'} {lower}"
    if word == "not":
        return f"I am {lower}"
    if word in listed("adverbs") and word != "no":
        ended = second.endswith(("ed", "en")) or second in listed("past")
        return f"I {lower}" if ended else f"I am {lower}"
    if _clause(lower):
        return lower
    if lower.startswith("body mass index "):
        return "my body mass index is " + lower.removeprefix("body mass index ")
    return otherwise.format(lower)


def _lifestyle(text: str) -> str:
    return _own(_statement(text, "I have this habit: {}" if _habit(text) else "I have {}"))


def _habit(text: str) -> bool:
    return bool(
        re.match(r"(?:Beer|Wine|Glass|Cannabis|Cake|Irregular|Fast|Late|Half|In|On)\b", text)
    )


def _history(text: str) -> str:
    told = _statement(text)
    if told.startswith("I have had ") and re.search(r"\b[Aa]llergy\b", text):
        article = "" if " to " in text[:11] or "," in text[:12] else "a "
        return f"I have {article}{lower_first(text)}"
    if re.match(r"^[\w' -]+, with\b", text) and told.startswith("I have had "):
        return f"I react to {lower_first(text)}"
    return told


def _family(text: str) -> str:
    first, _, rest = text.partition(" ")
    lower, second = lower_first(text), rest.partition(" ")[0]
    if first.lower() in ("no", "several", "two", "one", "a", "small", "eye", "epilepsy"):
        return f"in my family there is {lower}" if first == "No" else f"in my family: {lower}"
    if first.lower() in ("nobody", "strict", "grew"):
        return f"I {lower}" if first == "Grew" else lower
    if first == "Both":
        return f"both my {rest}"
    third = rest.partition(" ")[2].partition(" ")[0]
    if "with" in (second, third) and " has " not in text and " had " not in text:
        return f"I have a {lower}"
    if second in listed("adjectives") and second not in ("full", "lean", "limp"):
        return f"my {lower_first(first)} {'are' if first.endswith('s') else 'is'} {rest}"
    found = _RELATIVE_DONE.match(lower)
    if found:
        return f"my {found[1]} {'were' if found[1].endswith('s') else 'was'} {found[2]}"
    if re.match(r"(?:overweight|obese|healthy|hypertensive|diabetic|in good|alive|well)\b", rest):
        return f"my {lower_first(first)} {'are' if first.endswith('s') else 'is'} {rest}"
    return f"my {lower}"


_RELATIVE_DONE = re.compile(
    rf"((?:[a-z-]+ )?(?:{'|'.join(RELATIVES)})) "
    rf"((?:known|operated|{'|'.join(listed('participles'))})\b.*)"
)


def _name(text: str) -> str:
    return f"my name is {text}"


def _gender(text: str) -> str:
    return {"female": "I am female", "male": "I am male"}.get(text.lower(), "")


def _age(text: str) -> str:
    return f"I am {text} years old"


def _profile(label: str, value: str) -> str:
    return f"my {label.lower()}: {value}" if label not in ("pain",) else f"my pain is {value}"


_SAID: dict[Kind, Callable[[str], str]] = {
    "name": _name,
    "gender": _gender,
    "age": _age,
    "symptom": _symptom,
    "history": _history,
    "lifestyle": _lifestyle,
    "vaccination": _statement,
    "family": _family,
    "learned": lambda text: _own(_statement(text, "{}")),
}

_A_RELATIVE = re.compile(rf"\b(?:an?|the) (?=(?:{'|'.join(RELATIVES)})\b)")


def _own(text: str) -> str:
    """ "I live with a sister" as "I live with my sister"."""
    return _A_RELATIVE.sub("my ", text)


def say_course(text: str) -> dict[str, list[str]]:
    """The sentences that tell of a course as records have it: since when, how, worse, better."""
    found: dict[str, list[str]] = {"onset": [], "triggers": []}
    for part in filter(None, re.split(r"\.\s+|;\s+", text.strip().rstrip("."))):
        lower = lower_first(part)
        spanned = re.match(r"((?:about |over )?\d+ \w+)(?:, (.*))?$", lower)
        if lower.startswith(("worse ", "eased ", "better with ", "relieved ")):
            found["triggers"].append(f"It is {_mine(lower)}")
        elif lower.startswith("onset was "):
            found["onset"].append(f"The {_mine(lower)}")
        elif spanned:
            found["onset"].append(f"I have had this for {spanned[1]}")
            if spanned[2]:
                found["onset"].append(_course(spanned[2]))
        else:
            found["onset"].append(_course(lower))
    return found


def _course(lower: str) -> str:
    return f"Since then it has been like this: {_mine(lower)}"
