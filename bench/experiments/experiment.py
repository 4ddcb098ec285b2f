"""Experiment files: a sequence of stages, with whom, and what to score.

The file has one section for each stage used, called like the stage; its settings are the stage's.
Nothing here names one.
"""

from collections.abc import Mapping
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any

from pydantic import (
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
    create_model,
    model_validator,
)

from bench.api.adapters import load_stage
from bench.api.choice import Choices, as_list, refuse_twice
from bench.api.stage import FREE, GROWS
from bench.core.errors import UserError
from bench.core.registry import STAGES, nearest
from bench.core.schema import AnyPath, Model, faults
from bench.core.yaml_lines import Location, read_yaml
from bench.knowledge.library import Library


class Experiment(Model):
    """One experiment: stages over the same departments, who answers, and what is scored."""

    name: str = Field(min_length=1)
    """What it is called in tables."""
    seed: int = 0
    """Seed of the planned cases and all that is drawn for them."""
    departments: Annotated[tuple[str, ...], GROWS] = Field(default=("all",), min_length=1)
    """Departments, or ["all"]."""
    roles: dict[str, Annotated[Choices, Field(min_length=1)]] = {}
    """Who answers: one backbone or several for each role. Any name is a role that some stage or
    metric asks; several backbones are a factor."""
    metrics: Annotated[Choices, GROWS] = ()
    """Metrics, in the order of the tables' columns."""
    tables: Annotated[tuple[str, ...], FREE] = ("rows",)
    """Tables to make."""
    encoder: str | None = None
    """Path or hub id of the text encoder; none for the packaged all-MiniLM-L6-v2."""
    knowledge: Annotated[tuple[AnyPath, ...], BeforeValidator(as_list), FREE] = ()
    """Folders of outlines that extend the built-in ones, or replace those of the same id."""
    drafts: Annotated[bool, FREE] = False
    """Whether outlines that nobody has approved yet may be used."""

    @model_validator(mode="after")
    def _told_apart(self) -> "Experiment":
        mend = "; tell them apart with `as:`"
        refuse_twice("metrics", [choice.label for choice in self.metrics], mend)
        for role, choices in self.roles.items():
            refuse_twice(f"roles.{role}", [choice.label for choice in choices], mend)
        refuse_twice("departments", list(self.departments))
        refuse_twice("tables", list(self.tables))
        return self

    @property
    def sections(self) -> dict[str, BaseModel]:
        """The settings of each stage used, in order, by its name."""
        names = [name for name in type(self).model_fields if name not in Experiment.model_fields]
        given = {name: getattr(self, name) for name in names}
        return {name: settings for name, settings in given.items() if settings is not None}

    def departments_of(self, known: tuple[str, ...]) -> tuple[str, ...]:
        """The departments it names, out of those there are."""
        return known if self.departments == ("all",) else self.departments

    def library(self) -> Library:
        """The disease knowledge it names."""
        return Library(*self.knowledge, drafts=self.drafts)

    @property
    def offline(self) -> bool:
        """Whether nobody but the embedded stand-in is asked."""
        chosen = (choice for choices in self.roles.values() for choice in choices)
        return all(choice.name == "rules" for choice in chosen)

    def as_data(self) -> dict[str, Any]:
        """The experiment as a file holds it, all defaults written out."""
        return self.model_dump(mode="json", exclude_none=True)


@lru_cache(maxsize=64)
def _with_sections(names: tuple[str, ...]) -> type[Experiment]:
    """The model of experiments that use some stages; the others are not imported."""
    fields: dict[str, Any] = {name: (load_stage(name).settings | None, None) for name in names}
    return create_model("Experiment", __base__=Experiment, **fields)


def _model_of(data: Any) -> type[Experiment]:
    known = {plugin.name for plugin in STAGES.plugins()} - set(Experiment.model_fields)
    used = data if isinstance(data, Mapping) else {}
    return _with_sections(tuple(name for name in used if name in known))


def experiment_from(data: Mapping[str, Any]) -> Experiment:
    """The experiment in parsed data.

    Raises:
        UserError: naming the setting at fault.
    """
    try:
        return _model_of(data).model_validate(data)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, fault["loc"]))
        said = _sentence(error) or f"{where}: {_fault(fault['loc'], fault['msg'], data)}"
        known = bool(fault["loc"]) or _sentence(error) is not None
        raise UserError(said if known else faults(error, most=1)) from error


def load_experiment(path: Path) -> Experiment:
    """The experiment in a YAML file.

    Raises:
        UserError: naming the file and the line at fault.
    """
    file = read_yaml(path, "the experiment file")
    try:
        return _model_of(file.data).model_validate(file.data)
    except ValidationError as error:
        listed = error.errors(include_url=False, include_input=False)
        # A misspelt setting is told before the one that is missing for it.
        first = min(listed, key=lambda fault: fault["type"] != "extra_forbidden")
        sentence = _sentence(error)
        if first is listed[0] and sentence:
            raise UserError(f"{path}, line {file.line(first['loc'])}: {sentence}") from error
        fault = _fault(first["loc"], first["msg"], file.data)
        raise UserError(f"{file.place(first['loc'])}: {fault}") from error


def _sentence(error: ValidationError) -> str | None:
    """What we say ourselves of settings that do not go together; it names them."""
    said = error.errors(include_url=False, include_input=False)[0]["msg"]
    _, ours, sentence = said.partition("Value error, ")
    return sentence if ours else None


def _fault(location: Location, message: str, data: Any) -> str:
    """A validation fault; a misspelt setting with the nearest there is, or where it belongs."""
    if not message.startswith("Extra inputs"):
        return message.removeprefix("Value error, ")
    name = str(location[-1])
    stages = [plugin.name for plugin in STAGES.plugins()]
    if len(location) == 1:
        for stage in stages:
            if name in load_stage(stage).settings.model_fields:
                return f"there is no such setting here; it belongs under `{stage}:`"
        if isinstance(data, Mapping) and isinstance(data.get(name), Mapping):
            return f"no stage {name!r} is installed{nearest(name, stages)}"
        known = [*Experiment.model_fields, *stages]
    else:
        section = str(location[0])
        known = list(load_stage(section).settings.model_fields) if section in stages else []
    near = get_close_matches(name, known, n=1)
    return "there is no such setting" + (f"; did you mean {near[0]!r}?" if near else "")
