"""How a statement relates to a fact."""

from typing import Literal

Label = Literal["entail", "neutral", "contradict"]
"""How a reply relates to a fact (paper equation 1)."""
