"""What is asked of a backbone and what comes back."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, Protocol, Self, TypeVar, runtime_checkable

from pydantic import BaseModel

from bench.backbones.requests import Request

T = TypeVar("T", bound=BaseModel | str)


@dataclass(frozen=True)
class Message:
    """One message of a chat."""

    role: Literal["system", "user", "assistant"]
    content: str


@dataclass(frozen=True)
class Sampling:
    """How an answer is drawn."""

    temperature: float = 1.0
    max_tokens: int = 0
    """Most tokens of an answer; 0 in a prompt for as many as its kind of request allows."""
    top_p: float = 1.0
    """Share of the probability that is drawn from; 1 for all of it."""
    seed: int | None = None
    """What a draw begins with, where a user names it."""


GENERATING = Sampling()
"""The paper's generator settings (section 4.1.3)."""
JUDGING = Sampling(temperature=0.0)
"""Judges, NLI and raters answer greedily."""


@dataclass(frozen=True)
class Prompt(Generic[T]):
    """One request, typed for the rules and in words for a language model."""

    request: Request
    """Typed inputs; what `rules` reads."""
    messages: tuple[Message, ...]
    """The same in words; what a language model reads."""
    answer: type[T]
    """Pydantic model of the answer, or str."""
    sampling: Sampling
    replicate: str
    """The case (and round, turn) asked for: the same words for two cases are two draws."""
    check: Callable[[T], None] | None = field(default=None, compare=False)
    """What else an answer must be, of which its type knows nothing: raises ValueError in words that
    are shown to the model (`OffPlan`, `Doubtful` or any other). No answer depends on it, so it is
    not part of the journal key."""

    def __post_init__(self) -> None:
        """Give the answer the tokens of its kind of request, where nobody says how many."""
        if not self.sampling.max_tokens:
            limited = replace(self.sampling, max_tokens=self.request.tokens)
            object.__setattr__(self, "sampling", limited)


@dataclass(frozen=True)
class Completion:
    """What one exchange with a backbone gave; stored in the journal before anybody reads it."""

    text: str
    """The answer as received, with any thinking amid it; JSON where a model was asked for."""
    outcome: Literal["answer", "refusal", "cut"] = "answer"
    """`answer` for a text that came to its own end, `cut` for one that something else ended."""
    finish: str = ""
    """Why it ended, in the endpoint's word; empty if it gave none."""
    thinking: str = ""
    """What the model thought, where that came apart from the answer; never an answer itself."""
    shape: str = ""
    """How the request had to be put for the endpoint to take it, in words."""
    model: str | None = None
    """Model name the endpoint reported."""
    input_tokens: int | None = None
    output_tokens: int | None = None


class Backbone(Protocol):
    """Answers requests. A plug-in implements this; it need import nothing of ours.

    A class attribute `transport`, if there is one, names the options that change no answer
    (address, time-out): a run may change them. An attribute `remark`, if there is one, is said
    beside every figure of a metric that asks it. An attribute `address`, if there is one, is where
    it is asked: answers of another address are not taken for its own. An attribute `alias` that is
    true says that its name need not be the name of a model. It is made by its entry point as
    `Target(name, **options)`, where `name` is what follows the slash in "openai/gpt-4o", or empty.
    """

    name: str
    """Full name, for instance "openai/gpt-4o-2024-08-06"; part of every journal key."""
    version: str
    """What else decides the answers (a code or weights hash); empty if the name says all."""
    endpoint: str
    """Kind of endpoint, for instance "chat"."""
    reads: Literal["request", "messages"]
    """What the answer depends on: the rules read the request, language models the messages."""

    async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
        """One exchange; a mapping of `Completion`'s fields will do.

        `key` is the journal key, of use as a random seed.

        Raises:
            bench.backbones.prompt.Unreachable: the exchange failed and may be tried another day.
            bench.core.errors.UserError: no exchange can succeed until the user changes something.
        """
        ...

    async def close(self) -> None:
        """Release connections and memory."""
        ...


@runtime_checkable
class Scores(Protocol):
    """The optional ability to give log-probabilities of a given text."""

    async def logprobs(self, context: str, text: str) -> tuple[float, ...]:
        """Natural-log probability of each token of `text` after `context`; each value <= 0."""
        ...


@runtime_checkable
class Streams(Protocol):
    """The optional ability to let a plain text be heard while it is being made."""

    async def stream(
        self, prompt: Prompt[Any], key: str, on_text: Callable[[str], None]
    ) -> Completion:
        """As `complete`, with the text given to `on_text` piece by piece as it comes.

        What is returned is what `complete` would have given: it alone is kept. The pieces make up
        its text; there may be none, where the text came in one.
        """
        ...


class AskError(Exception):
    """An ask that ended without an answer; one item's failure, never the run's."""

    outcome = "error"

    def __init__(self, reason: str, keys: tuple[str, ...] = ()) -> None:
        """Keep the reason and the journal keys of the exchanges made."""
        super().__init__(reason)
        self.reason = reason
        self.keys = keys

    def after(self, keys: tuple[str, ...]) -> Self:
        """The same failure, with the keys of the exchanges that went before."""
        return type(self)(self.reason, (*keys, *self.keys))


class Misplanned(AskError):
    """Still not what was planned after the repairs; stored."""

    outcome = "off-plan"


class OffPlan(ValueError):
    """Raised by a check: a valid answer of something else than was planned.

    It is asked again; what stays so is `Misplanned`.
    """


class Doubtful(ValueError):
    """Raised by a check: what may be right all the same. It is asked again, then kept."""


class Unreachable(AskError):
    """Transport failed after the client's retries; not stored, asked again next run."""

    outcome = "unreachable"


class Refused(AskError):
    """The model refused; stored."""

    outcome = "refusal"


class Invalid(AskError):
    """Still no valid answer after the repairs; stored."""

    outcome = "invalid"


class Cut(Invalid):
    """Cut off even after the repairs; stored."""

    outcome = "cut"


@dataclass(frozen=True)
class Answer(Generic[T]):
    """A validated answer with the journal keys that prove it."""

    value: T
    keys: tuple[str, ...]
    doubt: str = ""
    """What a check found doubtful and was kept all the same."""
