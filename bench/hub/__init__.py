"""What Hugging Face users call: our metrics as `evaluate` metrics (extra `hf`)."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.errors import UserError

if TYPE_CHECKING:
    from bench.hub.as_evaluate import PatientMetric

SCRIPT = str(Path(__file__).with_name("as_evaluate.py"))
"""For `evaluate.load(SCRIPT, "bleu")`, which gives what `evaluate_metric("bleu")` gives."""


def evaluate_metric(
    name: str,
    *,
    options: Mapping[str, Any] | None = None,
    roles: Mapping[str, str] | None = None,
    **settings: Any,
) -> "PatientMetric":
    """A metric, ours or a plug-in's, as an `evaluate.Metric`.

    Args:
        name: as `pzbench list metrics` shows it.
        options: the metric's own, for instance {"view": "values"}.
        roles: who answers, for instance {"judge": "openai/gpt-4o-2024-08-06"}.
        settings: `encoder`, `journal` and `at_once` as in `pzbench score`; any other is
            `evaluate`'s own, for instance `cache_dir`.

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

    return PatientMetric(name, options=options, roles=roles, **settings)
