"""Turns the third person of a record into the first: verbs, pronouns, parts of the body."""

import re

from bench.backbones.rules.phrasing import RELATIVES, lower_first
from bench.backbones.rules.wording import base, listed

BODIES = "|".join(sorted(listed("bodies"), key=len, reverse=True))
"""Parts of the body as alternatives of a pattern."""
_BODY = re.compile(
    r"\b(of |on )?the ((?:(?:left|right|upper|lower|outer|inner|top|big|small|middle) )*)"
    rf"(?!back of (?:the|my)\b)({BODIES})\b"
    r"(?! of the \w+ (?:car|bus|shop)| (?:own|side of|palm|thumb))"
)
_PATIENT = (
    (re.compile(r"\bthe patient(?:'s|’s)\b|\bone's\b"), "my"),
    (re.compile(r"\bthe patient(?= (?:can|could|has|had|is|was|will|does|did|remembers)\b)"), "I"),
    (re.compile(r"\bthe patient\b"), "me"),
    (re.compile(r"\b(?:himself|herself|oneself)\b"), "myself"),
    (re.compile(r"\bas relatives\b"), "as my relatives"),
    (
        re.compile(
            r"(?<!my )(?<!his )(?<!her )(?<!their )(?<!its )\b(?:the |an )?own "
            r"(?!account\b|initiative\b|accord\b)"
        ),
        "my own ",
    ),
    (re.compile(r"\b(by|on) own (?=account\b|initiative\b)"), r"\1 my own "),
)
_TO_ME = re.compile(
    r"\b(waking|wakes|woke|told|made|makes|lets|left|hit|struck|bit|carrying) (?:him|her)\b"
    r"(?! (?:\w+s|own)\b)"
)
_HE = re.compile(
    r"\b(he|she|the (?:boy|girl|child))\b(?!['’])"
    r"( (?:no longer|never|always|often|hardly))? ([a-z]+)"
)
_HIS = re.compile(r"\b(?:his|her) (?=[a-z])")
_MEN = re.compile(r"\b(?:father|grandfather|brother|son|uncle|grandson|husband|boyfriend)s?\b")
_WOMEN = re.compile(
    r"\b(?:mother|grandmother|sister|daughter|aunt|granddaughter|wife|girlfriend)s?\b"
)
_JOINTS = re.compile(r"(, (?:and |but |then )?| and then | and | or | but | then )")
_STILL = frozenset(("soon", "then", "always", "often", "never", "rarely", "quickly"))


def mine(text: str, relatives: bool = False) -> str:
    """What is the patient's own as "my"; of `relatives` the body and what is theirs stay so."""
    if not relatives:
        text = _BODY.sub(lambda found: f"{found[1] or ''}my {found[2]}{found[3]}", text)
    text = _TO_ME.sub(lambda found: found[0].rpartition(" ")[0] + " me", text)
    for pattern, replacement in _PATIENT:
        text = pattern.sub(replacement, text)
    if not relatives:
        text = _as_me(text)
        text = _HIS.sub(lambda found: _of_whom(found, text), text)
    return text


def _of_whom(found: re.Match[str], text: str) -> str:
    before = text[: found.start()]
    others = _MEN if found[0].startswith("his") else _WOMEN
    return found[0] if others.search(before) else "my "


def _as_me(text: str) -> str:
    """ "when she coughs" as "when I cough", but for what a relative does."""
    done = ""
    while found := _HE.search(text):
        others = {"he": _MEN, "she": _WOMEN}.get(found[1])
        before, rest = text[: found.start()], text[found.end() :]
        if others and others.search(done + before):
            done += text[: found.end()]
            text = rest
        else:
            done += f"{before}I{found[2] or ''} {own_verb(found[3])}"
            text = joined(rest, verb=True)
    return done + text


def own_verb(word: str) -> str:
    """A verb of the third person in the first; a past or modal one as it is."""
    if word.endswith("eaches"):
        return word[:-2]
    ends = word.endswith("s") and not word.endswith("ss") and word != "was"
    return base(word) if ends else word


def is_verb(word: str, following: str, *, leads: bool = True) -> bool:
    """Whether a word is a verb of the third person, by what follows and if it `leads`."""
    if word in listed("nouns_too"):
        return bool(following) and not (
            following in listed("to_nouns") | listed("finite") or following.endswith("ing")
        )
    if word in listed("nouns_rarely"):
        if leads:
            return following not in ("of", "and", "to", "because", "round")
        return following in listed("objects")
    return word in listed("verbs")


def in_first_person(text: str) -> str | None:
    """A phrase with its verb, and those joined to it, in the first person, if it has one."""
    first, _, rest = text.partition(" ")
    word = first.lower().rstrip(",")
    if word == "no" and rest.startswith("longer "):
        then = in_first_person(rest.removeprefix("longer "))
        return f"no longer {then}" if then else None
    if word in listed("adverbs") | {"neither"} and word != "no":
        then = in_first_person(rest.replace(" nor ", " or ")) if rest else None
        return f"{lower_first(first)} {_nor(word, then)}" if then else None
    if word in ("can", "cannot", "could", "would", "must", "will") and rest[:4] != "and ":
        return lower_first(text)
    if not is_verb(word, rest.split(" ")[0].rstrip(",")):
        return None
    return own_verb(word) + joined(first[len(word) :] + (rest and f" {rest}"), verb=True)


def _nor(word: str, then: str) -> str:
    return then.replace(" or ", " nor ", 1) if word == "neither" else then


def joined(rest: str, *, verb: bool = False) -> str:
    """What follows, its further verbs in the first person; `verb` if it follows a verb."""
    parts = _JOINTS.split(rest)
    alone = verb and not parts[0].strip()
    for place in range(2, len(parts), 2):
        words = parts[place].split(" ")
        at = 1 if words[0] in _STILL and len(words) > 1 else 0
        if words[at : at + 2] == ["no", "longer"] and len(words) > at + 2:
            at += 2
        following = words[at + 1] if len(words) > at + 1 else ""
        a_verb = is_verb(words[at], following, leads=False)
        a_verb = a_verb and (bool(following) or words[at] in listed("only_verbs"))
        a_verb = a_verb or (alone and bool(re.fullmatch(r"[a-z-]+s", words[at])))
        if a_verb and own_verb(words[at]) != words[at]:
            words[at] = own_verb(words[at])
            if not alone and ", " not in parts[place + 1 :] and parts[place - 1] == ", ":
                parts[place - 1] = " and "
        parts[place] = " ".join(words)
        alone = alone and len(words) == 1
    return "".join(parts)


def kin() -> str:
    """Words for relatives as alternatives of a pattern."""
    return "|".join(sorted(RELATIVES, key=len, reverse=True))
