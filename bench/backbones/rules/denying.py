"""What a sentence denies: "I have no pain in my leg" denies pain, leg."""

import re
from functools import lru_cache

from bench.backbones.rules.phrasing import NOT, clauses, plain, sentences, words

_LIMITED = words(
    "when if because unless until since while just but except other further more longer yet "
    "always really much very well enough particular special sure think know remember why how "
    "what whether both every all as usual worse better rarely hardly change"
) | {"as", "than", "that", "which", "who", "what", "more", "only", "just", "too", "so"}
"""With these, a denial is not of the whole."""
_KNOWLEDGE = re.compile(
    r",?\s*\b(?:that i know of|as far as i know|to my knowledge|that i am aware of|"
    r"that i have noticed|at all|whatsoever|so far|anymore|any more)\b"
)
_LOOSE = words(
    "take use feel suffer notice experience diagnose need know known think believe ever try "
    "live do see complain sign trace problem trouble issue"
)
"""Verbs and the like that only carry a denial."""
_INSTEAD = re.compile(r"\b(?:instead of|rather than) (?:the |my )?([\w-]+)")
_BARE = re.compile(r"^(?:no|never|not at all|not really|none|nope)(?: doctor| never)?$")
_ASKED = re.compile(r"\b(?:do|have|did|are|has|does|is|were|was) (?:you|there|your|anyone|any)\b")


@lru_cache(maxsize=65536)
def denials(segment: str) -> tuple[frozenset[str], ...]:
    """The telling words of each thing that a main clause denies."""
    text = _KNOWLEDGE.sub("", plain(segment))
    found = [words(one) for one in _INSTEAD.findall(text)]
    for clause in clauses(text):
        if NOT not in clause.tokens or _LIMITED & set(clause.tokens):
            continue
        # "Nausea, no vomiting" denies what follows; "my leg does not hurt" both.
        denied = clause.words - {NOT} - _LOOSE
        parts = re.split(r"\b(?:or|nor)\b", clause.text)
        if len(parts) > 1:
            found.extend(words(part) - {NOT} - _LOOSE for part in parts)
        elif denied:
            found.append(denied)
    return tuple(one for one in found if one)


@lru_cache(maxsize=4096)
def answered_no(statement: str, question: str) -> frozenset[str]:
    """What a bare "No" to a question denies."""
    told = sentences(plain(statement))
    asked = [one for one in sentences(plain(question)) if _ASKED.search(one)]
    if not told or not asked or not _BARE.match(told[0].split(",")[0].rstrip(".! ")):
        return frozenset()
    # A question of several things leaves open which of them is denied.
    if re.search(r"\b(?:or|and)\b|,", asked[-1]):
        return frozenset()
    return words(_ASKED.sub("", asked[-1])) - _LOOSE - _LIMITED - {NOT}
