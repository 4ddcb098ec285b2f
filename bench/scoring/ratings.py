"""A metric that has a rater rate each dialogue from 1 to 7 by a rubric."""

from typing import Any, ClassVar

from pydantic import Field

from bench.api.context import Context
from bench.api.failure import Failure, guarded
from bench.api.metric import MetricCard, Score, Talks
from bench.backbones.prompt import JUDGING, Answer, Prompt
from bench.backbones.requests import Rate, Rating, Turn
from bench.backbones.templates import Template
from bench.core.concurrency import ordered_map
from bench.records.dialogue import Dialogue
from bench.scoring.clusters import Pool, difference
from bench.scoring.intervals import Interval

LOW, HIGH = 1, 7
"""The paper's scale (Table 4)."""
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
    rubric: ClassVar[str]
    """Name of the rubric."""
    prompt: ClassVar[Template]
    """The rubric in words; it is given `rounds` and what `words` gives."""

    def words(self, dialogue: Dialogue) -> dict[str, Any]:
        """What else the template is given.

        Raises:
            AskError: the dialogue cannot be rated.
        """
        return {}

    def lacks(self, dialogue: Dialogue) -> str | None:
        """Why a dialogue counts as missing without being rated; none if it is to be rated."""
        return None

    async def score(self, items: Talks, context: Context) -> tuple[Score, ...]:
        """The mean rating; one exchange a dialogue."""
        pool = await self._rate(items, context)
        rater = context.role("rater")
        parts = (
            f"rater:{rater.pinned}",
            f"prompt:{self.prompt.sha256[:12]}",
            f"temperature-asked:{JUDGING.temperature:g}",
            f"scale:{LOW}-{HIGH}",
            "one rating a dialogue",
        )
        score = pool.score(
            self.card.name,
            self.card.unit,
            self.card.better,
            unseen=items.missing,
            range_=(LOW, HIGH),
            signature="|".join(parts),
            notes=("rated by the rules, a stand-in",) if rater.stand_in else (),
        )
        return (score,)

    async def compare(
        self, first: Talks, second: Talks, context: Context
    ) -> tuple[float, Interval | None, int] | None:
        """Mean rating of the first minus that of the second on the patients both have."""
        pools = [await self._rate(side, context) for side in (first, second)]
        return difference(*pools, share=False)

    async def _rate(self, items: Talks, context: Context) -> Pool:
        pool = Pool()

        async def attempt(
            dialogue: Dialogue,
        ) -> tuple[Dialogue, Answer[SevenPoint] | Failure | str]:
            if reason := self.lacks(dialogue):
                return dialogue, reason
            work = self._ask(dialogue, context)
            return dialogue, await guarded(work, dialogue.id, self.card.name)

        async for dialogue, found in ordered_map(attempt, items, context.at_once):
            if isinstance(found, str):
                pool.leave_out(dialogue, found, 1)
            elif isinstance(found, Failure):
                pool.fail(dialogue, found)
            else:
                pool.add(dialogue, [found.value.score], found.keys)
        return pool

    async def _ask(self, dialogue: Dialogue, context: Context) -> Answer[SevenPoint]:
        task = Rate(
            rubric=self.rubric,
            dialogue=tuple(
                Turn(question=one.question, answer=one.answer) for one in dialogue.exchanges()
            ),
            manner={"style": dialogue.style} if dialogue.style else {},
            low=LOW,
            high=HIGH,
        )
        messages = self.prompt.messages(rounds=dialogue.rounds, **self.words(dialogue))
        return await context.role("rater").ask(
            Prompt(task, messages, SevenPoint, JUDGING, dialogue.id)
        )
