"""The base of every pydantic model that crosses a file or a network."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError


class Model(BaseModel):
    """Frozen, closed to unknown fields; the sentence under each field is its schema description.

    Numbers are finite.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )


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
