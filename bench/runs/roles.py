"""Backbones by name, and the roles of a run."""

from typing import cast

from bench.api.failure import guarded
from bench.backbones.prompt import Backbone
from bench.backbones.respondent import Respondent
from bench.core.errors import UserError
from bench.core.registry import BACKBONES
from bench.experiments.experiment import Choice, Experiment
from bench.journal.journal import Journal
from bench.knowledge.library import Library


def make_backbone(choice: Choice, outlines: Library) -> Backbone:
    """The backbone of a full name: "openai/gpt-4o" is `openai` made with "gpt-4o".

    One that answers from the disease knowledge, and so has a method `knowing`, is given it.

    Raises:
        UserError: for an unknown kind of backbone, or options it does not have.
    """
    kind, _, model = choice.name.partition("/")
    backbone: Backbone = BACKBONES.make(kind, choice.options, model)
    missing = [name for name in ("name", "version") if not hasattr(backbone, name)]
    if missing:
        raise UserError(f"the backbone {kind!r} lacks {' and '.join(missing)}")
    knowing = getattr(backbone, "knowing", None)
    return backbone if knowing is None else cast(Backbone, knowing(outlines))


def settled(experiment: Experiment) -> Experiment:
    """An experiment without what changes no answer: where backbones, outlines, questions lie.

    Raises:
        UserError: for an unknown kind of backbone.
    """
    roles, exam = experiment.roles, experiment.medqa
    return experiment.model_copy(
        update={
            "knowledge": (),
            "medqa": exam and exam.model_copy(update={"questions": None, "labels": None}),
            "roles": roles.model_copy(
                update={
                    "generator": tuple(_settled(choice) for choice in roles.generator),
                    **{role: _settled(choice) for role, choice in roles.named().items()},
                }
            ),
        }
    )


def _settled(choice: Choice) -> Choice:
    transport = getattr(BACKBONES.load(choice.name.partition("/")[0]), "transport", ())
    options = {name: value for name, value in choice.options.items() if name not in transport}
    return choice.model_copy(update={"options": options})


class Team:
    """The respondents of a run; one backbone object for each different choice."""

    def __init__(
        self, journal: Journal, outlines: Library, *, at_once: int, retry_failed: bool = False
    ) -> None:
        """Nobody is engaged yet."""
        self._outlines = outlines
        self._journal = journal
        self._at_once = at_once
        self._retry_failed = retry_failed
        self._backbones: dict[str, Backbone] = {}
        self.engaged: list[tuple[str, Respondent]] = []
        """Everybody engaged, with the label of the choice."""

    def engage(self, role: str, choice: Choice) -> Respondent:
        """Somebody for a role.

        Raises:
            UserError: if the backbone cannot be made.
        """
        known = choice.model_dump_json(exclude={"label"})
        if known not in self._backbones:
            self._backbones[known] = make_backbone(choice, self._outlines)
        respondent = Respondent(
            role,
            self._backbones[known],
            self._journal,
            at_once=self._at_once,
            retry_failed=self._retry_failed,
            label=choice.label if choice.label != choice.name else None,
        )
        self.engaged.append((choice.label, respondent))
        return respondent

    async def close(self) -> None:
        """Release all backbones; the fault of one in closing changes no result."""
        for backbone in self._backbones.values():
            await guarded(backbone.close(), backbone.name, "close")
