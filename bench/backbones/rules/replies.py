"""Answers a doctor's question as the patient: "field: value" from memory, and in no other words.

Complaints that memory denies, or that the outline of the patient's own disease knows to be absent
and memory does not hold, are denied; of all else the patient does not know. Results of
examinations and the diagnosis are never told.
"""

import random
from collections.abc import Iterable, Sequence

from bench.backbones.requests import Reply
from bench.backbones.rules.facts import KnownFact, read_fact, recall
from bench.backbones.rules.phrases import states, telling, words
from bench.backbones.rules.topics import FURTHER, Topic, general_topic, topics_of
from bench.core.text import sentences
from bench.knowledge.library import Library

ITEMS = 3
"""Most things told of one topic."""
MOST = 3
"""Most sentences of an answer: what every style allows."""
UNKNOWN = "I do not know that."
LEADS = {
    "upset": "Why do you ask all this?",
    "verbose": "Let me tell you, doctor.",
    "tangent": "What was I saying, doctor?",
    "pleasing": "Thank you for asking, doctor.",
}
"""The sentence before an answer by style, if there is room; it states nothing."""
_FELT = ("chiefcomplaint", "symptoms")
_SECRETIVE = (*_FELT, "duration", "course", "changes", "examination")
"""Kinds of facts that are not told where they name the disease."""
_UNTOLD = ("disease", "disposition", "present_illness_negative")


def reply(task: Reply, library: Library, drawn: random.Random) -> str:
    """The patient's answer; `library` tells the names of the disease and what it comes without."""
    answer = _Interviewee(task, library).answer()
    text = " ".join(answer)
    if text != UNKNOWN and any(turn.answer and text in turn.answer for turn in task.history):
        text = f"As I said: {text}"
    lead = LEADS.get(task.manner.get("style", "").rpartition(":")[2])
    return f"{lead} {text}" if lead and len(answer) < MOST else text


class _Interviewee:
    """What one patient can say to a question."""

    def __init__(self, task: Reply, library: Library) -> None:
        self._task = task
        memory = recall(task.memory)
        disease = next((entry.value for entry in memory if entry.kind == "disease"), "")
        outline = library.find(disease) if disease else None
        known = (disease, outline.name, *outline.synonyms) if outline else (disease,)
        self._names = [telling(name) for name in known if telling(name)]
        self._memory = [entry for entry in memory if self._tellable(entry)]
        self._words = {
            word for entry in memory for word in (*words(entry.test), *words(entry.value))
        }
        self._absent = outline.pertinent_negatives if outline else ()
        self._before = " ".join(turn.answer or "" for turn in task.history)

    def _tellable(self, entry: KnownFact) -> bool:
        secret = entry.kind in _SECRETIVE and self._named(entry.test or entry.value)
        return entry.kind not in _UNTOLD and not secret

    def _named(self, text: str) -> bool:
        """Whether a text names the disease."""
        return any(name <= set(words(text)) for name in self._names)

    def answer(self) -> list[str]:
        """The sentences, one at least."""
        question = self._task.question
        facts = [fact for text in self._task.avoid if self._tellable(fact := read_fact(text))]
        righted = "; ".join(f"My {fact.kind}: {_value(fact)}" for fact in facts)
        answer = [f"{righted}."] if facts else []
        topics, general = topics_of(question), general_topic(question)
        if topics:
            answer += [self._on(topic) for topic in topics]
        elif named := self._asked(question):
            answer += self._complaints(named)
        elif FURTHER.search(question):
            answer += self._complaints(()) or ["I do not know of anything else."]
        elif general:
            answer.append(self._on(general))
        return (answer or self._shared(question) or [UNKNOWN])[:MOST]

    def _shared(self, question: str) -> list[str]:
        """What is felt, or was said before, and shares a word with the question."""
        asked = set(words(question))
        told = [entry for entry in self._memory if entry.kind in (*_FELT, "learned")]
        near = [_value(entry) for entry in told if not asked.isdisjoint(words(entry.value))]
        return [_sentence("I can say", near)] if near else []

    def _asked(self, question: str) -> list[str]:
        """The complaints that a question names; of "fever" and "high fever" the first alone."""
        asked = set(words(question))
        named: list[str] = []
        for complaint in self._absent:
            own = set(words(complaint))
            if own <= asked and not any(own.issuperset(words(other)) for other in named):
                named.append(complaint)
        return named

    def _on(self, topic: Topic) -> str:
        """What the memory holds on a topic; first what was not told before."""
        held = [entry for entry in self._memory if topic.holds(entry)]
        # What was learned in conversation answers the question that it was learned from.
        held.sort(key=lambda entry: entry.kind != "learned")
        values = list(map(_value, held))
        return _sentence(topic.field, self._fresh(values) or values or ["I do not know"])

    def _fresh(self, values: Iterable[str]) -> list[str]:
        return [value for value in values if value not in self._before]

    def _complaints(self, named: Sequence[str]) -> list[str]:
        """What is felt of some complaints, or else of all that were not told, and what is not."""
        felt = [_value(entry) for entry in self._memory if entry.kind in _FELT]
        some = [value for value in felt if any(states(value, complaint) for complaint in named)]
        present = some if named else self._fresh(felt)
        absent = [f"no {name}" for name in named or self._absent if self._lacks(name)]
        denied = absent if named else self._fresh(absent)
        return [
            *([_sentence("My symptoms", present)] if present else []),
            *([f"No{'; '.join(denied[:ITEMS])[2:]}."] if denied else []),
        ]

    def _lacks(self, complaint: str) -> bool:
        """Whether a complaint may be denied: memory denies it, or holds none of its words."""
        denied = any(states(entry.value, f"no {complaint}") for entry in self._memory)
        unheard = self._words.isdisjoint(words(complaint)) and not self._task.avoid
        return (denied or unheard) and not self._named(complaint)


def _value(entry: KnownFact) -> str:
    """What is told of a fact, as no more than one sentence; of an examination only its name."""
    parts = [sentence.rstrip(" .!?") for sentence in sentences(entry.test or entry.value)]
    return "; ".join(parts) or entry.value


def _sentence(field: str, values: Iterable[str]) -> str:
    return f"{field}: {'; '.join(list(values)[:ITEMS])}."
