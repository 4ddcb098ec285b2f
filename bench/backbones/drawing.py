"""How answers are drawn: what a user sets for a backbone in the place of what the harness asks."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Any

from pydantic import Field, field_validator

from bench.backbones.prompt import Sampling
from bench.backbones.requests import Request
from bench.core.registry import nearest
from bench.core.schema import Model

Tokens = Annotated[int, Field(gt=0, strict=True)]
Limits = dict[str, Tokens]


class Drawing(Model):
    """Options that every backbone has which draws its answers; none of them for as asked."""

    max_tokens: Tokens | Limits | None = None
    """Most tokens of an answer, thinking included; one number, or one for each kind of request."""
    temperature: Annotated[float, Field(ge=0, le=2, strict=True)] | None = None
    """0 for the likeliest answer."""
    top_p: Annotated[float, Field(gt=0, le=1, strict=True)] | None = None
    """Share of the probability that is drawn from."""
    seed: Annotated[int, Field(ge=0, lt=2**31, strict=True)] | None = None
    """What draws begin with, for endpoints that can repeat them."""

    @field_validator("max_tokens")
    @classmethod
    def _known(cls, limits: int | Limits | None) -> int | Limits | None:
        known = list(_kinds(Request))
        for kind in limits if isinstance(limits, dict) else ():
            if kind not in known:
                raise ValueError(f"there is no request {kind!r}{nearest(kind, known)}")
        return limits

    def of(self, request: Request, asked: Sampling) -> Sampling:
        """The sampling of a request, by what was set."""
        limit = self.max_tokens
        if isinstance(limit, dict):
            limit = limit.get(request.kind)
        own = {"max_tokens": limit, "temperature": self.temperature}
        own |= {"top_p": self.top_p, "seed": self.seed}
        changed: dict[str, Any] = {name: value for name, value in own.items() if value is not None}
        return replace(asked, **changed) if changed else asked

    def __str__(self) -> str:
        """What was set, for a signature: "temperature=0.7,top_p=0.9"; empty for nothing."""
        kept = self.model_dump(exclude_none=True)
        if isinstance(kept.get("max_tokens"), dict):
            kept["max_tokens"] = dict(sorted(kept["max_tokens"].items()))
        return ",".join(f"{name}={value}" for name, value in kept.items())


def _kinds(base: type[Request]) -> Iterator[str]:
    for kind in base.__subclasses__():
        yield getattr(kind, "kind", "")
        yield from _kinds(kind)
