"""Leaderboard rows: one line for each score and each difference, with all that checks it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, ClassVar

from bench.api.cell import differing
from bench.api.score import ALL
from bench.api.table import Grid
from bench.report.pivot import listing
from bench.report.results import Result, Results, figures
from bench.report.text import Value, csv_text
from bench.runs.roles import NOBODY

SCHEMA_VERSION = 2
SYSTEM = ("backbone", "method")
COLUMNS: dict[str, str] = {
    "schema_version": "version of these columns",
    "experiment": "name of the experiment",
    "stage": "stage whose items are scored",
    "backbone": "backbone of the generator",
    "method": "generator",
    "factors": "all further factors, as JSON; empty for none",
    "minus": "of a difference the factors that differ, as JSON, with those of the other side",
    "options": "options of backbone, method, metric and stage, as JSON; empty for the defaults",
    "label": "what the experiment calls backbone and method, where it gives them other names",
    "metric": "metric",
    "part": "part of the metric; empty for the metric itself",
    "by": "what the group is made by: all or department",
    "group": "the group",
    "value": "its value; empty if it could not be scored",
    "unit": "unit of the value",
    "better": "higher or lower",
    "ci_low": "lower end of the 95 % interval",
    "ci_high": "upper end of the 95 % interval",
    "ci_method": "how the interval was made",
    "n": "values behind it; of a difference, the items (or patients) that both have",
    "n_missing": "values planned that could not be had",
    "bound_low": "value if every missing one were worst",
    "bound_high": "value if every missing one were best",
    "p_value": "of a difference of shares: exact McNemar",
    "only_first": "of a difference of shares: items that only the first has",
    "only_second": "of a difference of shares: items that only the second has",
    "judge": "backbone of the judge, for judged metrics",
    "signature": "what pins the metric's meaning",
    "outlines": "hash of the disease knowledge",
    "experiment_hash": "hash of the experiment's settings",
    "prompts": "hash of all prompt templates",
    "pzbench": "version of the harness",
    "stand_in": "true if the embedded stand-in wrote, answered or judged",
    "ranked": "false for a stand-in, which never ranks among models",
    "notes": "what a reader must know",
}
"""Column names and what they hold, in order."""


class Rows:
    """The rows of a run."""

    preset: ClassVar[Path | None] = None

    def grids(self, results: Results) -> Sequence[Grid]:
        """Every score over all items, one line each."""
        title = f"{results.name}: scores" + (" (stand-in)" if results.stand_in else "")
        grid = listing(title, results.results)
        stages = results.manifest["stages"].values()
        remarks = (remark for stage in stages for remark in stage.get("remarks", ()))
        return [replace(grid, notes=(*remarks, *grid.notes))]

    def files(self, results: Results) -> Mapping[str, str]:
        """rows.csv."""
        rows = [list(_row(one, results)) for one in _listed(results)]
        return {"rows.csv": csv_text(tuple(COLUMNS), rows)}


def _listed(results: Results) -> Iterator[Result]:
    """Over all items, and of a metric itself in each department."""
    for one in results.results:
        if one.score.by == ALL or (one.score.by == "department" and not one.score.part):
            yield one


def _row(one: Result, results: Results) -> Iterator[Value]:
    manifest, cell = results.manifest, one.cell
    backbone, method = (results.named(name, cell.get(name, NOBODY)) for name in SYSTEM)
    judge = _judge(one, results)
    own = (*SYSTEM, "judge") if judge == cell.get("judge") else SYSTEM
    apart = differing(cell, one.minus) if one.minus is not None else ()
    labelled = backbone.label != backbone.name or method.label != method.name
    cells: dict[str, Value] = {
        **figures(one.score),
        "schema_version": SCHEMA_VERSION,
        "experiment": results.name,
        "stage": one.stage,
        "backbone": backbone.name,
        "method": method.name,
        "factors": _json(cell.without(*own)),
        "minus": _json({name: one.minus.get(name) for name in apart} if one.minus else {}),
        "options": _json(_options(one, results)),
        "label": f"{backbone.label} | {method.label}" if labelled else None,
        "judge": judge,
        "outlines": manifest["outlines"],
        "experiment_hash": manifest["experiment"],
        "prompts": _digest(manifest["prompts"]),
        "pzbench": manifest["pzbench"],
        "ranked": not one.score.stand_in,
        "notes": "; ".join(one.score.notes),
    }
    return (cells[name] for name in COLUMNS)


def _json(data: Mapping[str, Any]) -> str:
    return json.dumps(dict(data), sort_keys=True, ensure_ascii=False) if data else ""


def _options(one: Result, results: Results) -> dict[str, Any]:
    """What is not as by default, and how the stage was held where it says so."""
    named = {
        name: results.named(name, one.get(name)) for name in (*SYSTEM, "metric") if one.get(name)
    }
    given = {name: choice.options for name, choice in named.items() if choice.options}
    settings = results.manifest["stages"][one.stage].get("settings")
    return given | ({one.stage: settings} if settings else {})


def _judge(one: Result, results: Results) -> str | None:
    """The full name of the judge's backbone."""
    roles = results.manifest["roles"]
    place = ("judge", one.cell.get("judge"))
    return next((r["backbone"] for r in roles if (r["role"], r["label"]) == place), None)


def _digest(prompts: Mapping[str, str]) -> str:
    listed = "\n".join(f"{name} {digest}" for name, digest in sorted(prompts.items()))
    return sha256(listed.encode()).hexdigest()
