"""Item metrics: from items to evaluations.

One evaluation an item, in the items' order; whatever a metric raises for one item costs that item.
"""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.api.context import Context
from bench.api.evaluation import Evaluation
from bench.api.failure import Failure, guarded
from bench.api.item import Items, about, answers_of
from bench.api.metric import ItemMetric, MetricCard
from bench.core.concurrency import ordered_map
from bench.core.errors import UserError
from bench.core.schema import faults
from bench.core.text import one_line


async def evaluate(metric: ItemMetric, items: Items, context: Context) -> AsyncIterator[Evaluation]:
    """The evaluation of each item in order, many under way at once.

    Raises:
        UserError: the run cannot go on.
    """

    async def one(item: Any) -> Evaluation:
        found = await guarded(metric.evaluate(item, context), item.id, "scoring")
        return _of_item(found, item, metric.card)

    async for found in ordered_map(one, items, context.at_once):
        yield found


def _of_item(found: Any, item: Any, card: MetricCard) -> Evaluation:
    """What a metric gave for an item, with what is known of the item; or that it gave nothing."""
    who = about(item)
    if not isinstance(found, Failure | Evaluation):
        found = _typed(found, who.id)
    if isinstance(found, Failure):
        parts = card.every_part
        lost = {part.name: answers_of(item) if part.per == "answer" else 1 for part in parts}
        found = Evaluation(missing=lost, failures=(found,), keys=found.keys)
    evaluation: Evaluation = found
    named = (one.model_copy(update={"metric": card.name}) for one in evaluation.failures)
    return evaluation.model_copy(
        update={
            "failures": tuple(named),
            "item": who.id,
            "cluster": who.cluster,
            "department": who.department,
            "sex": who.sex,
            "age": who.age,
            "answers": answers_of(item),
        }
    )


def _typed(found: Any, item: str) -> Evaluation | Failure:
    """A number, or a mapping of fields (`value` for one value), as an evaluation."""
    given = found if isinstance(found, Mapping) else {"values": found}
    if "value" in given:
        given = {"values": given["value"], **{k: v for k, v in given.items() if k != "value"}}
    try:
        return Evaluation.model_validate(given)
    except ValidationError as error:
        reason = f"the metric gave no evaluation: {faults(error)}"
        return Failure(item=item, stage="scoring", outcome="error", reason=reason)


def as_line(evaluation: Evaluation) -> str:
    """An evaluation as one line of JSON; what is empty is left out."""
    return evaluation.model_dump_json(exclude_defaults=True) + "\n"


class EvaluationFile:
    """The evaluations of a file; each iteration reads it anew, holding one."""

    def __init__(self, path: Path) -> None:
        """Nothing is read yet."""
        self.path = path

    def __iter__(self) -> Iterator[Evaluation]:
        """The evaluations in order.

        Raises:
            UserError: naming the file, if it cannot be read.
        """
        try:
            with self.path.open("rb") as file:
                for line in file:
                    yield Evaluation.model_validate_json(line)
        except (OSError, ValidationError) as error:
            reason = one_line(str(error))[:200]
            raise UserError(
                f"{self.path} cannot be read ({reason}): the same command writes it anew"
            ) from error


def of_values(
    items: Iterable[Any], values: Mapping[str, float], keys: Mapping[str, tuple[str, ...]]
) -> Iterator[Evaluation]:
    """Evaluations from values by item id: of metrics that do not look at items one by one."""
    for item in items:
        who = about(item)
        if who.id in values:
            yield Evaluation(
                item=who.id,
                cluster=who.cluster,
                department=who.department,
                sex=who.sex,
                age=who.age,
                answers=answers_of(item),
                values={"": (values[who.id],)},
                keys=keys.get(who.id, ()),
            )
