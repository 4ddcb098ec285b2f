"""Answers a doctor's question as the patient: from memory, in the first person and in style.

What the memory does not hold is made up from a short list of harmless details; what it learned of
such a detail before is told instead of it.
"""

import random
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.backbones.requests import Reply
from bench.backbones.rules.matching import states
from bench.backbones.rules.phrasing import lower_first, sentences, upper_first, words
from bench.backbones.rules.recalling import Held, read_fact, recall
from bench.backbones.rules.relating import clashes
from bench.backbones.rules.saying import sayings
from bench.backbones.rules.speaking import say, say_course
from bench.backbones.rules.topics import Topic, belongs, topics_of
from bench.knowledge.library import Library
from bench.knowledge.outline import AGE_GROUPS


@dataclass(frozen=True)
class _Manner:
    """How much a style says."""

    told: int
    """Most sentences that tell something."""
    most: int
    """Most sentences in all."""
    before: float = 0.0
    """How often words of the style go first."""
    after: float = 0.0
    """How often words of the style end the answer."""


_MANNERS = {
    "plain": _Manner(told=3, most=3),
    "upset": _Manner(told=2, most=3, before=0.9, after=0.3),
    "verbose": _Manner(told=6, most=8, before=1.0, after=0.8),
    "reserved": _Manner(told=1, most=3),
    "tangent": _Manner(told=3, most=5, after=1.0),
    "pleasing": _Manner(told=3, most=5, before=0.7, after=0.8),
}
_UNTOLD = ("disease", "severity", "gender", "name", "age")


def reply(task: Reply, library: Library, drawn: random.Random) -> str:
    """The patient's answer; `library` is needed for the names of the disease alone."""
    return _Answer(task, library, drawn).text()


class _Answer:
    """One answer in the making; methods draw, so their order matters."""

    def __init__(self, task: Reply, library: Library, drawn: random.Random) -> None:
        self._task = task
        self._drawn = drawn
        self._memory = recall(task.memory)
        self._style = task.manner.get("style", "plain").rpartition(":")[2]
        self._manner = _MANNERS.get(self._style, _MANNERS["plain"])
        self._before = " ".join(turn.answer or "" for turn in task.history).lower()
        self._names = _disease_names(self._memory, library)

    def text(self) -> str:
        """The whole answer."""
        told = self._righted() + self._content()
        told = list(dict.fromkeys(told))[: max(self._manner.told, min(len(self._task.avoid), 3))]
        made = self._styled(told)
        said = {turn.answer for turn in self._task.history}
        again = list(sayings()["again"])
        self._drawn.shuffle(again)
        for opening in again:
            if made not in said:
                break
            made = f"{opening} {lower_first(self._styled(told))}"
        return made

    def _righted(self) -> list[str]:
        """The facts that an earlier try contradicted, told as they are."""
        facts = [read_fact(fact) for fact in self._task.avoid]
        return [one for fact in facts for one in self._tell(fact)]

    def _tell(self, held: Held) -> list[str]:
        """The sentences of one fact that may be told."""
        if held.kind == "duration":
            course = say_course(held.value)
            told = course["onset"] + course["triggers"]
        else:
            told = [say(held)]
        return [_ended(one) for one in told if one and not self._leaks(held, one)]

    def _leaks(self, held: Held, told: str) -> bool:
        """Whether it would tell the diagnosis, which only the patient's own history may."""
        return held.kind not in ("history", "family", "learned") and any(
            states(told, name) or name.lower() in told.lower() for name in self._names
        )

    def _content(self) -> list[str]:
        topics = topics_of(self._task.question)
        if not topics:
            return self._unforeseen()
        room = max(1, self._manner.told // len(topics))
        found: list[str] = []
        for topic in topics:
            told = self._on(topic)
            fresh = [one for one in told if not self._told(one)]
            if told and not fresh and len(topics) == 1 and topic.name not in _SPECIAL_WORDS:
                found += [self._again(one) for one in told[:room]]
            else:
                found += (fresh or told)[:room] or self._made(topic)
        if not found:
            found = [self._say("unsure")]
        if self._manner.told == 1 and len(topics) > 1:
            # Somebody of few words still answers each part of a question.
            return [_joined(found)]
        return found

    def _told(self, sentence: str) -> bool:
        return sentence.rstrip(".").lower() in self._before

    def _again(self, sentence: str) -> str:
        return f"{self._drawn.choice(sayings()['again'])} {lower_first(sentence)}"

    def _on(self, topic: Topic) -> list[str]:
        """All that the memory holds on a topic, as sentences."""
        special = _SPECIAL.get(topic.name)
        if special:
            return special(self)
        held = [one for one in self._memory if belongs(one, topic)]
        # What was learned in conversation answers the question it was learned from.
        held.sort(key=lambda one: one.kind != "learned")
        if topic.name == "examinations":
            held = [one for one in held if not self._leaks(one, one.label)]
        if topic.name == "history":
            held = [one for one in held if not one.value.startswith("Takes ")] or held
        held.sort(key=lambda one: any(states(one.value, name) for name in self._names))
        return [sentence for one in held for sentence in self._tell(one)]

    def complaints(self) -> list[str]:
        """What is told first: symptoms, and what it is felt like to have them."""
        return [
            sentence
            for one in self._memory
            if one.kind == "symptom"
            for sentence in self._tell(one)
        ]

    def opening(self) -> list[str]:
        """A greeting with the first complaints."""
        told = self.complaints()
        chief = [f"My main complaint: {one.value}." for one in self._memory
                 if one.kind == "profile" and one.label == "chiefcomplaint"]  # fmt: skip
        return chief + told

    def others(self) -> list[str]:
        """Complaints that were not told yet, or that there are no more."""
        fresh = [one for one in self.complaints() if not self._told(one)]
        return fresh or [self._nothing()]

    def closing(self) -> list[str]:
        """What was never told, or that it is all."""
        symptoms = [one for one in self.complaints() if not self._told(one)]
        return symptoms[:1] or [self._nothing()]

    def _nothing(self) -> str:
        key = f"nothing.{self._style}"
        return self._say(key if key in sayings() else "nothing")

    def course(self, part: str) -> list[str]:
        """Since when and how, or what makes it worse and better."""
        return [
            _ended(sentence)
            for one in self._memory
            if one.kind == "duration"
            for sentence in say_course(one.value)[part]
            if not self._leaks(one, sentence)
        ]

    def feelings(self) -> list[str]:
        """Moods among the complaints, and a worry that goes with the severity."""
        moods = [
            one
            for one in self.complaints()
            if re.search(r"anxi|sad|mood|fear|afraid|worr|gloom|hopeless|irrita|tense", one)
        ]
        return [*moods[:2], self._say(f"feeling.{self._severity()}")]

    def severity(self) -> list[str]:
        """How bad it is."""
        mild = {"mild": "It is not that bad", "moderate": "It is quite bad"}
        return [_ended(mild.get(self._severity(), "It is very bad"))]

    def _severity(self) -> str:
        held = (one.value.lower() for one in self._memory if one.kind == "severity")
        return next((one for one in held if one in ("mild", "severe")), "moderate")

    def _unforeseen(self) -> list[str]:
        """The facts that share most with a question nobody expected."""
        asked = words(self._task.question) - _COMMON
        scored = [
            (len(asked & words(one.value)), -place, one)
            for place, one in enumerate(self._memory)
            if one.kind not in _UNTOLD
        ]
        best = max((score for score, _, _ in scored), default=0)
        near = [one for score, _, one in scored if score == best and best > 0]
        told = [sentence for one in near for sentence in self._tell(one)]
        return told[: self._manner.told] or [self._say("unsure")]

    def _made(self, topic: Topic) -> list[str]:
        """A detail that the memory lacks; none that the memory would contradict."""
        key = f"made.{topic.name}"
        group = self._group()
        listed = sayings().get(f"{key}.{group}") or sayings().get(key)
        if not listed:
            return []
        known = tuple(_as_fact(one) for one in self._memory)
        possible = [one for one in listed if not clashes(one, known)]
        if self._task.avoid:
            possible = []
        return [_ended(self._drawn.choice(possible))] if possible else [self._say("unsure")]

    def _group(self) -> str:
        age = next((one.value for one in self._memory if one.kind == "age"), "")
        if not age.isdigit():
            return "adult"
        if int(age) <= AGE_GROUPS["children"][1]:
            return "child"
        return "elderly" if int(age) >= AGE_GROUPS["elderly"][0] + 7 else "adult"

    def _say(self, key: str) -> str:
        """One of some phrases, of those not said before if there are any."""
        listed = sayings()[key]
        fresh = [one for one in listed if one.lower() not in self._before]
        return self._drawn.choice(fresh or listed)

    def _styled(self, told: Sequence[str]) -> str:
        """The answer with the words of its style, never above its cap."""
        manner, drawn = self._manner, self._drawn
        parts = list(told)
        if self._task.question and not self._task.history and "greeting" in {
            topic.name for topic in topics_of(self._task.question)
        }:  # fmt: skip
            if self._style not in ("upset", "reserved") and len(parts) < manner.most:
                parts.insert(0, self._say("greeting"))
            elif self._style not in ("upset", "reserved") and len(parts) > 1:
                parts[-1] = self._say("greeting")
                parts.insert(0, parts.pop())
        room = manner.most - sum(len(sentences(part)) for part in parts)
        for place, chance in (("before", manner.before), ("after", manner.after)):
            listed = sayings().get(f"{place}.{self._style}", ())
            fresh = [one for one in listed if one.lower() not in self._before] or list(listed)
            if not fresh or drawn.random() >= chance:
                continue
            words_of_style = drawn.choice(fresh)
            need = len(sentences(words_of_style))
            if need <= room:
                room -= need
                parts.insert(0 if place == "before" else len(parts), words_of_style)
        return " ".join(upper_first(part) for part in parts)


_SPECIAL: dict[str, Callable[[_Answer], list[str]]] = {
    "greeting": _Answer.opening,
    "symptoms": _Answer.complaints,
    "other": _Answer.others,
    "closing": _Answer.closing,
    "feelings": _Answer.feelings,
    "severity": _Answer.severity,
    "onset": lambda answer: answer.course("onset"),
    "triggers": lambda answer: answer.course("triggers"),
}
_SPECIAL_WORDS = ("other", "closing", "feelings")
"""Topics that are answered in words of one's own where nothing is left to tell."""
_COMMON = words("do you have any your what how when where can could tell me please know")


def _disease_names(memory: Sequence[Held], library: Library) -> tuple[str, ...]:
    """The disease as the memory has it, and its other names."""
    told = next((one.value for one in memory if one.kind == "disease"), None)
    if told is None:
        return ()
    outline = library.find(told)
    return (told, outline.name, *outline.synonyms) if outline else (told,)


_FACT_LABELS = {
    "history": "Medical history",
    "family": "Family history",
    "vaccination": "Vaccination history",
}


def _as_fact(held: Held) -> str:
    if held.kind == "learned":
        return held.value
    label = held.label or _FACT_LABELS.get(held.kind) or held.kind.capitalize()
    return f"{label}: {held.value}"


def _joined(told: Sequence[str]) -> str:
    first, *rest = told
    return "; ".join([first.rstrip("."), *(lower_first(one.rstrip(".")) for one in rest)]) + "."


def _ended(sentence: str) -> str:
    return sentence if sentence.endswith((".", "!", "?")) else f"{sentence}."
