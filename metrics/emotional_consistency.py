"""Emotional consistency: a rater's 1 to 7 for how a patient keeps to a style (paper Table 4)."""

from pathlib import Path
from typing import Any, ClassVar

from bench.agents.styles import styles
from bench.api.metric import MetricCard
from bench.backbones.prompt import AskError
from bench.backbones.templates import Template
from bench.records.dialogue import Dialogue
from metrics.rating import HIGH, LOW, NO_STYLE, ROLE, RatingMetric

PROMPT = Template(Path(__file__).with_name("emotional_consistency.j2"))


class EmotionalConsistency(RatingMetric):
    """Mean rating of how well the patient's replies show the style set, one rating a dialogue.

    The paper gives no rubric; ours is in `emotional_consistency.j2`. The rater reads the style in
    the words that a patient agent is given for it.
    """

    card: ClassVar[MetricCard] = MetricCard(
        name="emotional-consistency",
        summary="How well the patient keeps to the style and emotion set, 1 to 7 by a rater.",
        unit="points",
        better="higher",
        needs=(ROLE,),
        prompts=(PROMPT.path,),
        takes="dialogues",
        range=(LOW, HIGH),
    )
    rubric = "emotional-consistency"
    prompt = PROMPT

    def lacks(self, dialogue: Dialogue) -> str | None:
        """A dialogue that says no style cannot be rated by one."""
        return NO_STYLE if dialogue.style is None else None

    def words(self, dialogue: Dialogue) -> dict[str, Any]:
        """The style in words.

        Raises:
            AskError: for a style that is not known.
        """
        known = styles().get(dialogue.style or "")
        if known is None:
            names = ", ".join(styles())
            raise AskError(f"there is no style {dialogue.style!r} to rate by; known: {names}")
        return {"style": {"name": dialogue.style, **known.model_dump()}}
