"""Units of laboratory and other results, by the library pint (extra `kb`)."""

import re
import unicodedata
from functools import cache
from typing import Any

from bench.core.errors import UserError

# What reports print and pint does not know: arbitrary units and counts of things.
_DEFINITIONS = (
    "international_unit = [arbitrary_unit] = IU",
    "enzyme_activity_unit = international_unit = U",
    "osmole = mole = osm = osmol = Osm = Osmol",
    "equivalent = mole = eq = Eq",
    "high_power_field = [field] = HPF = hpf",
    "low_power_field = [field] = LPF = lpf",
    "point = [] = _ = points",
    "cell = [] = _ = cells",
    "beat = [] = _ = beats",
    "breath = [] = _ = breaths",
    "colony_forming_unit = [] = CFU",
    "standard_deviation = [] = SD",
    "logMAR = []",
    "letter = [] = _ = letters",
    "pH_unit = [] = _ = pH_units",
    "dioptre = 1 / meter = D = dioptres = diopter = diopters",
    "prism_dioptre = [] = _ = prism_dioptres",
    "metabolic_equivalent = [] = MET",
    "ratio = [] = _ = ratios = INR",
)
LONGEST = 40
"""Characters of a unit; a longer text is none."""
_EXPONENT = re.compile(r"(?<=[A-Za-z])([23])(?![\w^])")
_RAISED = re.compile("[⁺⁻]?[⁰¹²³⁴-⁹]+")
_POWER = re.compile(r"\s*(?:\*\*|\^)\s*")
# A letter, a figure or a bracket is not raised twice, nor to more than two figures: the library
# would calculate 9**9**9 for ever.
_SMALL_POWER = re.compile(r"(?<=\w)\*\*[+-]?\d{1,2}(?![\w.]|\*\*)")
_MAGNITUDE = re.compile(r"[( ]*(?!1/|10\*\*\d)[\d.+-]")
_NEXT_WORD = re.compile(r"(?<=[A-Za-z]) (?=[A-Za-z])")


@cache
def _registry() -> Any:
    try:
        import pint
    except ImportError as error:
        raise UserError(
            "checking units needs pint: pip install 'patient-zero-bench[kb]'"
        ) from error
    registry: Any = pint.UnitRegistry(on_redefinition="ignore")
    for definition in _DEFINITIONS:
        registry.define(definition)
    return registry


@cache
def known_unit(unit: str) -> bool:
    """Whether a unit as a report prints it ("10^9/L", "mL/min/1.73m2", "/HPF") is one.

    A number alone or before a unit is none, a power of ten apart.

    Raises:
        UserError: if pint is not installed.
    """
    registry = _registry()
    text = _plain(unit)
    if not text or _MAGNITUDE.match(text) or "**" in _SMALL_POWER.sub("", text):
        return False
    try:
        read = registry.parse_expression(text)
    # Its own errors, those of Python's tokenizer, of arithmetic: whatever it stumbles over.
    except Exception:  # noqa: BLE001
        return False
    return isinstance(read, registry.Quantity) and bool(read._units)


def _plain(unit: str) -> str:
    """A unit as pint reads it; nothing if it is too long."""
    text = unit.strip()
    if len(text) > LONGEST:
        return ""
    text = _RAISED.sub(lambda found: "**" + unicodedata.normalize("NFKC", found[0]), text)
    text = _POWER.sub("**", text).replace("−", "-")
    text = _EXPONENT.sub(r"**\1", text.replace(" per ", "/"))
    text = _NEXT_WORD.sub("_", text)
    return f"1{text}" if text.startswith("/") else text
