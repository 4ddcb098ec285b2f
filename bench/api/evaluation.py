"""What one metric found for one item: the unit that scores are computed from, asking nobody."""

from typing import Annotated, Any

from pydantic import BeforeValidator, FiniteFloat

from bench.api.failure import Failure
from bench.core.schema import Model


def _several(value: Any) -> Any:
    """One value stands for a list of one; yes and no are 1 and 0."""
    return (float(value),) if isinstance(value, int | float) else value


def _by_part(value: Any) -> Any:
    return value if isinstance(value, dict) else {"": value}


Values = Annotated[tuple[FiniteFloat, ...], BeforeValidator(_several)]


class Reason(Model):
    """Why a value is what it is."""

    where: str = ""
    """What of the item it is about, for instance "epidemiology" or "r2/t3" (round, turn)."""
    value: FiniteFloat | None = None
    """The value it explains."""
    text: str = ""
    """The judge's or rater's own words."""
    contradicted: dict[str, str] = {}
    """Facts that are contradicted, by id, in words."""
    keys: tuple[str, ...] = ()
    """Journal keys of the answer that gave it."""


class Evaluation(Model):
    """One metric's values for one item, or why it has none.

    A metric gives values, reasons, keys and what is missing; the harness says of which item.
    """

    item: str = ""
    """Id of the item."""
    cluster: str = ""
    """The patient, where items or answers of one are no independent draws; empty where they are."""
    department: str = ""
    sex: str = ""
    age: str = ""
    """Age band."""
    answers: int = 1
    """Answers of the item, where each has a value."""
    values: Annotated[dict[str, Values], BeforeValidator(_by_part)] = {}
    """By part; "" is the metric itself. One value, or one for each answer of a dialogue."""
    missing: dict[str, int] = {}
    """Values that should be there and are not, by part."""
    assumed: dict[str, int] = {}
    """Of the values, those that stand for something that is missing and are counted as worst."""
    left_out: dict[str, str] = {}
    """By part, why the item has no value where that is no failure."""
    reasons: tuple[Reason, ...] = ()
    keys: tuple[str, ...] = ()
    """Journal keys of all that the values were made from."""
    notes: tuple[str, ...] = ()
    """What a reader of the score must know; the same words of several items are said once."""
    failures: tuple[Failure, ...] = ()
