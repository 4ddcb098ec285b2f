"""Answers as typed values: the schema in words, and text back into the model."""

import contextlib
import json
from dataclasses import replace
from functools import cache
from typing import Any, cast

from json_repair import loads as repair
from pydantic import BaseModel, ValidationError

from bench.backbones.prompt import Message, Prompt, T
from bench.core.schema import faults


def schema_of(answer: Any) -> dict[str, Any] | None:
    """JSON schema of an answer type; none for plain text. Kept, not to be changed."""
    return _schema(answer)


@cache
def _schema(answer: Any) -> dict[str, Any] | None:
    if not issubclass(answer, BaseModel):
        return None
    return cast(dict[str, Any], _without(answer.model_json_schema(), ("title",)))


@cache
def closed_schema(answer: type[BaseModel]) -> str:
    """The schema as a grammar holds it, as JSON: every property and no other, with all bounds."""
    return json.dumps(_closed(schema_of(answer)))


def strict_schema(answer: Any) -> dict[str, Any]:
    """The schema as endpoints with strict structured output want it.

    Every property is required (an absent one is null or empty) and none may be added; defaults
    and bounds, which some of them refuse, are dropped. Kept, not to be changed.
    """
    return _strict_schema(answer)


@cache
def _strict_schema(answer: Any) -> dict[str, Any]:
    bounds = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
    refused = ("title", "default", *bounds, "minLength", "maxLength", "pattern")
    return cast(dict[str, Any], _closed(_without(answer.model_json_schema(), refused)))


def _without(node: Any, keywords: tuple[str, ...]) -> Any:
    """A schema without some keywords, and without the docstrings of its models.

    Those are for readers of the code; the sentences of the fields are for the model too.
    """
    if isinstance(node, list):
        return [_without(item, keywords) for item in node]
    if not isinstance(node, dict):
        return node
    dropped = (*keywords, "description") if "properties" in node else keywords
    named = ("properties", "$defs")  # their keys are names, not keywords
    return {
        key: {name: _without(item, keywords) for name, item in value.items()}
        if key in named
        else _without(value, keywords)
        for key, value in node.items()
        if key not in dropped
    }


def _closed(node: Any) -> Any:
    """Every property required, none to be added."""
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    closed = {key: _closed(value) for key, value in node.items()}
    if isinstance(node.get("properties"), dict):
        closed["required"] = list(node["properties"])
        closed["additionalProperties"] = False
    return closed


def schema_message(answer: type[BaseModel]) -> Message:
    """The schema as a message, for endpoints without structured output."""
    schema = json.dumps(schema_of(answer), ensure_ascii=False)
    return Message(
        "user",
        "Answer with one JSON object and nothing else. It must follow this JSON schema:\n" + schema,
    )


def parse(text: str, answer: type[T], *, whole: bool = True) -> T:
    """The typed value of an answer's text; slightly broken JSON is repaired first.

    An answer that was cut off (not `whole`) is not repaired: half a number would pass for one.
    A text without a JSON object is an answer if the type says so, by a validator of its own that
    takes a text (`model_validator(mode="before")`).

    Raises:
        ValueError: with one line naming the fields at fault, fit to be shown to the model.
    """
    if not issubclass(answer, BaseModel):
        if not whole or not text.strip():
            raise ValueError("the answer has no end" if text.strip() else "the answer is empty")
        return cast(T, text)
    value = repair(text) if whole else json.loads(text)
    if "\\ud" in text.lower():
        # Such an escape may be half a character, which no file can hold.
        value = json.loads(json.dumps(value, ensure_ascii=False).encode(errors="replace"))
    # Words with braces around the object make a list of the two.
    listed = value if isinstance(value, list) else [value]
    objects = [item for item in listed if isinstance(item, dict)]
    if not objects:
        with contextlib.suppress(ValidationError):
            if whole:
                return cast(T, answer.model_validate(text))
        raise ValueError("the answer holds no JSON object")
    for item in objects[1:]:
        with contextlib.suppress(ValidationError):
            return cast(T, answer.model_validate(item))
    try:
        return cast(T, answer.model_validate(objects[0]))
    except ValidationError as error:
        raise ValueError(faults(error)) from error


def with_fault(prompt: Prompt[T], text: str, fault: str, repair: int) -> Prompt[T]:
    """The prompt that shows a model its invalid answer and asks again.

    `repair` counts from 1 and makes a draw of its own: a model that gives the same invalid answer
    twice is asked in the same words twice, and would get its stored answer back.
    """
    asked = (
        Message("assistant", text or "(empty)"),
        Message("user", f"That answer is not valid: {fault}. Answer again, in full."),
    )
    return replace(
        prompt,
        messages=prompt.messages + asked,
        replicate=f"{prompt.replicate}/repair-{repair}",
    )
