"""Plug-ins by name, and what foreign ones give made ours.

A plug-in needs to import nothing of ours: its card may be a mapping, its records mappings in the
record's JSON form, its evaluations numbers or mappings, its scores mappings with `value` and `n`.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import aclosing
from dataclasses import fields
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from bench.api.cell import Cell
from bench.api.choice import Choice
from bench.api.context import Context
from bench.api.failure import Failure, guarded
from bench.api.generator import EachCase, Generator, GeneratorCard
from bench.api.item import Items
from bench.api.metric import MetricCard
from bench.api.score import Score
from bench.api.stage import Stage, StageCard
from bench.core.errors import UserError
from bench.core.registry import GENERATORS, METRICS, STAGES, nearest, written
from bench.core.schema import faults

_END = object()


def make_generator(choice: Choice) -> Generator:
    """A generator with its options and a whole card.

    Raises:
        UserError: if there is none of that name, or it refuses the options or has a bad card.
    """
    made: Any = GENERATORS.make(choice.name, choice.options)
    made.card = whole_card(made, choice.name, choice.label, GeneratorCard)
    if hasattr(made, "generate"):
        generator: Generator = made
        return generator
    if hasattr(made, "write"):
        return EachCase(made, made.card)
    raise UserError(f"{written(made)}the generator {choice.name!r} lacks both write and generate")


METHODS = ("evaluate", "kernel", "score")
"""What a metric may have, the first that it has counts."""


def make_metric(choice: Choice) -> Any:
    """A metric with its options and a whole card.

    Raises:
        UserError: if there is none of that name, or it refuses the options or has a bad card.
    """
    metric: Any = METRICS.make(choice.name, choice.options)
    metric.card = whole_card(metric, choice.name, choice.label, MetricCard)
    method_of(metric)
    return metric


def method_of(metric: Any) -> str:
    """Which of `METHODS` a metric works by.

    Raises:
        UserError: if it has none.
    """
    for name in METHODS:
        if callable(getattr(metric, name, None)):
            return name
    raise UserError(
        f"{written(metric)}the metric {metric.card.name!r} has none of {', '.join(METHODS)}"
    )


def load_stage(name: str) -> type[Stage]:
    """The class of a stage, whole: what a foreign one lacks is `Stage`'s.

    Raises:
        UserError: if there is none of that name, or its card or settings are not usable.
    """
    target: Any = STAGES.load(name)
    stage: Any = target if issubclass(target, Stage) else type(target.__name__, (target, Stage), {})
    stage.card = whole_card(stage, name, name, StageCard)
    if not (isinstance(stage.settings, type) and issubclass(stage.settings, BaseModel)):
        raise UserError(
            f"{written(target)}the settings of the stage {name!r} are no pydantic model"
        )
    if stage.settings.model_config.get("extra") != "forbid":  # a misspelt setting is told
        closed = {"model_config": ConfigDict(extra="forbid"), "__module__": stage.__module__}
        stage.settings = type(stage.settings.__name__, (stage.settings,), closed)
    whole: type[Stage] = stage
    return whole


def whole_card(target: Any, name: str, label: str, kind: Any) -> Any:
    """A plug-in's card, made whole and checked, under the experiment's label if it has one.

    Raises:
        UserError: saying where, if it is not usable or names a prompt file that is not there.
    """
    given, place = target.card, f"{written(target)}the card of {name!r}"
    known = [field.name for field in fields(kind)]
    if not isinstance(given, Mapping):
        given = {field: getattr(given, field) for field in known if hasattr(given, field)}
    renamed = {"name": label} if label != name else {}
    given = {"name": name, **given, **renamed}
    for field in given:
        if field not in known:
            raise UserError(f"{place} has a field {field!r}{nearest(str(field), known)}")
    if kind is MetricCard:
        given |= _plain(given)
    try:
        card: Any = TypeAdapter(kind).validate_python(given)
    except ValidationError as error:
        raise UserError(f"{place} is not usable ({faults(error)})") from error
    for path in card.prompts:
        if not path.is_file():
            raise UserError(f"{place} names a prompt that is not there: {path}")
    return card


def _plain(card: Mapping[str, Any]) -> dict[str, Any]:
    """Fields of a metric's card that may be shorter: parts as names, roles that it uses as a list.

    A part that is only named is measured like the metric itself.
    """
    plain: dict[str, Any] = {}
    if isinstance(parts := card.get("parts"), list | tuple):
        own = {name: card[name] for name in ("unit", "better", "range", "per") if name in card}
        plain["parts"] = [{"name": one, **own} if isinstance(one, str) else one for one in parts]
    if isinstance(uses := card.get("uses"), list | tuple):
        plain["uses"] = {role: f"nobody is named for the role {role!r}" for role in uses}
    return plain


async def made_items(
    stage: Stage, cell: Cell, given: Mapping[Cell, Items], context: Context
) -> AsyncGenerator[tuple[Any, str] | Failure, None]:
    """What a stage makes: each item of its model with its line of JSON, or the failure that it is.

    Whatever the stage raises is its last item, a failure of the whole cell ("*").

    Raises:
        UserError: if the run cannot go on.
    """
    name = stage.card.name
    ids: set[str] = set()

    async def start() -> Any:
        return stage.make(cell, given, context)

    source = await guarded(start(), "*", name)
    if isinstance(source, Failure):
        yield source
        return
    async with aclosing(source):
        while (item := await guarded(anext(source, _END), "*", name)) is not _END:
            checked = _checked(item, stage.item, name)
            if not isinstance(checked, Failure):
                identity = checked[0].id
                if identity in ids:
                    checked = _invalid(identity, name, f"a second item {identity!r}")
                ids.add(identity)
            yield checked
            if isinstance(item, Failure) and item.item == "*":
                return


def as_item(given: Any, model: type[BaseModel], stage: str) -> Any:
    """What a stage yielded, as an item of its model or as the failure that it is."""
    if isinstance(given, Failure) or type(given) is model:
        return given
    try:
        return model.model_validate(given)
    except ValidationError as error:
        identity = given.get("id", "?") if isinstance(given, Mapping) else getattr(given, "id", "?")
        return _invalid(str(identity), stage, faults(error))


def _checked(given: Any, model: type[BaseModel], stage: str) -> tuple[Any, str] | Failure:
    """An item with its line of JSON; absent fields are left out."""
    item = as_item(given, model, stage)
    if isinstance(item, Failure):
        return item
    try:
        return item, item.model_dump_json(exclude_none=True) + "\n"
    except PydanticSerializationError as error:
        return _invalid(item.id, stage, str(error))


def _invalid(identity: str, stage: str, reason: str) -> Failure:
    return Failure(item=identity, stage=stage, outcome="invalid", reason=reason)


Kept = tuple[list[Score], dict[str, float], dict[str, tuple[str, ...]]]
"""Scores, values by item id, journal keys by item id."""


def whole_scores(given: object, card: MetricCard, items: Items) -> Kept:
    """What a metric that gives scores itself gave: one or several, ours or mappings.

    Raises:
        TypeError, ValueError: if it is neither.
    """
    if isinstance(given, Score | Mapping):
        given = (given,)
    if not isinstance(given, Iterable):
        raise TypeError(f"the metric gave {type(given).__name__}, not scores")
    scores: list[Score] = []
    values: dict[str, float] = {}
    keys: dict[str, tuple[str, ...]] = {}
    defaults = {
        "metric": card.name,
        "unit": card.unit,
        "better": card.better,
        "n_missing": items.missing,
        "signature": card.name,
    }
    for one in given:
        if isinstance(one, Score):
            scores.append(one)
            continue
        told = dict(one)
        values |= {str(name): float(value) for name, value in told.pop("items", {}).items()}
        keys |= {str(name): tuple(value) for name, value in told.pop("keys", {}).items()}
        scores.append(Score.model_validate(defaults | told))
    return scores, values, keys
