"""Reading a run: one item in every cell, what each metric found for it, what failed, what lacks.

Nothing is written and nobody is asked. A finished run is read by its manifest and its results; of
one that is not finished, the experiment says what there should be.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from bench.api.adapters import load_stage
from bench.api.cell import Cell
from bench.api.evaluation import Evaluation
from bench.api.failure import Failure
from bench.api.item import PlainItem
from bench.api.stage import Scope, Stage
from bench.core.errors import UserError
from bench.core.registry import nearest
from bench.core.schema import Model
from bench.experiments.assembly import Assembly, assemble
from bench.experiments.changes import digest_of
from bench.experiments.experiment import experiment_from
from bench.knowledge.library import Library
from bench.records.dialogue import Dialogue
from bench.records.record import PatientRecord
from bench.records.record_files import checked_as
from bench.report.results import Results, read_results
from bench.runs.folder import RunFolder

MOST_LISTED = 20
"""Ids that a sentence may list."""
MODELS: Mapping[str, type[BaseModel]] = {"records": PatientRecord, "dialogues": Dialogue}
"""Models of items by kind, where the stage does not say."""
Where = Mapping[str, str]
"""Values of factors, "stage" and "metric" among them, that narrow what is read."""


@dataclass(frozen=True)
class ItemPlace:
    """The items of one cell of a stage."""

    stage: str
    makes: str
    """The kind of the items."""
    cell: Cell
    path: Path
    """Their file; it may not be there yet."""

    @property
    def factors(self) -> Where:
        """The cell's factors, and the stage."""
        return {"stage": self.stage, **self.cell}


class ItemEvaluation(Evaluation):
    """What one metric found for an item, or why it found nothing."""

    metric: str
    cell: dict[str, str]
    """The item's cell with those who were asked, for instance the judge."""
    lacking: str = ""
    """Why there is no evaluation; empty where there is one."""


class ItemView(Model):
    """An item in one cell."""

    stage: str
    cell: dict[str, str]
    item: dict[str, Any] | None
    """The item as it is kept; none where it could not be made."""
    text: str
    """The item in words; empty where there is none."""
    evaluations: tuple[ItemEvaluation, ...]
    failures: tuple[Failure, ...]
    """Those that are in no evaluation."""


class ItemReport(Model):
    """All that a run holds of one item."""

    id: str
    plan: dict[str, Any]
    """What was planned under the id; empty where nothing was."""
    items: tuple[ItemView, ...]
    remarks: tuple[str, ...]
    """What is missing, in sentences."""

    @property
    def keys(self) -> tuple[str, ...]:
        """The journal keys of the item, of its evaluations and failures; each once."""
        return tuple(dict.fromkeys(_keys(self.model_dump(mode="json")["items"])))


class RunReader:
    """Reads what a run holds."""

    def __init__(self, folder: RunFolder) -> None:
        """Read its experiment, and its manifest if it has one.

        Raises:
            UserError: if the folder holds no run, or one that cannot be read.
        """
        self.folder = folder
        data = folder.experiment()
        self.manifest = folder.manifest() if folder.finished or data is None else {}
        if data is None:
            raise folder.no_experiment()
        self.experiment = experiment_from(data)

    @cached_property
    def unfinished(self) -> str:
        """What is to be said of a run that is not finished; empty of one that is."""
        path = self.folder.path
        if not self.manifest:
            return f"the run in {path} is not finished: `pzbench run {path}` goes on"
        if self.manifest.get("experiment") != digest_of(self.experiment):
            return (
                f"the run in {path} was extended and is not finished: its tables are of before; "
                f"`pzbench run {path}` goes on"
            )
        return ""

    @cached_property
    def results(self) -> Results:
        """The results, as the run's end left them.

        Raises:
            UserError: if there are none, or they cannot be read.
        """
        if not self.manifest:
            raise UserError(self.unfinished)
        results = tuple(read_results(self.folder.results))
        return Results(self.experiment.name, results, self.manifest)

    @cached_property
    def failures(self) -> tuple[Failure, ...]:
        """Every failure of the last execution that came to its end."""
        return tuple(self.folder.failures())

    @cached_property
    def _assembly(self) -> Assembly:
        return assemble(self.experiment)

    @cached_property
    def _stages(self) -> tuple[Mapping[str, Stage], str]:
        """The stages as the run had them; or none, and why they cannot be made any more."""
        try:
            return self._assembly.stages, ""
        except UserError as error:
            return {}, f"what the run began with is missing, so items are as kept: {error}"

    @cached_property
    def places(self) -> Sequence[ItemPlace]:
        """Every cell of every stage, in the experiment's order."""
        if self.unfinished:
            kinds = {name: stage.card.makes for name, stage in self._assembly.stages.items()}
            cells = self._assembly.cells
        else:
            stages = self.manifest["stages"]
            kinds = {name: stage["makes"] for name, stage in stages.items()}
            cells = {
                name: [Cell(cell["factors"]) for cell in stage["cells"]]
                for name, stage in stages.items()
            }
        return [
            ItemPlace(name, kind, cell, self.folder.items(name, cell))
            for name, kind in kinds.items()
            for cell in cells[name]
        ]

    @cached_property
    def _evaluated(self) -> Sequence[tuple[str, str, Cell]]:
        """Stage, metric and cell of all evaluations that there should be."""
        if self._stages[1]:  # what the run held is all there is to go by
            scores = self.results.scores
            return list(dict.fromkeys((one.stage, one.score.metric, one.cell) for one in scores))
        assembly = self._assembly
        return [
            (name, metric.card.name, own)
            for name, stage in assembly.stages.items()
            for cell in assembly.cells[name]
            for metric, own, _ in assembly.judgements(stage, cell)
        ]

    def narrowed(self, where: Where) -> list[ItemPlace]:
        """The cells that have some factors; those of evaluations alone tell no cells apart.

        Raises:
            UserError: for a factor or a value that the run does not have, with the nearest.
        """
        values: dict[str, dict[str, None]] = {}
        evaluated = ({"metric": metric, **cell} for _, metric, cell in self._evaluated)
        for factors in (*(place.factors for place in self.places), *evaluated):
            for factor, value in factors.items():
                values.setdefault(factor, {})[value] = None
        for factor, value in where.items():
            if factor not in values:
                raise UserError(
                    f"{self.folder.path} has no factor {factor!r}{nearest(factor, values)}"
                )
            if value not in values[factor]:
                near = nearest(value, list(values[factor]))
                raise UserError(f"{self.folder.path} holds no {factor} {value!r}{near}")
        own = where.keys() & {factor for place in self.places for factor in place.factors}
        sought = {(factor, where[factor]) for factor in own}
        return [place for place in self.places if sought <= place.factors.items()]

    def failure_groups(self, where: Where) -> list[list[Failure]]:
        """The failures in cells that have some factors, alike but for the item; the most first.

        Raises:
            UserError: as `narrowed`.
        """
        self.narrowed(where)
        alike: dict[str, list[Failure]] = {}
        for failure in self.failures:
            factors = {"stage": failure.stage, "metric": failure.metric, **failure.cell}
            if where.items() <= factors.items():
                why = failure.model_dump_json(exclude={"item", "keys"})
                alike.setdefault(why, []).append(failure)
        return sorted(alike.values(), key=len, reverse=True)

    def item(self, identity: str, where: Where | None = None, form: str = "text") -> ItemReport:
        """All of one item, by its id or the beginning of it that only one has.

        Raises:
            UserError: if there is no such item or several, or for factors that there are not.
        """
        where = where or {}
        places = self.narrowed(where)
        identity = self._resolved(identity, places)
        planner, plan = self._plan(identity)
        views = [
            view
            for place in places
            if (view := self._view(identity, place, where, form, place.stage == planner))
        ]
        remarks = [
            self.unfinished,
            self._stages[1],
            *(
                f"{place.stage}, {place.cell}: nothing is made yet; {place.path} is missing"
                for place in places
                if not place.path.exists()
            ),
            "" if views else "the item is planned, and no cell holds it",
        ]
        said = tuple(filter(None, remarks))
        return ItemReport(id=identity, plan=plan, items=tuple(views), remarks=said)

    @property
    def missing(self) -> list[Path]:
        """Files that the run should hold and does not: of items, and the journal."""
        journal = self.folder.kept_journal
        return [*self._missing(self.places), *([] if journal.exists() else [journal])]

    @staticmethod
    def _missing(places: Iterable[ItemPlace]) -> list[Path]:
        return [place.path for place in places if not place.path.exists()]

    def _resolved(self, identity: str, places: Sequence[ItemPlace]) -> str:
        """The whole id of a shortened one."""
        kept = [_id(row) for place in places for row in _rows(place.path, identity)]
        lost = [failure.item for failure in self.failures if not failure.metric]
        ids = sorted({whole for whole in (*kept, *lost) if whole.startswith(identity)})
        if identity in ids or self._plan(identity)[1]:
            return identity
        if not ids and (gone := self._missing(places)):
            raise UserError(
                f"{self.folder.path} holds no item {identity!r}, but is not whole: {gone[0]}"
                f"{f' and {len(gone) - 1} more' if len(gone) > 1 else ''} missing; "
                f"`pzbench run {self.folder.path}` makes what lacks"
            )
        if not ids:
            known = [_id(row) for place in places for row in _rows(place.path, "")]
            raise unknown(self.folder.path, "item", identity, known)
        if len(ids) > 1:
            listed = ", ".join(ids[:MOST_LISTED])
            more = f" and {len(ids) - MOST_LISTED} more" if len(ids) > MOST_LISTED else ""
            raise UserError(
                f"{self.folder.path} holds {len(ids)} items that begin with {identity!r}: "
                f"{listed}{more}"
            )
        return ids[0]

    def _plan(self, identity: str) -> tuple[str, dict[str, Any]]:
        """The stage that planned an id, and its plan; both empty where none did."""
        plans = ((name, stage.plan_of(identity)) for name, stage in self._stages[0].items())
        return next(((name, dict(plan)) for name, plan in plans if plan), ("", {}))

    def _view(
        self, identity: str, place: ItemPlace, where: Where, form: str, planned: bool
    ) -> ItemView | None:
        """The item in one cell; none where it is not there, and did not fail."""
        rows = _rows(place.path, identity)
        data = next((row for row in rows if _id(row) == identity), None)
        evaluations = [] if data is None else list(self._evaluations(identity, place, where))
        explained = [(one.metric, Cell(one.cell)) for one in evaluations if not one.lacking]
        failures = [
            failure
            for failure in self.failures
            if failure.stage == place.stage
            and place.cell.within(failure.cell)
            and (failure.metric, Cell(failure.cell)) not in explained
            and (
                f"{failure.item}/".startswith(f"{identity}/")
                or (failure.item == "*" and planned and data is None)
            )
        ]
        narrowed_away = not evaluations and where.keys() - place.factors.keys()
        if narrowed_away or (data is None and not failures):
            return None
        return ItemView(
            stage=place.stage,
            cell=dict(place.cell),
            item=data,
            text="" if data is None else self._text(data, place, form),
            evaluations=tuple(evaluations),
            failures=tuple(failures),
        )

    def _text(self, data: Mapping[str, Any], place: ItemPlace, form: str) -> str:
        """An item in words."""
        plain = Stage(None, Scope(self.experiment.seed, (), Library(), {}))
        model = load_stage(place.stage).item
        if model is PlainItem:
            model = MODELS.get(place.makes, PlainItem)
        (item,) = checked_as(model, [(f"the item {_id(data)!r}", data)], str(place.path))
        return self._stages[0].get(place.stage, plain).describe(item, form)

    def _evaluations(
        self, identity: str, place: ItemPlace, where: Where
    ) -> Iterator[ItemEvaluation]:
        """What every metric found for the item."""
        for stage, metric, cell in self._evaluated:
            factors = {"stage": stage, "metric": metric, **cell}
            if place.factors.items() | where.items() <= factors.items():
                yield self._evaluation(identity, metric, place.cell.and_(cell))

    def _evaluation(self, identity: str, metric: str, cell: Cell) -> ItemEvaluation:
        path = self.folder.evaluations(metric, cell)
        whose: dict[str, Any] = {"metric": metric, "cell": dict(cell)}
        row = next((row for row in _rows(path, identity) if row.get("item") == identity), None)
        if row is not None:
            try:
                return ItemEvaluation.model_validate({**row, **whose})
            except ValidationError as error:
                why = f"{path} cannot be read: {error.errors()[0]['msg']}"
        elif path.exists():
            why = "it gave this item no value"
        else:
            score = None if self.unfinished else self.results.find(metric, **cell)
            notes = "; ".join(score.score.notes) if score else ""
            why = f"there is no evaluation: {self.unfinished or notes or f'{path} is missing'}"
        return ItemEvaluation(**whose, lacking=why)


def unknown(where: Path, noun: str, identity: str, known: Iterable[str]) -> UserError:
    """The sentence for an id that is not there, with the nearest or, of a few, all there are."""
    ids = sorted(set(known))
    if len(ids) > MOST_LISTED and not get_close_matches(identity, ids, n=1, cutoff=0.5):
        return UserError(f"{where} holds no {noun} {identity!r}, but {len(ids)} others")
    return UserError(f"{where} holds no {noun} {identity!r}{nearest(identity, ids)}")


def _rows(path: Path, text: str) -> Iterator[dict[str, Any]]:
    """The objects of the lines that hold a text; a whole file is searched without parsing it."""
    if not path.exists():
        return
    sought = json.dumps(text, ensure_ascii=False)[1:-1].encode(errors="surrogateescape")
    try:
        with path.open("rb") as file:
            for line in file:
                if sought in line and isinstance(row := json.loads(line), dict):
                    yield row
    except (OSError, ValueError) as error:
        raise UserError(
            f"{path} cannot be read ({error}): the same command as before writes it anew"
        ) from error


def _id(row: Mapping[str, Any]) -> str:
    return str(row.get("id", ""))


def _keys(data: Any) -> Iterator[str]:
    """What stands under "keys", however deep: a dialogue has some with every reply."""
    if isinstance(data, dict):
        yield from data.get("keys") or ()
    if isinstance(data, dict | list):
        for value in data.values() if isinstance(data, dict) else data:
            yield from _keys(value)
