"""The base of every pydantic model that crosses a file or a network."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Frozen, closed to unknown fields; the sentence under each field is its schema description.

    Numbers are finite.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", use_attribute_docstrings=True, allow_inf_nan=False
    )
