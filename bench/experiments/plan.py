"""What a run will ask, said before it asks.

Measured on a few items: the rules answer in the models' stead, and the exchanges, the characters of
the real prompts and those of the rules' answers are counted and scaled up. Each stage says itself
how (`bench.api.stage.Stage.plan`); the metrics are tried on what it made.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import Any, Literal

from bench.api.adapters import made_items, method_of
from bench.api.cell import Cell
from bench.api.choice import Choice
from bench.api.context import Context
from bench.api.failure import Failure, Unscored, guarded
from bench.api.item import About, Items
from bench.api.stage import Stage
from bench.backbones.prompt import Completion, Prompt
from bench.backbones.respondent import Respondent
from bench.backbones.rules.backbone import Rules
from bench.backbones.structured import schema_of
from bench.core.errors import UserError
from bench.experiments.assembly import Assembly, assemble
from bench.experiments.experiment import Experiment
from bench.journal.journal import Journal
from bench.knowledge.library import Library
from bench.scoring.evaluations import evaluate
from bench.scoring.pairs import score_pairs
from bench.scoring.sampling import exchanges

FEW = 12
"""Items of a cell on which tokens are measured, about."""
CHARACTERS = 4
"""Characters of a token of English, roughly."""


@dataclass(frozen=True)
class Cost:
    """What one backbone will be asked in one role."""

    role: str
    backbone: str
    label: str
    exchanges: int = 0
    """Repairs not counted; what the journal holds is not asked again."""
    input_tokens: int = 0
    """Estimate; zero where nothing could be measured."""
    output_tokens: int = 0
    """Estimate."""
    again: int = 0
    """Exchanges more if every checked reply were made anew as often as may be."""
    guessed: bool = False
    """Whether the number of exchanges depends on the answers."""

    def __str__(self) -> str:
        """One line for the user."""
        tokens = f"about {self.input_tokens:,} tokens in and {self.output_tokens:,} out"
        named = self.backbone if self.label == self.backbone else f"{self.label} ({self.backbone})"
        about = "about " if self.guessed else ""
        told = f"{self.role} {named}: {about}{self.exchanges:,} exchanges, {tokens}"
        if not self.again:
            return told
        most = self.exchanges + self.again
        return f"{told}; more where replies are made anew, at most about {most:,} exchanges"


class _Counted:
    """The rules in a model's stead, counting characters."""

    version = ""
    endpoint = "rules"
    reads: Literal["request", "messages"] = "request"

    def __init__(self, library: Library, name: str) -> None:
        self._rules = Rules(library=library)
        self.name = name
        self.asked = self.characters_in = self.characters_out = 0

    async def complete(self, prompt: Prompt[Any], key: str) -> Completion:
        """As the rules answer."""
        self.asked += 1
        self.characters_in += sum(len(message.content) for message in prompt.messages)
        self.characters_in += len(str(schema_of(prompt.answer) or ""))
        completion = await self._rules.complete(prompt, key)
        self.characters_out += len(completion.text)
        return completion

    async def logprobs(self, context: str, text: str) -> tuple[float, ...]:
        """Nothing is computed: only the length of the text counts."""
        self.asked += 1
        self.characters_in += len(context) + len(text)
        return (0.0,)

    async def close(self) -> None:
        """Nothing is held."""


class CountingTrial:
    """A trial (`bench.api.stage.Trial`): what was counted so far, and the items that were made."""

    few = FEW

    def __init__(self, assembly: Assembly) -> None:
        """Nothing is counted yet."""
        self._assembly = assembly
        self._costs: dict[tuple[str, str], Cost] = {}
        self.items: dict[Cell, Items] = {}
        """A few items of each cell; what they lack of those planned is in their `lacking`."""
        self._journals: list[Journal] = []

    def context(self, stage: Stage, cell: Cell) -> Context:
        """Backbones that count, in every role that the stage asks in the cell."""
        return self._counting(self._assembly.makers(stage, cell))

    def _counting(self, chosen: Mapping[str, Choice]) -> Context:
        # A journal of its own: what another cell asked in the same words counts here, too.
        journal = Journal.open(None)
        self._journals.append(journal)
        outlines = self._assembly.outlines
        roles = {
            role: Respondent(role, _Counted(outlines, choice.name), journal)
            for role, choice in chosen.items()
        }
        return Context(journal, outlines, roles)

    async def run(
        self,
        stage: Stage,
        cell: Cell,
        given: Mapping[Cell, Items],
        expected: Sequence[About],
        roles: Sequence[str] | None = None,
    ) -> Sequence[Any]:
        """Make a few items of a cell, and scale what they ask to all that are expected."""
        context = self.context(stage, cell)
        items: list[Any] = []
        tried = 0
        async with aclosing(made_items(stage, cell, given, context)) as made:
            async for item in made:
                tried += 1
                if not isinstance(item, Failure):
                    items.append(item[0])
                if tried >= self.few and len(expected) > tried:
                    break
        counted = (
            context
            if roles is None
            else replace(
                context,
                roles={role: context.roles[role] for role in roles if role in context.roles},
            )
        )
        if tried:
            self.count(stage, cell, counted, max(len(expected), tried) / tried)
        self.made(cell, items, expected)
        return items

    def made(self, cell: Cell, items: Sequence[Any], expected: Sequence[About]) -> None:
        """Items of a cell, as a sample of all that are expected."""
        ids = {item.id for item in items}
        lacking = Counter(
            About("", "", who.department, who.sex, who.age) for who in expected if who.id not in ids
        )
        self.items[cell] = Items(list(items), lacking=lacking)

    def count(
        self,
        stage: Stage,
        cell: Cell,
        context: Context,
        scale: float,
        *,
        tokens_in: Mapping[str, float] | None = None,
        guessed: bool = False,
    ) -> None:
        """Add what a context's backbones were asked, scaled; and further tokens in, by role."""
        self._add(self._assembly.makers(stage, cell), context, scale, tokens_in or {}, guessed)

    def _add(
        self,
        chosen: Mapping[str, Choice],
        context: Context,
        scale: float,
        tokens_in: Mapping[str, float],
        guessed: bool,
    ) -> None:
        for role, respondent in context.roles.items():
            backbone: Any = respondent.backbone
            known = self._cost(role, chosen[role])
            more = scale * backbone.characters_in / CHARACTERS + tokens_in.get(role, 0.0)
            self._costs[role, chosen[role].label] = replace(
                known,
                exchanges=known.exchanges + round(backbone.asked * scale),
                input_tokens=known.input_tokens + round(more),
                output_tokens=known.output_tokens
                + round(scale * backbone.characters_out / CHARACTERS),
                guessed=known.guessed or guessed,
            )

    def _cost(self, role: str, choice: Choice) -> Cost:
        empty = Cost(role, choice.name, choice.label)
        return self._costs.get((role, choice.label), empty)

    def again(self, stage: Stage, cell: Cell, role: str, exchanges: float) -> None:
        """Exchanges that a role may be asked more, if replies are made anew."""
        choice = self._assembly.makers(stage, cell)[role]
        known = self._cost(role, choice)
        self._costs[role, choice.label] = replace(known, again=known.again + round(exchanges))

    async def score(self, stage: Stage, cells: Iterable[Cell]) -> None:
        """Try the metrics that ask somebody on the items of some cells."""
        for cell in cells:
            for metric, _, chosen in self._assembly.judgements(stage, cell):
                if chosen:
                    await self._score(metric, self.items[cell], chosen)

    async def _score(self, metric: Any, items: Items, chosen: Mapping[str, Choice]) -> None:
        sample = list(items)
        if not sample:
            return
        context = self._counting(chosen)
        planned = len(sample) + items.missing
        scale = planned / len(sample)
        if method_of(metric) == "kernel":
            # Of pairs within a department, which is what kernels are asked.
            sizes = Counter(item.department for item in sample).values()
            budget = getattr(metric, "budget", None)
            tried = sum(exchanges(size, budget) for size in sizes)
            each = exchanges(round(planned / len(sizes)), budget)
            scale = each * len(sizes) / max(tried, 1)
        with suppress(Unscored):
            await guarded(_asked(metric, Items(sample), context), "plan", metric.card.name)
        self._add(chosen, context, scale, {}, guessed=False)

    async def close(self) -> None:
        """Forget what was asked."""
        for journal in self._journals:
            await journal.close()

    @property
    def costs(self) -> list[Cost]:
        """What every model will be asked, in the order of asking; the stand-in is left out."""
        return [
            cost for cost in self._costs.values() if cost.exchanges and cost.backbone != "rules"
        ]


async def _asked(metric: Any, items: Items, context: Context) -> None:
    """Have a metric ask what it asks; what it finds does not matter."""
    method = method_of(metric)
    if method == "evaluate":
        async for _ in evaluate(metric, items, context):
            pass
    elif method == "score":
        await metric.score(items, context)
    else:
        place = Cell(plan="")
        await score_pairs(metric, {place: items}, (), context)


def estimate(experiment: Experiment) -> list[Cost]:
    """The cost of each model that an experiment names, the stand-in left out.

    Raises:
        UserError: if the experiment names something unknown, or nobody fills a role.
    """
    return asyncio.run(_estimate(experiment))


async def _estimate(experiment: Experiment) -> list[Cost]:
    assembly = assemble(experiment)
    assembly.check_roles()
    trial = CountingTrial(assembly)
    try:
        made: dict[str, dict[Cell, Items]] = {}
        for name, stage in assembly.stages.items():
            given = {
                cell: items
                for other in assembly.given(stage)
                for cell, items in made[other].items()
            }
            made[name] = trial.items = {}
            await _tried(stage, assembly.cells[name], given, trial)
            await trial.score(stage, [cell for cell in assembly.cells[name] if cell in trial.items])
    finally:
        await trial.close()
    return trial.costs


async def _tried(
    stage: Stage, cells: Sequence[Cell], given: Mapping[Cell, Items], trial: CountingTrial
) -> None:
    """Have a stage say what it asks; a foreign one that breaks says so.

    Raises:
        UserError: if it breaks.
    """
    broken = await guarded(stage.plan(cells, given, trial), stage.card.name, "plan")
    if isinstance(broken, Failure):
        raise UserError(f"the stage {stage.card.name!r} cannot be planned: {broken.reason}")
