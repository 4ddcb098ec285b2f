"""What Hugging Face users call: our metrics as `evaluate` metrics (extra `hf`)."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.errors import UserError

if TYPE_CHECKING:
    from bench.hub.as_evaluate import PatientMetric

SCRIPT = str(Path(__file__).with_name("as_evaluate.py"))
"""For `evaluate.load(SCRIPT, "bleu")`, which gives what `evaluate_metric("bleu")` gives."""


def evaluate_metric(name: str, **settings: Any) -> "PatientMetric":
    """A metric, ours or a plug-in's, as an `evaluate.Metric`.

    Args:
        name: as `pzbench list metrics` shows it.
        settings: those of `bench.hub.as_evaluate.PatientMetric`.

    Raises:
        UserError: if the extra `hf` is missing, or there is no such metric or option.
    """
    try:
        import evaluate  # noqa: F401
    except ImportError as error:
        raise UserError(
            "evaluate metrics need the extra: pip install 'patient-zero-bench[hf]'"
        ) from error
    from bench.hub.as_evaluate import PatientMetric

    return PatientMetric(name, **settings)
