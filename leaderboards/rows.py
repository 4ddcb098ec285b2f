"""Leaderboard rows: one line for each system and metric, with all that is needed to check it."""

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from bench.report.tables import (
    SCORE_COLUMNS,
    Grid,
    Named,
    Result,
    Results,
    Value,
    csv_text,
    score_cells,
)
from leaderboards.cells import bound_cells, interval_cells

SCHEMA_VERSION = 1
COLUMNS: dict[str, str] = {
    "schema_version": "version of these columns",
    "experiment": "name of the experiment",
    "backbone": "backbone of the generator",
    "method": "generator",
    "options": "options of backbone, method and metric, as JSON; empty for the defaults",
    "label": "what the experiment calls backbone and method, where it gives them other names",
    "metric": "metric",
    "value": "its value; empty if it could not be scored",
    "unit": "unit of the value",
    "better": "higher or lower",
    "ci_low": "lower end of the 95 % interval",
    "ci_high": "upper end of the 95 % interval",
    "ci_method": "how the interval was made",
    "n": "records scored",
    "n_missing": "records planned and not scored",
    "bound_low": "value if every missing record were worst",
    "bound_high": "value if every missing record were best",
    "judge": "backbone of the judge, for judged metrics",
    "signature": "what pins the metric's meaning",
    "outlines": "hash of the disease knowledge",
    "experiment_hash": "hash of the experiment's settings",
    "prompts": "hash of all prompt templates",
    "pzbench": "version of the harness",
    "stand_in": "true if the embedded stand-in wrote or judged",
    "ranked": "false for a stand-in, which never ranks among models",
    "notes": "what a reader must know",
}
"""Column names and what they hold, in order."""


class Rows:
    """The rows of a run."""

    name: ClassVar[str] = "rows"
    preset: ClassVar[Path | None] = None

    def grids(self, results: Results) -> tuple[Grid, ...]:
        """Each system with its scores, one line a metric."""
        rows = tuple(
            (result.backbone.label, result.method.label, *score_cells(result.score))
            for result in results.results
        )
        title = f"{results.name}: scores" + (" (stand-in)" if results.stand_in else "")
        return (Grid(title, ("Backbone", "Method", *SCORE_COLUMNS), rows),)

    def files(self, results: Results) -> dict[str, str]:
        """rows.csv."""
        return {"rows.csv": csv_text(tuple(COLUMNS), list(self._rows(results)))}

    def _rows(self, results: Results) -> Iterator[list[Value]]:
        for result in results.results:
            yield _row(result, results)


def _row(result: Result, results: Results) -> list[Value]:
    score, manifest = result.score, results.manifest
    judge = next((r["backbone"] for r in manifest["roles"] if r["role"] == "judge"), None)
    return [
        SCHEMA_VERSION,
        results.name,
        result.backbone.name,
        result.method.name,
        _options(result, results),
        _label(result),
        score.metric,
        score.value,
        score.unit,
        score.better,
        *interval_cells(score.interval),
        score.n,
        score.n_missing,
        *bound_cells(score.bounds),
        judge if "judge" in score.roles else None,
        score.signature,
        manifest["outlines"],
        manifest["experiment"],
        _digest(manifest["prompts"]),
        manifest["pzbench"],
        result.stand_in,
        not result.stand_in,
        "; ".join(score.notes),
    ]


def _options(result: Result, results: Results) -> str:
    named = {
        "backbone": result.backbone,
        "method": result.method,
        "metric": _measured(result, results),
    }
    given = {role: json.loads(one.options) for role, one in named.items() if one and one.options}
    return json.dumps(given, sort_keys=True) if given else ""


def _measured(result: Result, results: Results) -> Named | None:
    """The metric of a score: of the same label, or of which it is a part ("bleu/Urology")."""
    name = result.score.metric
    found = [one for one in results.metrics if f"{name}/".startswith(f"{one.label}/")]
    return max(found, key=lambda one: len(one.label), default=None)


def _label(result: Result) -> str | None:
    pair = (result.backbone, result.method)
    if all(named.label == named.name for named in pair):
        return None
    return " | ".join(named.label for named in pair)


def _digest(prompts: dict[str, Any]) -> str:
    told = "\n".join(f"{name} {found}" for name, found in sorted(prompts.items()))
    return sha256(told.encode()).hexdigest()
