"""Asking an endpoint's backbone one prompt, with the answer types that the tests of it share."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Literal

from openai_server import OpenAIServer
from pydantic import BaseModel, Field

from bench.backbones.openai.backbone import OpenAI
from bench.backbones.prompt import Completion, Message, Prompt, Sampling
from bench.backbones.requests import Rate


class Finding(BaseModel):
    name: str
    value: float | None


class Report(BaseModel):
    verdict: Literal["aligned", "not aligned"]
    reasons: list[str] = Field(min_length=2)
    findings: list[Finding]
    score: Literal[1, 2, 3, 4, 5]


def prompt(answer: type[Any] = Report, words: str = "Say it.", **sampling: Any) -> Prompt[Any]:
    return Prompt(
        request=Rate(dialogue=(), rubric="y", low=1, high=5),
        messages=(Message("system", "You are terse."), Message("user", words)),
        answer=answer,
        sampling=Sampling(**sampling),
        replicate="case-1",
    )


def made(server: OpenAIServer, model: str = "words", **options: Any) -> OpenAI:
    settings: dict[str, Any] = {"base_url": server.url, "max_retries": 1, "timeout": 20.0}
    return OpenAI(model, **(settings | options))


def ran(backbone: OpenAI, work: Coroutine[Any, Any, Any]) -> Any:
    async def whole() -> Any:
        try:
            return await work
        finally:
            await backbone.close()

    return asyncio.run(whole())


def ask(backbone: OpenAI, asked: Prompt[Any] | None = None) -> Completion:
    completion = ran(backbone, backbone.complete(asked or prompt(), "0" * 64))
    assert isinstance(completion, Completion)
    return completion


def heard(backbone: OpenAI, pieces: list[str]) -> Completion:
    completion = ran(backbone, backbone.stream(prompt(str), "0" * 64, pieces.append))
    assert isinstance(completion, Completion)
    return completion
