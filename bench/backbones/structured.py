"""Answers as typed values: the schema in words, and text back into the model."""

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from bench.backbones.objects import objects
from bench.backbones.prompt import Message, Prompt, T
from bench.core.schema import ASKED, faults
from bench.core.text import one_line


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


@cache
def bounded_schema(answer: type[BaseModel]) -> dict[str, Any]:
    """The schema as most endpoints with structured output take it, with all bounds.

    Every property is required (an absent one is null or empty) and none may be added; defaults are
    dropped. Kept, not to be changed.
    """
    schema = answer.model_json_schema()
    return cast(dict[str, Any], _closed(_without(schema, ("title", "default"))))


@cache
def strict_schema(answer: type[BaseModel]) -> dict[str, Any]:
    """The schema for endpoints that refuse bounds, or some of them. Kept, not to be changed."""
    return cast(dict[str, Any], _without(bounded_schema(answer), BOUNDS))


BOUNDS = (
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    *("minLength", "maxLength", "pattern", "format", "minItems", "maxItems", "uniqueItems"),
)


def _without(node: Any, keywords: tuple[str, ...]) -> Any:
    """A schema without some keywords, and without the docstrings of its models; bounds as asked.

    The docstrings are for readers of the code; the sentences of the fields are for the model too.
    """
    if isinstance(node, list):
        return [_without(item, keywords) for item in node]
    if not isinstance(node, dict):
        return node
    node = {**node, **node.get(ASKED, {})}
    dropped = (ASKED, *keywords, *(("description",) if "properties" in node else ()))
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


def fields_message(answer: type[BaseModel]) -> Message:
    """The names of the fields as a message, for endpoints that hold answers to the schema.

    A grammar gives an answer its shape; what a field is for a model can only know from its name.
    """
    return Message("user", "Answer with one JSON object of this shape:\n" + shape(answer))


@cache
def shape(answer: type[BaseModel]) -> str:
    """What an answer looks like, on one line: {"reasons": "...", "aligned": true or false}."""
    schema = schema_of(answer) or {}
    return _shape(schema, schema.get("$defs", {}))


def _shape(node: Mapping[str, Any], named: Mapping[str, Any]) -> str:
    if "$ref" in node:
        return _shape(named[node["$ref"].rpartition("/")[2]], named)
    if "const" in node or "enum" in node:
        values = node.get("enum", [node.get("const")])
        return " or ".join(json.dumps(value, ensure_ascii=False) for value in values)
    if "anyOf" in node:
        return " or ".join(dict.fromkeys(_shape(option, named) for option in node["anyOf"]))
    if "properties" in node:
        fields = (f'"{name}": {_shape(of, named)}' for name, of in node["properties"].items())
        return "{" + ", ".join(fields) + "}"
    if node.get("type") == "array":
        items = node.get("items") or {"anyOf": node.get("prefixItems", [{}])}
        return f"[{_shape(items, named)}, ...]"
    if isinstance(node.get("additionalProperties"), dict):
        return '{"...": ' + _shape(node["additionalProperties"], named) + "}"
    words = {"boolean": "true or false", "null": "null", "integer": "a whole number"}
    return words.get(node.get("type", ""), "a number" if node.get("type") == "number" else '"..."')


def schema_message(answer: type[BaseModel]) -> Message:
    """The schema as a message, for endpoints without structured output."""
    schema = json.dumps(schema_of(answer), ensure_ascii=False)
    return Message(
        "user",
        "Answer with one JSON object and nothing else. It must follow this JSON schema:\n" + schema,
    )


def parse(text: str, answer: type[T], *, whole: bool = True) -> T:
    """The typed value of an answer's text, from which any thinking has been cut.

    Of several objects the last valid one counts, one that ends and is slightly broken is mended
    first, and keys nobody asked for are ignored. Nothing is completed: an object without an end
    makes the whole no answer. An answer that was cut off (not `whole`) counts only if it is one
    object and nothing else. A text without an object is an answer if the type says so, by a
    validator of its own that takes a text (`model_validator(mode="before")`).

    Raises:
        ValueError: with one line naming the fields at fault, fit to be shown to the model.
    """
    if not text.strip():
        raise ValueError("the answer is empty")
    if not issubclass(answer, BaseModel):
        if not whole:
            raise ValueError("the answer has no end")
        return cast(T, text)
    fault, most = "the answer holds no JSON object", -1
    escaped = "\\ud" in text.lower()
    for found in objects(text) if whole else _alone(text):
        item = found
        if escaped:
            # Such an escape may be half a character, which no file can hold.
            item = json.loads(json.dumps(item, ensure_ascii=False).encode(errors="replace"))
        named = len(item.keys() & answer.model_fields.keys())
        if not named and most < 0:
            fault, most = f"the answer has none of the fields of {shape(answer)}", 0
        if named:
            try:
                return cast(T, answer.model_validate(item, extra="ignore"))
            except ValidationError as error:
                if named > most:
                    fault, most = faults(error), named
    if whole and most < 0:
        with contextlib.suppress(ValidationError):
            return cast(T, answer.model_validate(text, extra="ignore"))
    raise ValueError(fault)


def has_fields(text: str, answer: type[BaseModel]) -> bool:
    """Whether a text holds a JSON object with all fields of a type."""
    fields = set((schema_of(answer) or {}).get("properties", ()))
    try:
        return any(fields <= found.keys() for found in objects(text))
    except ValueError:
        return False


def _alone(text: str) -> Iterator[dict[str, Any]]:
    """The object that a text is as a whole.

    Raises:
        ValueError: it is none.
    """
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("the answer has no end") from error
    if isinstance(value, dict):
        yield value


SHOWN = 300
"""Characters of an invalid answer that are shown to the model."""
FAULT = 300
"""Characters of what is said to be at fault."""
FEWEST = 20
"""Words that an answer is asked to have at most are never fewer."""


def with_fault(prompt: Prompt[T], said: str, fault: str, repair: int, *, cut: bool) -> Prompt[T]:
    """The prompt that shows a model the beginning of its invalid answer and asks again.

    It goes on from the prompt that was asked first and is little longer, so that it fits where that
    did: what said the shape of the answer there says it behind the fault now. A `cut` answer is
    asked again for something shorter. `repair` counts from 1 and makes a draw of its own: a model
    that gives the same invalid answer twice is asked in the same words twice, and would get its
    stored answer back.
    """
    messages = prompt.messages
    words = [f"That answer is not valid: {_beginning(one_line(fault), FAULT)}."]
    if cut:
        # A token is less than a word, and JSON has many; a server's own limit may be lower.
        most = min(prompt.sampling.max_tokens // 3, len(said.split()) or prompt.sampling.max_tokens)
        words.append(f"Answer again, shorter: in at most {max(FEWEST, most // repair)} words.")
    else:
        words.append("Answer again, in full.")
    if issubclass(prompt.answer, BaseModel):
        fields = fields_message(prompt.answer)
        messages = messages[:-1] if messages[-1:] == (fields,) else messages
        words.append(fields.content)
    asked = (
        Message("assistant", _beginning(said.strip(), SHOWN) or "(empty)"),
        Message("user", "\n".join(words)),
    )
    return replace(
        prompt, messages=messages + asked, replicate=f"{prompt.replicate}/repair-{repair}"
    )


def _beginning(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + "…"
