"""Backbones by name, and who fills the roles of a run."""

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from itertools import product
from typing import Any, cast

from pydantic import ValidationError

from bench.api.cell import Cell
from bench.api.choice import Choice
from bench.api.context import nobody
from bench.api.failure import guarded
from bench.backbones.drawing import Drawing
from bench.backbones.prompt import Backbone
from bench.backbones.respondent import Limit, Respondent
from bench.core.errors import UserError
from bench.core.registry import BACKBONES, nearest
from bench.journal.journal import Journal
from bench.knowledge.library import Library
from bench.runs.settings import Settings

NOBODY = "none"
"""The backbone of what asks no model."""
GENERATOR = "generator"
FACTORS = {GENERATOR: "backbone"}
"""The factor of a role where it is not called like the role."""
Named = Mapping[str, tuple[Choice, ...]]
"""The backbones named for each role."""


def make_backbone(choice: Choice, outlines: Library) -> Backbone:
    """The backbone of a full name: "openai/gpt-4o" is `openai` made with "gpt-4o".

    One that answers from the disease knowledge, and so has a method `knowing`, is given it.

    Raises:
        UserError: for an unknown kind of backbone, or options it does not have.
    """
    kind, _, model = choice.name.partition("/")
    known = [*BACKBONES.options(kind), *Drawing.model_fields]
    for option in choice.options:
        if option not in known:
            raise UserError(f"{choice.name} has no option {option!r}{nearest(option, known)}")
    backbone: Backbone = BACKBONES.make(kind, _split(choice)[0].options, model)
    missing = [name for name in ("name", "version") if not hasattr(backbone, name)]
    if missing:
        raise UserError(f"the backbone {kind!r} lacks {' and '.join(missing)}")
    knowing = getattr(backbone, "knowing", None)
    return backbone if knowing is None else cast(Backbone, knowing(outlines))


def make_drawing(choice: Choice) -> Drawing:
    """How the answers of a chosen backbone are to be drawn.

    Raises:
        UserError: for an option without sense, or of a backbone that draws nothing.
    """
    own = _split(choice)[1]
    kind = choice.name.partition("/")[0]
    if own and BACKBONES.load(kind).reads == "request":
        raise UserError(f"{choice.name} draws no answers: it has no option {next(iter(own))!r}")
    try:
        return Drawing.model_validate(own)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        option = str(fault["loc"][0])
        why = fault["msg"].removeprefix("Value error, ")
        raise UserError(f"{choice.name}: {option} is {own[option]!r}: {why}") from error


def _split(choice: Choice) -> tuple[Choice, dict[str, Any]]:
    """A backbone with its own options alone, and those of the draw, which all have."""
    own = dict(choice.options)
    taken = BACKBONES.options(choice.name.partition("/")[0])
    drawn = [name for name in Drawing.model_fields if name in own and name not in taken]
    drawing = {name: own.pop(name) for name in drawn}
    return choice.model_copy(update={"options": own}), drawing


def without_transport(choice: Choice) -> Choice:
    """A backbone without the options that change no answer, for instance its address.

    Raises:
        UserError: for an unknown kind of backbone.
    """
    transport = getattr(BACKBONES.load(choice.name.partition("/")[0]), "transport", ())
    options = {name: value for name, value in choice.options.items() if name not in transport}
    return choice.model_copy(update={"options": options})


def factor_of(role: str) -> str:
    """The factor that tells the backbones of a role apart."""
    return FACTORS.get(role, role)


def fill(role: str, cell: Cell, named: Named, stand_ins: Mapping[str, str | None]) -> Choice | None:
    """Who fills a role in a cell: who is named, or whoever fills the role that stands in.

    Of several that are named, the one that the cell's factor says; none if nobody fills it.
    """
    choices = named.get(role, ())
    if choices:
        label = cell.get(factor_of(role))
        if label is None and len(choices) == 1:
            return choices[0]
        return next((choice for choice in choices if choice.label == label), None)
    other = stand_ins.get(role)
    return fill(other, cell, named, stand_ins) if other else None


def spread(cells: Iterable[Cell], roles: Iterable[str], named: Named) -> Iterator[Cell]:
    """Each cell once for every choice of backbones in roles that several were named for."""
    several = {role: named[role] for role in roles if len(named.get(role, ())) > 1}
    for cell in cells:
        for choices in product(*several.values()):
            labels = (choice.label for choice in choices)
            yield cell.and_(dict(zip(map(factor_of, several), labels, strict=True)))


def unfilled(role: str, stand_ins: Mapping[str, str | None]) -> UserError:
    """The sentence for a role that nobody fills in a cell."""
    if stand_ins.get(role) is None:
        return nobody(role)
    return UserError(
        f"the items are made by no model, so nobody is named for the role {role!r}: "
        f"add --{role} BACKBONE, or `{role}:` under `roles` in the experiment file"
    )


class Team:
    """The respondents of a run; one backbone object, and one limit, for each different choice."""

    def __init__(self, journal: Journal, outlines: Library, settings: Settings) -> None:
        """Nobody is engaged yet."""
        self._outlines = outlines
        self._journal = journal
        self._settings = settings
        self._backbones: dict[str, tuple[Backbone, Limit]] = {}
        self._engaged: dict[tuple[str, str], tuple[str, Respondent]] = {}

    @property
    def engaged(self) -> list[tuple[str, Respondent]]:
        """Everybody engaged, with the label of the choice."""
        return list(self._engaged.values())

    def engage(self, role: str, choice: Choice, kind: type[Respondent] = Respondent) -> Respondent:
        """Somebody for a role; the same for the same choice.

        Raises:
            UserError: if the backbone cannot be made.
        """
        place = (role, choice.model_dump_json())
        if place in self._engaged:
            return self._engaged[place][1]
        known = _split(choice)[0].model_dump_json(exclude={"label", "roles"})
        if known not in self._backbones:
            backbone = make_backbone(choice, self._outlines)
            self._backbones[known] = backbone, Limit(self._settings.at_once)
        backbone, limit = self._backbones[known]
        respondent = kind(
            role,
            backbone,
            self._journal,
            limit=limit,
            retry_failed=self._settings.retry_failed,
            label=choice.label if choice.label != choice.name else None,
            drawing=make_drawing(choice),
            same_model=self._settings.same_model,
        )
        self._engaged[place] = choice.label, respondent
        return respondent

    @property
    def asked(self) -> bool:
        """Whether anybody was asked something that the journal did not hold."""
        return any(respondent.asked for _, respondent in self._engaged.values())

    async def close(self) -> None:
        """Release all backbones; the fault of one in closing changes no result."""
        for backbone, _ in self._backbones.values():
            await guarded(backbone.close(), backbone.name, "close")


@asynccontextmanager
async def engaged(role: str, choice: Choice, settings: Settings) -> AsyncIterator[Respondent]:
    """Somebody alone in a role, with a journal, until the block ends.

    Raises:
        UserError: if the backbone cannot be made, or the journal not be opened.
    """
    kept = Journal.open(settings.journal)
    team = Team(kept, Library(), settings)
    try:
        yield team.engage(role, choice)
    finally:
        await kept.close()
        await team.close()
