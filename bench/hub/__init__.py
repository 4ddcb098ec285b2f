"""What Hugging Face users call: our metrics as `evaluate` metrics (extra `hf`)."""

import asyncio
import json
import tempfile
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from bench.api.adapters import make_metric
from bench.api.choice import Choice
from bench.api.context import Unwatched
from bench.api.score import ALL, Score
from bench.core.errors import UserError
from bench.experiments.engine import execute
from bench.experiments.experiment import experiment_from
from bench.records.record import PatientRecord
from bench.records.record_files import checked_as, json_line, without_none, write_records
from bench.report.results import Results
from bench.runs.folder import RunFolder
from bench.runs.settings import Settings

try:
    import datasets
    import evaluate
except ImportError as error:
    raise UserError(
        "evaluate metrics need the extra: pip install 'patient-zero-bench[hf]'"
    ) from error

_INPUTS = """
    predictions: records, each as JSON text, as a mapping (a dataset's row), or a PatientRecord.
Returns: value, interval and number of each score by name, and the signature.
"""


class PatientMetric(evaluate.Metric):  # type: ignore[misc]
    """A metric over patient records: `predictions` are the records, there are no references."""

    def __init__(
        self,
        name: str,
        *,
        options: Mapping[str, Any] | None = None,
        roles: Mapping[str, str] | None = None,
        encoder: str | None = None,
        kb: Sequence[str | Path] = (),
        journal: str | Path | None = None,
        at_once: int = 32,
        **settings: Any,
    ) -> None:
        """A metric, ours or a plug-in's.

        Args:
            name: as `pzbench list metrics` shows it.
            options: the metric's own, for instance {"view": "values"}.
            roles: who answers, for instance {"judge": "openai/gpt-4o-2024-08-06"}.
            encoder, kb, journal, at_once: as in `pzbench score`.
            settings: `evaluate`'s own, for instance `cache_dir`.

        Raises:
            UserError: if there is no such metric or option.
        """
        choice = Choice(name=name, options=dict(options or {}))
        self._metric = make_metric(choice)
        self._experiment: dict[str, Any] = {
            "name": name,
            "roles": dict(roles or {}),
            "metrics": [choice.model_dump()],
            "tables": [],
            "encoder": encoder,
            "knowledge": [str(folder) for folder in kb],
        }
        self._settings = Settings(journal=Path(journal) if journal else None, at_once=at_once)
        super().__init__(name, **settings)
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
        records = list(checked_as(PatientRecord, rows, "predictions"))
        with tempfile.TemporaryDirectory(prefix="pzbench-") as folder:
            file = Path(folder) / "predictions.jsonl"
            write_records(file, records)
            experiment = experiment_from({**self._experiment, "read": {"file": str(file)}})
            run = RunFolder(Path(folder) / "run")
            results = _wait(execute(experiment, run, self._settings, Unwatched()))
        return _flat([one.score for one in results.scores if one.score.by == ALL])


evaluate_metric = PatientMetric
"""A metric by its name: `evaluate_metric("bleu")`."""


def _as_json(given: Any) -> Any:
    if isinstance(given, PatientRecord):
        return json_line(given)
    return json.dumps(without_none(dict(given))) if isinstance(given, Mapping) else given


def _parsed(text: str) -> object:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"predictions: a record is not JSON ({error})") from error


def _wait(work: Coroutine[Any, Any, Results]) -> Results:
    """The results of a run, also where an event loop runs already, as in a notebook."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


def _flat(scores: Sequence[Score]) -> dict[str, Any]:
    """Scores as `evaluate` gives results: one flat mapping."""
    flat: dict[str, Any] = {}
    for score in scores:
        name = f"{score.metric}/{score.part}" if score.part else score.metric
        interval = score.interval
        flat[name] = score.value
        flat[f"{name}_ci_low"] = interval.low if interval else None
        flat[f"{name}_ci_high"] = interval.high if interval else None
    first = scores[0]
    return flat | {
        "n": first.n,
        "n_missing": first.n_missing,
        "signature": first.signature,
        "notes": list(first.notes),
    }
