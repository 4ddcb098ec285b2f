"""What a resumed run may change of its experiment: what its journal answers for, it may not.

Each setting says so itself, by an annotation: `FREE` ones change no answer, those that `GROWS` may
grow, the others stay as they are. What left nothing in the run folder binds nobody: a judge that
never answered can be put right.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from bench.api.adapters import load_stage
from bench.api.cell import safe_name
from bench.api.choice import Choice
from bench.api.stage import FREE, GROWS
from bench.core.errors import UserError
from bench.experiments.assembly import pointed
from bench.experiments.experiment import Experiment
from bench.runs.folder import RunFolder
from bench.runs.roles import FACTORS, without_transport
from bench.scoring.evaluations import EvaluationFile

Change = tuple[str, str, str]
"""A setting, what it was, what it is."""


def settled(experiment: Experiment) -> dict[str, Any]:
    """An experiment as data, without what changes no answer.

    Raises:
        UserError: for an unknown kind of backbone.
    """
    roles = {
        role: tuple(map(without_transport, choices)) for role, choices in experiment.roles.items()
    }
    return _without_free(experiment.model_copy(update={"roles": roles}))


def _without_free(model: BaseModel) -> dict[str, Any]:
    kept = {}
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if FREE in field.metadata or value is None:
            continue
        if isinstance(value, BaseModel):
            kept[name] = _without_free(value)
        else:
            kept[name] = model.model_dump(mode="json", include={name})[name]
    return kept


def digest_of(experiment: Experiment) -> str:
    """Hash of everything in an experiment that may change an answer."""
    return hashlib.sha256(json.dumps(settled(experiment), sort_keys=True).encode()).hexdigest()


def begun(experiment: Experiment, folder: RunFolder, asked: bool) -> Experiment:
    """What of an experiment has left something behind: stages, metrics, judges.

    `asked` says that the run's journal holds answers: the first stage has begun, then.
    """
    files = {
        "items": list((folder.path / "items").rglob("*.jsonl")),
        "evaluations": [
            path for path in (folder.path / "evaluations").rglob("*.jsonl") if _has_values(path)
        ],
    }
    places = {
        kind: {part for path in paths for part in path.relative_to(folder.path / kind).parts}
        for kind, paths in files.items()
    }
    labels = places["evaluations"] | {path.stem for path in files["evaluations"]}
    sections: dict[str, BaseModel | None] = {
        name: settings
        if safe_name(name) in places["items"] or (asked and load_stage(name).card.takes is None)
        else None
        for name, settings in experiment.sections.items()
    }
    makers = _makers({name: settings for name, settings in sections.items() if settings})
    roles = {
        role: tuple(one for one in choices if role in makers or safe_name(one.label) in labels)
        for role, choices in experiment.roles.items()
    }
    metrics = tuple(one for one in experiment.metrics if safe_name(one.label) in labels)
    kept = {role: choices for role, choices in roles.items() if choices}
    return experiment.model_copy(update={**sections, "roles": kept, "metrics": metrics})


def _has_values(path: Path) -> bool:
    """Whether a metric found anything; a file that cannot be read may hold something."""
    try:
        return any(any(found.values.values()) for found in EvaluationFile(path))
    except UserError:
        return path.is_file()


def _makers(sections: Mapping[str, BaseModel]) -> set[str]:
    """The roles that some stages ask."""
    return {
        pointed(settings, role)
        for name, settings in sections.items()
        for role in load_stage(name).card.roles
    }


def refuse_changes(old: Experiment, new: Experiment, folder: Path) -> None:
    """Let a run be extended but not changed; `old` is what has begun.

    Raises:
        UserError: naming the first setting that differs.
    """
    for setting, was, now in (*_changes(old, new, ""), *_changed_roles(old, new)):
        raise UserError(
            f"{folder} holds another experiment: {setting} is {was} there and {now} now; "
            "name another run folder, or set it back"
        )


def _changes(old: BaseModel, new: BaseModel, path: str) -> Iterator[Change]:
    fields = {**type(new).model_fields, **type(old).model_fields}
    for name, field in fields.items():
        was, now = getattr(old, name, None), getattr(new, name, None)
        if was == now or FREE in field.metadata or (not path and name == "roles"):
            continue
        if isinstance(was, BaseModel) and isinstance(now, BaseModel):
            yield from _changes(was, now, f"{path}{name}.")
        elif not _grew(was, now, GROWS in field.metadata or _is_section(was, now)):
            yield f"{path}{name}", _words(was), _words(now)


def _is_section(was: Any, now: Any) -> bool:
    """Whether a stage was added, which extends a run."""
    return was is None and isinstance(now, BaseModel)


def _grew(was: Any, now: Any, may: bool) -> bool:
    if not may:
        return False
    if was is None:
        return True
    if isinstance(was, int | float) and isinstance(now, int | float):
        return now >= was
    if not (isinstance(was, list | tuple) and isinstance(now, list | tuple)):
        return False
    if now == ("all",):
        return True
    if any(isinstance(item, Choice) for item in (*was, *now)):
        kept = {choice.label: choice for choice in now}
        return all(kept.get(choice.label) == choice for choice in was)
    return set(was) <= set(now)


def _changed_roles(old: Experiment, new: Experiment) -> Iterator[Change]:
    """Backbones may be added where each has cells of its own; who made items may not change."""
    # A role whose backbones are a factor in any case has cells of its own for each.
    makers = _makers(old.sections) - set(FACTORS)
    for role in dict.fromkeys((*old.roles, *new.roles)):
        was, now = (tuple(map(without_transport, each.roles.get(role, ()))) for each in (old, new))
        # A patient that was not named was the generator's backbone: somebody answered.
        fixed = role in makers
        if was != now and (fixed or not _grew(was, now, may=True)):
            yield f"roles.{role}", _words(was or None), _words(now or None)


def _words(value: Any) -> str:
    if value is None:
        return "absent"
    if isinstance(value, BaseModel):
        return "there"
    if isinstance(value, str) and len(value) == len(hashlib.sha256().hexdigest()):
        return f"other content ({value[:12]})"
    if isinstance(value, list | tuple):
        return ", ".join(map(_word, value)) or "none"
    return repr(value)


def _word(item: Any) -> str:
    """One of a list; a plug-in with all that tells it apart."""
    if not isinstance(item, Choice):
        return str(getattr(item, "name", item))
    told = {**item.options, **item.roles}
    if item.label != item.name:
        told["as"] = item.label
    options = ", ".join(f"{name}={value!r}" for name, value in told.items())
    return f"{item.name}({options})" if options else item.name
