"""The shape of a request: what an endpoint takes of it, found by asking less and less.

A refused request is sent again in another shape: first without what the error names, else with one
thing after the other changed, at last with all of it changed. No shape is tried twice for one
request, so the ladder ends.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from pydantic import BaseModel

from bench.backbones.prompt import Completion, Prompt
from bench.backbones.structured import has_fields
from bench.backbones.thinking import without_thinking

Rung = Literal["bounded", "strict", "object", "words"]
RUNGS: tuple[Rung, ...] = ("bounded", "strict", "object", "words")
"""Ways of asking for JSON: by a schema with bounds, by one without, as any object, in words."""
Limit = Literal["max_tokens", "max_completion_tokens"]
LIMITS: tuple[Limit, ...] = ("max_tokens", "max_completion_tokens")
DRAWN = ("temperature", "top_p", "seed")
"""What says how an answer is drawn."""
FLOOR = 256
"""Tokens below which an answer's limit is not halved."""
Blind = Literal["all", "json", "none"]
"""What may be changed although no error names it."""


@dataclass(frozen=True)
class Shape:
    """How a request is put."""

    json: Rung = "bounded"
    """How JSON is asked for; `words` too where none is wanted."""
    system: bool = True
    """Whether the system's words have a role of their own."""
    temperature: bool = True
    top_p: bool = True
    seed: bool = True
    limit: Limit = "max_tokens"
    """Name of the limit of the answer."""
    most: int = 0
    """Most tokens that the limit may be; 0 for as many as the prompt says."""
    stream: bool = True

    def words(self, prompt: Prompt[Any]) -> str:
        """How the request of a prompt differed from the plainest: "json strict, no temperature"."""
        said = [f"json {self.json}"] if formed(prompt.answer) else []
        asked = [name for name in DRAWN if getattr(prompt.sampling, name) is not None]
        said += [f"no {name}" for name in asked if not getattr(self, name)]
        if not self.system and any(one.role == "system" for one in prompt.messages):
            said.append("system folded")
        if self.limit != LIMITS[0]:
            said.append(self.limit)
        if self.most:
            said.append(f"{LIMITS[0]} {self.most}")
        return ", ".join(said)


def _named(*names: str) -> re.Pattern[str]:
    """Finds words that begin with one of some names: "streaming", not "upstream"."""
    return re.compile(f"(?<![a-z])(?:{'|'.join(names)})")


_WINDOW = re.compile(
    r"context[ _-]?(?:length|size|window|limit)|(?:maximum|available|model's|full) context"
    r"|(?<![a-z_])(?:token[ _](?:count|limit)|window)|too long|(?:input|prompt) length"
    r"|\d (?:input |output |prompt |total )?tokens|tokens \(?\d"
)
_JSON = _named("response_format", "json", "schema", "grammar", "structured", "guided")
_TOP_P, _SEED, _TEMPERATURE = _named("top_p"), _named("seed"), _named("temperature")
_SYSTEM = _named("system", "role")
_LIMIT = _named(*LIMITS)
_STREAM = _named("stream")
_UNKNOWN = re.compile("max_completion_tokens|unsupported|not support")


def about_window(said: str) -> bool:
    """Whether an error says that there is no room for prompt and answer together."""
    return _WINDOW.search(said.lower()) is not None


def about_limit(said: str) -> bool:
    """Whether an error is about the limit of the answer."""
    return _LIMIT.search(said.lower()) is not None


class Ladder:
    """The shapes of one request, one after the other."""

    def __init__(self, begun: Shape, tokens: int) -> None:
        """Begin with the shape that is known to work, or with the fullest.

        Args:
            begun: The first shape.
            tokens: Most tokens of the answer, as the prompt says.
        """
        self.begun = self.shape = self._base = begun
        self._tokens = tokens
        self._tried = {begun}

    def begin(self, begun: Shape) -> bool:
        """Begin again with what others have learnt; whether it is new."""
        if begun in self._tried:
            return False
        self.begun = begun
        self._go(begun)
        return True

    def named(self, *texts: str) -> bool:
        """Change what an error names, the most telling text first; whether anything is left."""
        for text in texts:
            for shape in self._of(text.lower()):
                if shape not in self._tried:
                    self._go(shape)
                    return True
        return False

    def next(self, blind: Blind) -> bool:
        """Change one thing that no error names, at last all; whether anything is left."""
        for shape in self._each(blind):
            if shape not in self._tried:
                self.shape = shape
                self._tried.add(shape)
                return True
        return False

    def _go(self, shape: Shape) -> None:
        self.shape = self._base = shape
        self._tried.add(shape)

    def _of(self, said: str) -> Iterator[Shape]:
        """What is left of the present shape without what an error names."""
        shape = self.shape
        if about_window(said):
            yield from self._smaller(shape)
            shape = replace(shape, most=self.begun.most)  # that was not it
        if _JSON.search(said):
            yield from _rungs(shape)
        # Some take one of the two: the temperature is the one that matters.
        if _TOP_P.search(said):
            yield replace(shape, top_p=False)
        if _SEED.search(said):
            yield replace(shape, seed=False)
        if _TEMPERATURE.search(said):
            yield replace(shape, temperature=False)
        if _SYSTEM.search(said):
            yield replace(shape, system=False)
        if _LIMIT.search(said):
            other = replace(shape, limit=_other(shape.limit), most=0)
            first = [other] if _UNKNOWN.search(said) else []
            yield from (*first, *self._smaller(shape), other, *self._smaller(other))
        if _STREAM.search(said):
            yield replace(shape, stream=False)

    def _each(self, blind: Blind) -> Iterator[Shape]:
        base = self._base
        if blind == "none":
            return
        yield from _rungs(base)
        if blind == "json":
            return
        drawn: dict[str, Any] = dict.fromkeys(DRAWN, False)
        smaller = next(self._smaller(base), base)
        yield replace(base, system=False)
        yield replace(base, **drawn)
        yield replace(base, limit=_other(base.limit))
        yield smaller
        yield replace(base, stream=False)
        for last in (base, smaller):
            least = replace(last, json="words", system=False, stream=False, **drawn)
            yield from (least, replace(least, limit=_other(base.limit)))

    def _smaller(self, shape: Shape) -> Iterator[Shape]:
        """The shape with the limit halved, and halved again."""
        most = min(self._tokens, shape.most or self._tokens)
        while most > FLOOR:
            most = max(FLOOR, most // 2)
            yield replace(shape, most=most)


class Known:
    """What an endpoint is known to take: the furthest that any request had to go."""

    def __init__(self) -> None:
        self.answered: set[type] = set()
        """Types of answers that came."""
        self._shape = Shape()
        self._rungs: dict[type, Rung] = {}
        """Ways of asking for JSON, by type of answer: one may be taken where another is not."""
        self._caps: list[tuple[int, int]] = []
        """Characters of prompts, and the tokens that an answer to one so long may have."""

    def begin(self, prompt: Prompt[Any], streams: bool) -> Shape:
        """The shape to begin with, without what this prompt has not anyway."""
        size, tokens = _size(prompt), prompt.sampling.max_tokens
        most = min((cap for length, cap in self._caps if length <= size), default=tokens)
        return replace(
            self._shape,
            json=self._rung(prompt.answer) if formed(prompt.answer) else "words",
            system=self._shape.system and any(one.role == "system" for one in prompt.messages),
            seed=self._shape.seed and prompt.sampling.seed is not None,
            stream=self._shape.stream and streams,
            most=most if most < tokens else 0,
        )

    def learn(self, prompt: Prompt[Any], ladder: Ladder) -> None:
        """Keep what a request that was answered had to change."""
        begun, ended = ladder.begun, ladder.shape
        self.answered.add(prompt.answer)
        if ended.most != begun.most:
            self._caps.append((_size(prompt), ended.most))
        if formed(prompt.answer):
            rungs = ended.json, self._rung(prompt.answer)
            self._rungs[prompt.answer] = max(rungs, key=RUNGS.index)
        changed: dict[str, Any] = {
            one.name: getattr(ended, one.name)
            for one in fields(Shape)
            if one.name not in ("json", "most")
            and getattr(begun, one.name) != getattr(ended, one.name)
        }
        self._shape = replace(self._shape, **changed)

    def step_down(self, answer: type, shape: Shape) -> None:
        """Hold an endpoint that ignored the format to less: to any JSON, then to words."""
        further: Rung = "object" if shape.json in ("bounded", "strict") else "words"
        self._rungs[answer] = max(further, self._rung(answer), key=RUNGS.index)

    def _rung(self, answer: type) -> Rung:
        return self._rungs.get(answer, RUNGS[0])


def ignores(completion: Completion, shape: Shape, prompt: Prompt[Any]) -> bool:
    """Whether a whole answer shows that nothing held it to the format that was asked for."""
    if completion.outcome != "answer" or not formed(prompt.answer) or shape.json == "words":
        return False
    said = without_thinking(completion.text).strip()
    if not said:
        return not (completion.thinking or completion.text.strip())
    return not has_fields(said, prompt.answer)


def formed(answer: type) -> bool:
    """Whether an answer is to be JSON."""
    return issubclass(answer, BaseModel)


def _size(prompt: Prompt[Any]) -> int:
    return sum(len(message.content) for message in prompt.messages)


def _rungs(shape: Shape) -> Iterator[Shape]:
    for rung in RUNGS[RUNGS.index(shape.json) + 1 :]:
        yield replace(shape, json=rung)


def _other(limit: Limit) -> Limit:
    return LIMITS[1 - LIMITS.index(limit)]
