"""Puts what a record says into the patient's mouth, word by word where it can.

"walks with a limp to spare the left leg" becomes "I walk with a limp to spare my left leg". The
words are kept, so that what is said can be found again in the record.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from bench.backbones.rules.phrasing import RELATIVES, lower_first, upper_first
from bench.backbones.rules.recalling import Held, Kind
from bench.backbones.rules.voicing import BODIES, in_first_person, is_verb, joined, kin, mine
from bench.backbones.rules.wording import listed

_ARTICLE = re.compile(r"^(?:a|an|the|no|some|several|many|both|each|every|my|\d|two|three|one)\b")
_FRAME = "there is this: {}"
"""For what is no noun and no clause."""


@lru_cache(maxsize=65536)
def say(held: Held) -> str:
    """One sentence in the first person without its full stop; empty for what is not told."""
    told = _SAID[held.kind](held.value.strip().rstrip(".")) if held.kind in _SAID else ""
    if held.kind == "profile":
        told = _profile(held.label, held.value)
    if held.kind == "examination":
        told = f"I have had this done: {lower_first(held.label)}" if held.label else ""
    return upper_first(mine(told, held.kind == "family")) if told else ""


def _symptom(text: str) -> str:
    text = lower_first(text)
    first, _, rest = text.partition(" ")
    spoken = in_first_person(text)
    if spoken:
        return f"I {spoken}"
    if first in listed("past") and first != "repeated" and not rest.startswith("shape "):
        return f"I {text}"
    if text.startswith("failed to "):
        return f"I {text}"
    if first in ("sent", "referred"):
        return f"I was {text}"
    if first in ("being", "seeming"):
        return f"I seem {rest}" if first == "seeming" else f"I am {rest}"
    return _state(text) or _about_body(text) or _clause(text) or _noun(text)


def _state(text: str) -> str | None:
    """ "dizzy on standing" as "I am dizzy on standing"."""
    first, _, rest = text.partition(" ")
    word, second = first.rstrip(","), rest.partition(" ")[0].rstrip(",")
    if word == "limp" and second != "and":
        return f"I {text}" if second in ("on", "when", "after") else None
    if word == "limp":
        return _being(text)
    if word in listed("adverbs") and word not in ("no", "easily", "mostly"):
        if second.endswith(("ed", "pt")) and second not in listed("adjectives"):
            return f"I have {text}"
        state = second in listed("adjectives") or second.endswith(("ing", "ed", "en"))
        state = state and word != "even" and second != "anything"
        return _being(text) if state or second in ("on", "in", "out", "at", "back") else None
    if _STATES.match(text):
        return _being(text)
    if word not in listed("adjectives"):
        return None
    if first.endswith(","):
        head = re.split(rf"[,(]| (?:{_PREPOSITIONS}) ", rest)[0].split()
        noun = len(head) > 1 and not is_verb(head[0], head[1]) and head[0] in _DESCRIBING
        return None if noun else _being(text)
    joins = second in listed("prepositions") | listed("after_states")
    return _being(text) if not rest or joins or _adjectives(rest) else None


_PREPOSITIONS = "|".join(sorted(listed("prepositions")))
_DESCRIBING = listed("adjectives") | listed("describing")
_STATES = re.compile(
    r"(?:(?:a few|several) kilograms (?:heavier|lighter)|out of|in need of|low in|short of|"
    r"on (?:edge|the go|a |sick)|"
    r"too (?:weak|tired|feeble)|"
    r"much more|awake|worn out|washed out|tired out|sick (?:several|twice)|up (?:from|four|at)|"
    r"hot to|hot and|wet again|burning hot|growing weak|lacking drive|pouring with sweat|in debt|"
    r"woken|bursting with|in bed by|in a steady|certain (?:of|that)|unusually|always|not \w+ing|"
    r"painfully lonely|thin-skinned|dragging through|seeming absent|wincing and|writhing)\b"
)


def _adjectives(rest: str) -> bool:
    """Whether only adjectives follow, up to the next preposition: "weak and tired"."""
    head = re.split(rf"[,(]| (?:{_PREPOSITIONS}) ", re.sub(r"\band (?=\w)", "", f"{rest} "))[0]
    left = re.sub(r"^(?:hot|sick|in)$", "", head.strip()).split()
    return all(
        word in listed("adjectives")
        or word in listed("adverbs")
        or (word.endswith(("ed", "ly")) and word != "need")
        for word in left
    )


def _being(text: str) -> str:
    """ "I am" in the tense that the time told needs."""
    text = joined(text)
    told = re.sub(r"\(.*?\)", "", text)
    if _THEN.search(told):
        return f"I was {text}"
    return f"I have been {text}" if _SINCE.search(told) else f"I am {text}"


_THEN = re.compile(
    r"\bas a (?:small |primary school )?(?:child|boy|girl|baby)\b|\buntil the present\b|"
    r"\bbefore (?:the|this) (?:illness|accident)\b"
)
_SINCE = re.compile(
    r"\bsince\b|\bfor (?:the past|some time|"
    r"(?:many |some |several |eight )?(?:days|weeks|months|years))\b"
)
_OWN_BODY = re.compile(
    rf"^((?:left|right|both|upper|lower|outer|inner|whole) )*({BODIES}) (\w[\w-]*)(.*)$"
)


def _about_body(text: str) -> str | None:
    found = _OWN_BODY.match(text)
    if not found:
        return None
    body, word, rest = found[2], found[3], found[4]
    own = f"both my {text[5:]}" if text.startswith("both ") else f"my {text}"
    many = body.endswith("s") or body in ("feet", "teeth")
    if word in listed("finite") and (many or word not in ("ache", "itch", "burn", "sting")):
        return own
    after = rest.strip().partition(" ")[0]
    if word in listed("adverbs") | {"no"} and (after in listed("finite") or is_verb(after, "")):
        return own
    if word in ("swelled", "popped", "followed") or word in listed("prepositions"):
        return own if word in ("swelled", "popped") else None
    states = ("ed", "en", "er", "y", "ful", "less", "stiff", "sore", "red", "weak", "numb", "hot")
    if word.endswith(states) and word not in listed("articles") and word not in ("injury", "body"):
        at = len(own) - len(text) + found.start(3)
        return f"{own[:at]}{'are' if many else 'is'} {word}{rest}"
    return None


def _clause(text: str) -> str | None:
    """A phrase that already is a sentence."""
    held = text.split()
    if held[0] == "no" or _NOUN_FIRST.match(text):
        return None
    before = ""
    for place, word in enumerate(held[:9]):
        after = held[place + 1] if place + 1 < len(held) else ""
        if before not in _NO_SUBJECT and _finite(word, after, held[:place]):
            return text
        if word in listed("breaks") or word.endswith(","):
            return None
        before = word
    return None


def _finite(word: str, after: str, before: list[str]) -> bool:
    """Whether a word is the verb of the subject `before` it."""
    if word in listed("unfinite"):
        return False
    if word in listed("nounish"):
        many = before[0].endswith("s") or before[-1].endswith("s") or "and" in before
        noun = after in ("of", "to", "for", "that", "which", "")
        if after == "that" and len(before) == 1:
            return many
        return after in ("the", "my") or (many and not noun)
    if word in _PLURALS:
        return (
            after in listed("objects") or after == "within" or (word == "stabs" and after == "in")
        )
    acts = listed("verbs") - listed("nouns_rarely") - listed("nouns_too")
    return word in listed("finite") | acts


_PLURALS = frozenset(
    ("jars", "folds", "stabs", "tips", "ends", "bends", "drops", "swings", "close")
)
_NO_SUBJECT = listed("prepositions") | {"", "and", "or", "two", "three", "four", "few"}
_NOUN_FIRST = re.compile(
    r"(?:(?:dull|deep|dragging|drawing|gnawing|constant|steady|vague|slight|persistent|throbbing|"
    r"unbearable|right-sided|strong|muscle|bodily|unpleasant|acid|sharp|little|several|frequent|"
    r"constant|many|toilet|high|rapid|sudden|repeated)\b(?!.* (?:has|have|is|are|looks?|hurts?)\b))"
)


def _noun(text: str) -> str:
    first, _, rest = text.partition(" ")
    if first == "limping" or (first in listed("gerunds") and not _NO_GERUND.match(rest)):
        return f"I have been {text}"
    if first == "feeling" and not rest.startswith(("of ", "in ")):
        return f"I have been {text}"
    if _undone(text) or (first == "giving" and rest.startswith(("up of", "way of"))):
        return _FRAME.format(text)
    return f"I have {text}" if _ARTICLE.match(text) else f"I have {article(text)}{text}"


_NO_GERUND = re.compile(
    r"(?:pain|ache|sensation|feeling|headache|cough|of|in|on|up of|way of|slow|"
    r"bothered|and \w+(?:ness|or))\b"
)


def article(text: str) -> str:
    """ "a ", "an " or nothing for a noun that needs none."""
    first, _, rest = text.partition(", ")
    listing = " " not in first and first not in listed("bodies")
    part = re.split(
        rf"[,(]| (?:{_PREPOSITIONS}|low|deep) ", f"{first} {rest}" if listing else text
    )[0]
    head = part.split()
    last = head[-1] if head else ""
    if "the" in head or "my" in head or not head or head[0] in _UNCOUNTED:
        return ""
    countable = last in listed("articles") - listed("articles_not")
    body = last in listed("bodies") - _BARE and not last.endswith("s") and len(head) > 1
    return f"{a_or_an(text)} " if countable or body else ""


_UNCOUNTED = frozenset(
    ("little", "more", "less", "much", "half", "hay", "even", "only", "hardly", "hand")
)
_BARE = frozenset(("skin", "hair", "feet", "teeth", "muscle", "bone"))


def a_or_an(text: str) -> str:
    """The article by the first sound."""
    vowel = text[:1].lower() in "aeiou" and not re.match(
        r"(?:uri|uni(?!n)|use|eu|one\b|once\b)", text
    )
    return "an" if vowel else "a"


_ENDED = re.compile(
    r"\b(?:\w{3,}(?<!ne)(?<!b)ed|\w+(?:ken|tten|ven|rawn|rown|orn)|"
    r"(?<!the )(?<!on )left|lost|put|kept|"
    rf"hard|shut|tighter|sharper|larger|heavier|{'|'.join(sorted(listed('undone')))})$"
)
_HEAD = re.compile(rf" (?:{'|'.join(sorted(listed('prepositions') - {'of', 'and'}))}|more|less) |,")


_BECAME = re.compile(
    rf" (?!missing [a-z]+s\b)(?:{'|'.join(sorted(listed('undone')))}|"
    r"known by|left (?:to|half|on)|put up|not seen|"
    r"red and hot|more marked|pink to|deep red|drawn up|hard to|made hard|washed out|flushed and|"
    r"seen (?:twice|several)|as light as|"
    r"(?:blown|used|mixed) up|movements down|hanging down|unbearable)\b"
)


def _undone(text: str) -> bool:
    """Whether it tells what became of a thing, or starts with a verb: no plain noun."""
    first, _, rest = text.partition(" ")
    if first in listed("verbs") and is_verb(first, rest.partition(" ")[0]):
        return True
    if _BECAME.search(re.split(r" (?:that|which|who|when|because) |,", text)[0]):
        return True
    head = _HEAD.split(text)[0]
    return " being " not in head and " " in head and bool(_ENDED.search(head))


def _statement(text: str, otherwise: str = "I have had {}") -> str:
    """A statement of the history or the way of life."""
    first, _, rest = text.partition(" ")
    word = first.lower().rstrip(",")
    lower, second = lower_first(text), rest.partition(" ")[0].rstrip(",")
    spoken = in_first_person(lower)
    if spoken:
        return f"I {spoken}"
    if word in ("i", "it", "my", "there", "we"):
        return text
    if re.match(r"(?:mother|father) of (?!the\b)", lower):
        return f"I am a {joined(lower)}"
    if word in RELATIVES or (word in ("older", "younger", "elder") and second in RELATIVES):
        return _relative(lower)
    if word in listed("past") and not (word == "repeated" and second not in ("a", "the")):
        return f"I {lower}"
    if word in listed("participles"):
        return f"I was {lower}"
    if word == "never" and second in listed("participles"):
        return f"I was {lower}"
    return _described(text, lower, word, second) or otherwise.format(_with_article(lower))


def _with_article(lower: str) -> str:
    lower = joined(lower)
    bare = _ARTICLE.match(lower) or re.search(r"\b(?:hay fever|loss|growth)\b", lower)
    return lower if bare else article(lower) + lower


def _described(text: str, lower: str, word: str, second: str) -> str | None:
    """What somebody is, or a whole clause."""
    head = re.split(rf"[,(]| (?:{_PREPOSITIONS}) ", lower)[0].split()
    last = head[-1] if head else ""
    if last in listed("persons") and word not in ("no", "in", "one", "body"):
        return f"I am {a_or_an(lower)} {joined(lower)}"
    if word in ("retired", "active") and last != word and last not in listed("adjectives"):
        return f"I am {a_or_an(lower)} {joined(lower)}"
    if word in listed("persons") or (second in listed("persons") and not text.startswith("Body")):
        return f"I am {a_or_an(lower)} {joined(lower)}"
    if word in ("hardly", "mostly") and not second.endswith("ed"):
        return f"I have {lower}"
    no_state = word in ("cold", "well") or re.match(r"\w+ cold\b", lower)
    state = None if no_state else _state(lower)
    if state:
        return state
    if word == "not":
        return f"I am {lower}"
    if word in listed("adverbs") and word != "no":
        ended = second.endswith(("ed", "en")) or second in listed("past")
        return f"I {lower}" if ended else f"I am {lower}"
    if _clause(lower):
        return lower
    if lower.startswith("body mass index "):
        told = lower.removeprefix("body mass index ").removeprefix("of ")
        return f"my body mass index is {told}"
    return None


def _lifestyle(text: str) -> str:
    return _own(_statement(text, "I have this habit: {}" if _habit(text) else "I have {}"))


def _habit(text: str) -> bool:
    return bool(
        re.match(r"(?:Beer|Wine|Glass|Cannabis|Cake|Irregular|Fast|Late|Half|In|On)\b", text)
    )


_TAKEN_OUT = re.compile(
    r"(?:both )?(?:appendix|gallbladder|tonsils|adenoids|wisdom teeth|uterus|spleen|(?:left|right) "
    r"(?:knee|hip|kidney)) (?:removed|taken out|extracted|replaced)\b"
)
_UNSAID = re.compile(
    r"(?:reaching|postmenopausal|development appropriate|hips unremarkable|motor and speech|"
    r"left kidney pelvis|\w+ uninjured|put off|newborn check)\b"
)


def _history(text: str) -> str:
    lower = lower_first(text)
    if _TAKEN_OUT.match(lower):
        return f"I had my {lower}"
    if _UNSAID.match(lower) and not lower.startswith(("put off", "postmenopausal")):
        return _FRAME.format(lower)
    told = _statement(text)
    if not told.startswith("I have had "):
        return told
    if re.search(r"\b[Aa]llergy\b", text):
        bare = " to " in text[:11] or "," in text[:12]
        return f"I have {'an' if bare else a_or_an(lower)} {lower}"
    if _REACTS.match(text):
        return f"I react to {lower}"
    return told


_REACTS = re.compile(
    r"^(?:(?!disease|disorder|asthma|diabetes|dysfunction|depression|year|ago)[a-z' -])+, with\b",
    re.I,
)
_NOT_GIVEN = re.compile(
    r"\b(?:not|declined|due|lost|never|turned down|delayed|offered|complete|current|up to date|"
    r"\w+ed)\b"
)


def _vaccination(text: str) -> str:
    told = _statement(text)
    if told.startswith("I have had ") and _NOT_GIVEN.search(text) and not _ARTICLE.match(text):
        return f"as for my vaccinations: {lower_first(text)}"
    return told


def _family(text: str) -> str:
    first, lower = text.partition(" ")[0], lower_first(text)
    if first.lower() in ("no", "several", "two", "one", "a", "small", "eye", "epilepsy"):
        return f"in my family there is {lower}" if first == "No" else f"in my family: {lower}"
    if first.lower() in ("nobody", "strict", "grew"):
        frame = {"Grew": "I {}", "Strict": "I had a {}"}.get(first, "in my family: {}")
        return frame.format(lower)
    if first == "Both":
        return _relative(lower).replace("my both ", "both my ", 1)
    return _relative(lower)


_KIN = re.compile(
    rf"((?:[a-z-]+ )?(?:{kin()}|great-uncle|great-aunt|grandson)"
    rf"(?:(?: and(?: \w+)?)? (?:{kin()}))?"
    r"(?: on (?:the|my) \w+'s side| on both sides)?) (\S+?)(,?)( .*)?"
)
_MANY = re.compile(r"(?:[^s]s|children)\b(?! side)| and ")
_FINITE_THERE = re.compile(r"\b(?:has|had|have|is|are|was|were)\b")


def _relative(lower: str) -> str:
    """ "father with gout" as "I have a father with gout", "sister healthy" with its verb."""
    found = _KIN.fullmatch(lower)
    if " of the mother " in lower or not found:
        return f"in my family: {lower}" if " of the mother " in lower else f"my {lower}"
    who, word = found[1], found[2]
    many = bool(_MANY.search(who.split(" on ")[0]))
    finite = bool(_FINITE_THERE.search(lower))
    if word == "with" and not finite and not many:
        return f"I have {a_or_an(lower)} {lower}"
    past = word in listed("treated") or _ONCE.search(lower)
    if lower[len(who) + 1 :].startswith("lost to ") or word in listed("treated"):
        return f"my {who} {'were' if many else 'was'}{lower[len(who) :]}"
    state = (listed("adjectives") | listed("relatives_are")) - {"lost", "married"}
    place = (listed("prepositions") - {"and"}) if not finite else frozenset()
    if word in state | place:
        be = ("were" if many else "was") if past else ("are" if many else "is")
        return f"my {who} {be}{lower[len(who) :]}"
    return f"my {lower}"


_ONCE = re.compile(r"\bat (?:my )?birth$|\bat the birth$|several times|childhood$")


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
    "vaccination": _vaccination,
    "family": _family,
    "learned": lambda text: _own(_statement(text, "{}")),
}

_A_RELATIVE = re.compile(
    rf"(?<=with )(?=(?:spouse|{kin()})\b)|\b(?:an?|the) (?=(?:{kin()})\b(?! of (?:two|three|four)))"
)


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
            found["triggers"].append(f"It is {mine(lower)}")
        elif lower.startswith("onset was "):
            found["onset"].append(f"The {mine(lower)}")
        elif spanned:
            found["onset"].append(f"I have had this for {spanned[1]}")
            if spanned[2]:
                found["onset"].append(_course(spanned[2]))
        else:
            found["onset"].append(_course(lower))
    return found


def _course(lower: str) -> str:
    return f"Since then it has been like this: {mine(lower)}"
