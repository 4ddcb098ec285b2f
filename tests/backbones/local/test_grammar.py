"""Answers held to their schema: whatever a model of random weights would say."""

import asyncio
import json
import re
from collections.abc import Coroutine, Sequence
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from bench.authoring.parts import PARTS
from bench.backbones.local.transformers import Transformers
from bench.backbones.prompt import Completion, Message, Prompt, Sampling
from bench.backbones.requests import Labels, Lesson, Rate, Rating, Verdict
from bench.backbones.structured import parse
from bench.core.errors import UserError
from bench.records.record import BasicInformation, DiseaseInformation, Examination, Profile
from bench.students.answer import choice_of

pytest.importorskip("torch")
pytest.importorskip("llguidance")

from tiny_causal import saved_bytes  # it imports torch

MOST = 120
"""Tokens that an answer may have."""


class Bounded(BaseModel):
    """Bounds that pydantic alone would find broken after the answer."""

    age: int = Field(ge=0, le=120)
    score: int = Field(gt=-3, lt=3)
    code: str = Field(pattern=r"^[A-Z][0-9]{2}$")
    word: str = Field(min_length=2, max_length=5)
    several: list[Literal["one", "two"]] = Field(min_length=1, max_length=3)
    perhaps: str | None = Field(default=None, max_length=3)


class Short(BaseModel):
    """Comes to its end before others do."""

    yes: bool


class Looking(BaseModel):
    """A pattern that no grammar holds."""

    model_config = ConfigDict(regex_engine="python-re")

    word: str = Field(pattern="^(?=a)b?")


class Unlike(BaseModel):
    """A keyword that no grammar knows."""

    several: list[bool] = Field(min_length=2, max_length=2, json_schema_extra={"uniqueItems": True})


OWN: list[type[BaseModel]] = [
    Bounded,
    Unlike,
    BasicInformation,
    DiseaseInformation,
    Examination,
    Profile,
    Verdict,
    Labels,
    Rating,
    Lesson,
    choice_of((("A", "one"), ("B", "two"))),
    *PARTS.values(),
]


@cache
def backbone(seed: int = 0) -> Transformers:
    folder = saved_bytes(Path(mkdtemp()) / f"tiny-{seed}", seed)
    made = Transformers(str(folder), device="cpu", batch_size=16)
    return made


def prompt(answer: Any, temperature: float = 1.0, most: int = MOST, say: str = "a") -> Prompt[Any]:
    return Prompt(
        request=Rate(dialogue=(), rubric="y", low=1, high=5),
        messages=(Message("user", say),),
        answer=answer,
        sampling=Sampling(temperature, most),
        replicate="case-1",
    )


def together(*work: Coroutine[Any, Any, Any]) -> list[Any]:
    async def gathered() -> list[Any]:
        return list(await asyncio.gather(*work))

    return asyncio.run(gathered())


def held(completion: Completion, answer: type[BaseModel]) -> bool:
    """Whether an answer came to its end; it is what its type asks for, then, without a repair."""
    between = re.sub(r'"(?:[^"\\]|\\.)*"', "", completion.text)
    assert not re.search(r"\s\s|[\n\t]", between), completion.text
    if completion.outcome == "cut":
        assert completion.output_tokens == MOST
        return False
    answer.model_validate_json(completion.text)
    assert set(json.loads(completion.text)) == set(answer.model_fields)
    return True


@pytest.mark.parametrize(("seed", "temperature"), [(0, 0.0), (1, 1.0), (2, 1.0)])
def test_whatever_a_model_would_say_its_answer_follows_the_schema(
    seed: int, temperature: float
) -> None:
    work = (backbone(seed).complete(prompt(one, temperature), "k") for one in OWN)
    ended = [held(made, one) for one, made in zip(OWN, together(*work), strict=True)]
    assert all(ended[:2])
    assert temperature == 0 or sum(ended) >= len(OWN) // 2


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_rows_of_several_schemas_and_of_none_share_a_batch(
    temperature: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = [Short, str, Bounded, Labels, str, DiseaseInformation]
    asked = [prompt(one, temperature, 50, "ab" * n + "c") for n, one in enumerate(wanted)]
    tiny = backbone()
    single = [asyncio.run(tiny.complete(one, f"{n}")) for n, one in enumerate(asked)]
    sizes: list[int] = []
    inner = tiny._forward

    def counted(model: Any, batch: list[Any]) -> Sequence[Any]:
        sizes.append(len(batch))
        return inner(model, batch)

    monkeypatch.setattr(tiny, "_forward", counted)
    assert together(*(tiny.complete(one, f"{n}") for n, one in enumerate(asked))) == single
    assert sizes == [len(asked)]


def test_a_plain_text_is_as_free_as_alone() -> None:
    """Without a grammar a random model writes no JSON."""
    made = asyncio.run(backbone().complete(prompt(str, most=40), "k"))
    assert not made.text.startswith("{")


def test_an_answer_at_its_limit_is_cut() -> None:
    made = asyncio.run(backbone().complete(prompt(Verdict, most=12), "k"))
    assert (made.outcome, made.output_tokens) == ("cut", 12)
    assert made.text.startswith('{"basic_inf')
    with pytest.raises(ValueError, match="no end"):
        parse(made.text, Verdict, whole=False)


def test_what_no_grammar_holds_is_asked_in_words_alone() -> None:
    made = asyncio.run(backbone().complete(prompt(Looking, most=40), "k"))
    free = asyncio.run(backbone().complete(prompt(str, most=40), "k"))
    assert made == free


def test_without_the_decoder_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiny = backbone()
    monkeypatch.setattr(
        "bench.backbones.weights.find_spec", lambda name: None if name == "llguidance" else name
    )
    with pytest.raises(UserError, match=r"llguidance.*pip install"):
        asyncio.run(tiny.complete(prompt(Verdict), "k"))
    assert asyncio.run(tiny.complete(prompt(str, most=3), "k")).output_tokens == 3
