"""Any metric of ours as an `evaluate.Metric`; also the script for `evaluate.load`.

`evaluate.load` runs a copy of this file, so it keeps to absolute imports, one on a line, and
`PatientMetric` is its only evaluation module.
"""

import asyncio
import json
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import datasets
import evaluate

from bench.api.adapters import make_metric
from bench.api.metric import Items, Score
from bench.core.errors import UserError
from bench.experiments.experiment import Choice
from bench.knowledge.library import Library
from bench.records.record import PatientRecord
from bench.records.record_files import checked, json_line, without_none
from bench.runs.settings import Settings
from bench.scoring.scores import score_items

T = TypeVar("T")
_INPUTS = """
    predictions: records, each as JSON text, as a mapping (a dataset's row), or a PatientRecord.
Returns: value, interval and number of each score by name, and the signature.
"""


class PatientMetric(evaluate.Metric):  # type: ignore[misc]
    """A metric over patient records: `predictions` are the records, there are no references."""

    def __init__(
        self,
        config_name: str | None = None,
        *,
        options: Mapping[str, Any] | None = None,
        roles: Mapping[str, str] | None = None,
        encoder: str | None = None,
        kb: Sequence[str | Path] = (),
        journal: str | Path | None = None,
        at_once: int = 32,
        **settings: Any,
    ) -> None:
        """`config_name` names the metric, `kb` folders of outlines; `settings` are `evaluate`'s.

        Raises:
            UserError: if there is no such metric or option.
        """
        self._metric = make_metric(Choice(name=config_name or "", options=dict(options or {})))
        self._roles = {role: Choice(name=name) for role, name in (roles or {}).items()}
        self._settings: dict[str, Any] = {
            "encoder": encoder,
            "outlines": Library(*map(Path, kb)),
            "settings": Settings(journal=Path(journal) if journal else None, at_once=at_once),
        }
        super().__init__(config_name, **settings)
        # `evaluate.combine` tells modules apart by this name.
        self.info.module_name = self._metric.card.name

    def _info(self) -> Any:
        return evaluate.MetricInfo(
            description=self._metric.card.summary,
            citation="",
            inputs_description=_INPUTS,
            features=datasets.Features({"predictions": datasets.Value("string")}),
        )

    def add(self, *, prediction: Any = None, **others: Any) -> None:
        """Add one record."""
        super().add(prediction=_as_json(prediction), **others)

    def add_batch(self, *, predictions: Iterable[Any] | None = None, **others: Any) -> None:
        """Add some records."""
        super().add_batch(predictions=[_as_json(given) for given in predictions or ()], **others)

    def _compute(self, predictions: Sequence[str]) -> dict[str, Any]:
        """The scores.

        Raises:
            UserError: naming the record and field at fault, or what the metric lacks.
        """
        rows = ((f"record {number}", _parsed(text)) for number, text in enumerate(predictions, 1))
        items = Items(list(checked(rows, "predictions")))
        scores = _wait(score_items(items, [self._metric], self._roles, **self._settings))
        return _flat(scores)


def _as_json(given: Any) -> Any:
    if isinstance(given, PatientRecord):
        return json_line(given)
    return json.dumps(without_none(dict(given))) if isinstance(given, Mapping) else given


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"predictions: a record is not JSON ({error})") from error


def _wait(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, also where an event loop runs already, as in a notebook."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def _flat(scores: Sequence[Score]) -> dict[str, Any]:
    """Scores as `evaluate` gives results: one flat mapping."""
    found: dict[str, Any] = {}
    for score in scores:
        interval = score.interval
        found[score.metric] = score.value
        found[f"{score.metric}_ci_low"] = interval.low if interval else None
        found[f"{score.metric}_ci_high"] = interval.high if interval else None
    first = scores[0]
    return found | {
        "n": first.n,
        "n_missing": first.n_missing,
        "signature": first.signature,
        "notes": list(first.notes),
    }
