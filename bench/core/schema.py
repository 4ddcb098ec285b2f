"""The base of every pydantic model that crosses a file or a network."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

ASKED = "asked"
"""Keyword of a JSON schema: bounds that a model is asked to keep."""


class Model(BaseModel):
    """Frozen, closed to unknown fields; the sentence under each field is its schema description.

    Numbers are finite.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


def asked(**bounds: int) -> Any:
    """Bounds by the keywords of JSON schema, `maxLength=300`, for what a model writes.

    What breaks them is valid all the same: files and endpoints that know no bounds may say more.
    """
    return Field(json_schema_extra={ASKED: dict(bounds)})


def _absolute(path: Path) -> Path:
    return path.expanduser().absolute()


AnyPath = Annotated[Path, AfterValidator(_absolute)]
"""A path as it was typed, made to mean the same from any folder."""


def faults(error: ValidationError, most: int = 5) -> str:
    """What a validation found, field by field, on one line."""
    listed = [
        f"{'.'.join(str(part) for part in fault['loc']) or 'the whole'}: "
        + fault["msg"].removeprefix("Value error, ")
        for fault in error.errors(include_url=False, include_input=False)
    ]
    more = f" (and {len(listed) - most} more)" if len(listed) > most else ""
    return "; ".join(listed[:most]) + more
