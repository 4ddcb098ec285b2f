"""Chooses an option by retrieval: which texts are most like the question, and what they hold.

The texts are the outlines and whatever memory is given, all weighed alike. This is a floor, not a
doctor: it knows no medicine beyond shared words. A gold answer is nowhere in reach.
"""

import math
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain, repeat

from bench.backbones.requests import ChooseAnswer, ChosenOption
from bench.backbones.rules.phrases import words
from bench.knowledge.cases import derive_seed
from bench.knowledge.library import Library
from bench.knowledge.outline import Outline

NEAREST = 5
"""Texts that have a say."""
Bag = Mapping[str, None]
"""The words of a text, sorted: the last bits of a sum depend on the order of its terms."""


def choose(task: ChooseAnswer, library: Library, drawn: random.Random) -> ChosenOption:
    """The option whose words the texts nearest to the question hold most.

    Ties go by a hash of question and option, so that no memory at all and a memory that is silent
    give the same answer; `drawn` is not needed.
    """
    texts = (*_outlines(library), *((_title(text), _bag(text)) for text in task.memory))
    weight = _weights([bag for _, bag in texts])
    question = _bag(task.question)
    near = sorted(
        ((_likeness(question, bag, weight), title, bag) for title, bag in texts),
        key=lambda text: (-text[0], text[1]),
    )[:NEAREST]
    scores = {
        letter: sum(likeness * _share(_bag(text), bag, weight) for likeness, _, bag in near)
        for letter, text in task.options.items()
    }
    best = max(scores.values())
    tied = [letter for letter, score in scores.items() if score == best]
    chosen = min(tied, key=lambda letter: derive_seed(task.question, task.options[letter]))
    shown = ", ".join(f"{name} {score:.3f}" for name, score in scores.items())
    return ChosenOption(
        reasons=f"Nearest: {'; '.join(title for _, title, _ in near)}. By shared words: {shown}.",
        letter=chosen,
    )


@lru_cache(maxsize=4)
def _outlines(library: Library) -> tuple[tuple[str, Bag], ...]:
    return tuple((outline.name, _bag(" ".join(_told(outline)))) for outline in library)


def _told(outline: Outline) -> Iterator[str]:
    """What an outline says, without codes and sources."""
    yield from (outline.name, *outline.synonyms, *outline.risk_factors, *outline.causes)
    for symptom in outline.symptoms:
        yield from (symptom.name, *symptom.phrases)
    course = outline.course
    for part in (course.onset, course.evolution, course.triggers, course.relief):
        yield from (phrase.text for phrase in part)
    for _, items in outline.history:
        yield from (item.text for item in items)
    for guide in outline.examinations:
        yield guide.test
        yield from (finding.text for finding in guide.findings)
    yield from (*outline.complications, *outline.red_flags)


def _title(memory: str) -> str:
    return f"memory {' '.join(memory.split()[:6])} ..."


def _bag(text: str) -> Bag:
    return dict.fromkeys(sorted({word for word in words(text) if not word[0].isdigit()}))


def _weights(bags: Sequence[Bag]) -> Mapping[str, float]:
    """How much a word tells: the rarer among the texts, the more; nothing where none has it."""
    counted = Counter(chain.from_iterable(bags))
    return {word: math.log(1 + len(bags) / count) for word, count in counted.items()}


def _mass(bag: Iterable[str], weight: Mapping[str, float], unknown: float = 0.0) -> float:
    return sum(map(weight.get, bag, repeat(unknown)))


def _shared(one: Bag, other: Bag) -> Iterator[str]:
    return (word for word in one if word in other)


def _likeness(question: Bag, text: Bag, weight: Mapping[str, float]) -> float:
    """Shared weight over the geometric mean of both, so that a long text has no advantage."""
    both = _mass(question, weight) * _mass(text, weight)
    return _mass(_shared(question, text), weight) / math.sqrt(both) if both else 0.0


def _share(option: Bag, text: Bag, weight: Mapping[str, float]) -> float:
    """How much of an option a text holds; words that no text has count as the rarest."""
    whole = _mass(option, weight, max(weight.values(), default=1.0))
    return _mass(_shared(option, text), weight) / whole if whole else 0.0
