"""Conversational fluency: a rater's 1 to 7 for how naturally a patient talks (paper Table 4)."""

from pathlib import Path
from typing import ClassVar

from bench.api.metric import MetricCard
from bench.backbones.templates import Template
from metrics.rating import HIGH, LOW, ROLE, RatingMetric

PROMPT = Template(Path(__file__).with_name("fluency.j2"))


class Fluency(RatingMetric):
    """Mean rating of how coherent and natural the patient's replies are, one rating a dialogue.

    The paper gives no rubric; ours is in `fluency.j2`.
    """

    card: ClassVar[MetricCard] = MetricCard(
        name="fluency",
        summary="How coherent and natural the patient talks, 1 to 7 by a rater.",
        unit="points",
        better="higher",
        needs=(ROLE,),
        prompts=(PROMPT.path,),
        takes="dialogues",
        range=(LOW, HIGH),
    )
    rubric = "fluency"
    prompt = PROMPT
