"""Generators and metrics by name, and what foreign ones give made ours.

A plug-in needs to import nothing of ours: its card may be a mapping, its records mappings in the
record's JSON form, and its scores mappings with at least `value` and `n`.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from bench.api.failure import Failure
from bench.api.generator import EachCase, Generator, GeneratorCard
from bench.api.metric import Items, Metric, MetricCard, Score, Talks
from bench.backbones.structured import faults
from bench.core.errors import UserError
from bench.core.registry import GENERATORS, METRICS
from bench.experiments.experiment import Choice
from bench.records.record import PatientRecord
from bench.records.record_files import json_line


def make_generator(choice: Choice) -> Generator:
    """A generator with its options and a whole card.

    Raises:
        UserError: if there is none of that name, or it refuses the options or has a bad card.
    """
    made: Any = GENERATORS.make(choice.name, choice.options)
    _complete_card(made, choice, GeneratorCard)
    if hasattr(made, "generate"):
        generator: Generator = made
        return generator
    if hasattr(made, "write"):
        return EachCase(made, made.card)
    raise UserError(f"the generator {choice.name!r} lacks both write and generate")


def make_metric(choice: Choice) -> Metric:
    """A metric with its options and a whole card.

    Raises:
        UserError: if there is none of that name, or it refuses the options or has a bad card.
    """
    metric: Metric = METRICS.make(choice.name, choice.options)
    _complete_card(metric, choice, MetricCard)
    return metric


def _complete_card(
    plugin: Any, choice: Choice, kind: type[GeneratorCard] | type[MetricCard]
) -> None:
    """Give a plug-in a whole card, under the experiment's label if it has one."""
    given = plugin.card
    known = [field.name for field in fields(kind)]
    if not isinstance(given, Mapping):
        given = {field: getattr(given, field) for field in known if hasattr(given, field)}
    try:
        renamed = {"name": choice.label} if choice.label != choice.name else {}
        card = kind(**{"name": choice.name, **given, **renamed})
        card = replace(card, prompts=tuple(Path(path) for path in card.prompts))
    except TypeError as error:
        raise UserError(f"the card of {choice.name!r} is not usable ({error})") from error
    for path in card.prompts:
        if not path.is_file():
            raise UserError(f"the card of {choice.name!r} names a prompt that is not there: {path}")
    plugin.card = card


class Line(NamedTuple):
    """A record as the line of a records file."""

    id: str
    text: str
    rewritten: bool = False
    """Whether a plausibility check had the record written anew."""


def as_line(made: object, method: str) -> Line | Failure:
    """What a generator yielded, as the line of a records file or as the failure that it is."""
    if isinstance(made, Failure):
        return made
    try:
        record = PatientRecord.model_validate(made)
        again = record.origin is not None and record.origin.rewritten > 0
        return Line(record.id, json_line(record), again)
    except (ValidationError, PydanticSerializationError) as error:
        item = str(made.get("id", "?")) if isinstance(made, Mapping) else getattr(made, "id", "?")
        reason = faults(error) if isinstance(error, ValidationError) else str(error)
        return Failure(item=item, stage=method, outcome="invalid", reason=reason)


def as_scores(found: object, metric: Metric, items: Items | Talks) -> tuple[Score, ...]:
    """What a metric gave as scores: one or several, ours or mappings.

    Raises:
        TypeError, ValueError: if it is neither.
    """
    card = metric.card
    defaults = {
        "metric": card.name,
        "unit": card.unit,
        "better": card.better,
        "n_missing": items.missing,
        "interval": None,
        "signature": card.name,
    }
    if isinstance(found, Score | Mapping):
        found = (found,)
    if not isinstance(found, Iterable):
        raise TypeError(f"the metric gave {type(found).__name__}, not scores")
    return tuple(
        score if isinstance(score, Score) else Score.model_validate({**defaults, **dict(score)})
        for score in found
    )
