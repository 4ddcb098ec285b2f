"""The base of every pydantic model that crosses a file or a network."""

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    """Frozen, closed to unknown fields; the sentence under each field is its schema description."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)
