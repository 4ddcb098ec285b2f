"""The conversational styles of patients, as data in `styles.yaml`."""

from functools import cache
from pathlib import Path

from pydantic import Field, TypeAdapter, ValidationError

from bench.core.errors import UserError
from bench.core.registry import nearest
from bench.core.schema import Model
from bench.core.yaml_lines import read_yaml

FILE = Path(__file__).with_name("styles.yaml")
PLANNED = ("plain", "upset", "verbose", "reserved", "tangent", "pleasing")
"""The paper's six (section 3.2), in the order in which planned patients get them."""


class Style(Model):
    """How a patient talks: an entry of the file."""

    description: str
    """What the patient is told about it."""
    sentences: int = Field(ge=1)
    """Sentences that an answer may have at most."""


@cache
def styles() -> dict[str, Style]:
    """All styles by name, in the order of the file.

    Raises:
        UserError: naming the file, the line and the entry at fault.
    """
    file = read_yaml(FILE, "the file of styles")
    try:
        return TypeAdapter(dict[str, Style]).validate_python(file.data)
    except ValidationError as error:
        raise file.refused(error) from error


def style(name: str) -> Style:
    """The style of a name.

    Raises:
        UserError: if there is none, with the nearest name.
    """
    known = styles().get(name)
    if known is None:
        raise UserError(f"there is no style {name!r}{nearest(name, list(styles()))}")
    return known
