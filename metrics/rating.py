"""What metrics have in common that have a rater rate each dialogue from 1 to 7 by a rubric."""

from typing import Any, ClassVar

from pydantic import Field

from bench.api.context import Context
from bench.api.evaluation import Evaluation, Reason
from bench.api.metric import MetricCard
from bench.backbones.prompt import JUDGING, Answer, Prompt
from bench.backbones.requests import Rate, Rating, turns
from bench.backbones.templates import Template
from bench.records.dialogue import Dialogue

LOW, HIGH = 1, 7
"""The paper's scale (Table 4)."""
ROLE = "rater"
NO_STYLE = "no style given"
"""Why a dialogue is missing from what needs to know its style."""


class SevenPoint(Rating):
    """A rating from 1 to 7."""

    score: int = Field(ge=LOW, le=HIGH)


class RatingMetric:
    """Mean rating of dialogues, one rating each; a subclass gives the card and the rubric.

    The denominator is the parsed ratings; the bounds count the missing ones as 1 or as 7.
    """

    card: ClassVar[MetricCard]
    prompt: ClassVar[Template]
    """The rubric in words; it is given `rounds` and what `words` gives."""
    rubric: ClassVar[str]
    """Name of the rubric."""

    def words(self, dialogue: Dialogue) -> dict[str, Any]:
        """What else the template is given.

        Raises:
            AskError: the dialogue cannot be rated.
        """
        return {}

    def lacks(self, dialogue: Dialogue) -> str | None:
        """Why a dialogue counts as missing without being rated; none if it is to be rated."""
        return None

    async def evaluate(self, dialogue: Dialogue, context: Context) -> Evaluation:
        """The rating; one exchange.

        Raises:
            AskError: there is no rating.
        """
        if reason := self.lacks(dialogue):
            return Evaluation(left_out={"": reason}, missing={"": 1})
        answer = await self._ask(dialogue, context)
        rating = float(answer.value.score)
        return Evaluation(
            values={"": (rating,)},
            reasons=(Reason(value=rating, text=answer.value.reasons, keys=answer.keys),),
            keys=answer.keys,
        )

    def signature(self, context: Context) -> str:
        """The rater, the rubric's words and the scale."""
        parts = (
            f"rater:{context.role(ROLE).pinned}",
            f"prompt:{self.prompt.sha256[:12]}",
            f"temperature-asked:{context.role(ROLE).temperature(JUDGING):g}",
            f"scale:{LOW}-{HIGH}",
            "one rating a dialogue",
        )
        return "|".join(parts)

    async def _ask(self, dialogue: Dialogue, context: Context) -> Answer[SevenPoint]:
        request = Rate(
            rubric=self.rubric,
            dialogue=turns(dialogue.exchanges()),
            manner=dict(dialogue.manner),
            low=LOW,
            high=HIGH,
        )
        messages = self.prompt.messages(rounds=dialogue.rounds, **self.words(dialogue))
        return await context.role(ROLE).ask(
            Prompt(request, messages, SevenPoint, JUDGING, dialogue.id)
        )
