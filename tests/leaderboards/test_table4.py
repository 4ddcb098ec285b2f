"""Table 4: our figures are the run's, the paper's are the paper's, and what is odd is said."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.api.cell import Cell
from bench.api.choice import Choice
from bench.api.score import Interval, Score
from bench.report.results import Result, Results
from bench.report.writer import table_texts, write_texts
from bench.stages.interview import InterviewSettings
from leaderboards.rows import Rows
from leaderboards.table4 import FORMATS, Table4

INTERACTIONS = ("single-with", "cross-without", "cross-with")
GPT_4O = Choice(name="openai/gpt-4o-2024-08-06", label="gpt")
RULES = Choice(name="rules")
VALUES = {"dialogue-consistency": 0.9, "emotional-consistency": 6.0, "fluency": 6.5}
JUDGES = {"dialogue-consistency": "judge", "emotional-consistency": "rater", "fluency": "rater"}


def score(metric: str, value: float | None, **changes: Any) -> Score:
    known: dict[str, Any] = {
        "metric": metric,
        "part": "over-cap" if metric == "conduct" else "",
        "value": value,
        "unit": "share" if metric in ("dialogue-consistency", "conduct") else "points",
        "better": "lower" if metric == "conduct" else "higher",
        "n": 780,
        "interval": Interval(low=value - 0.01, high=value + 0.02, method="x") if value else None,
        "signature": f"{metric}|s",
    }
    return Score(**{**known, **changes})


def role(name: str, backbone: Choice) -> dict[str, Any]:
    return {
        "role": name,
        "label": backbone.label,
        "backbone": backbone.name,
        "stand_in": backbone == RULES,
    }


def results_of(
    *backbones: Choice,
    listener: Choice = GPT_4O,
    changed: Mapping[str, Score] | None = None,
    methods: Sequence[str] = ("patient-zero",),
) -> Results:
    """A whole table with known values; `changed` replaces scores by "interaction/format metric"."""
    found: list[Result] = []
    apart: list[Result] = []
    for backbone in backbones:
        stand_in = RULES in (backbone, listener)
        for method in methods:
            own = Cell(backbone=backbone.label, method=method)
            places = [
                own.and_(interaction=interaction, format=form)
                for interaction in INTERACTIONS
                for form in FORMATS
            ]
            for number, cell in enumerate(places):
                scores = [score(name, value + number / 1000) for name, value in VALUES.items()]
                for one in (*scores, score("conduct", 0.25)):
                    name = f"{cell['interaction']}/{cell['format']} {one.metric}"
                    given = (changed or {}).get(name, one)
                    asked = {JUDGES[one.metric]: listener.label} if one.metric in JUDGES else {}
                    given = given.model_copy(update={"stand_in": stand_in})
                    found.append(Result("interview", cell.and_(asked), given))
            for interaction in INTERACTIONS:
                for other in ("json", "text"):
                    cell = own.and_(interaction=interaction, format="atomic")
                    interval = Interval(low=-0.001, high=0.02, method="cluster-bootstrap")
                    one = score(
                        "dialogue-consistency", 0.0123, n=60, interval=interval, stand_in=stand_in
                    )
                    apart.append(Result("interview", cell, one, cell.and_(format=other)))
    settings = {"questions": 13, "triplets": "per-fact", "updating": "algorithm"}
    return Results(
        "table4",
        (*found, *apart),
        {
            "levels": {},
            "roles": [
                *(role("generator", backbone) for backbone in backbones),
                *(role("patient", backbone) for backbone in backbones),
                role("judge", listener),
                role("rater", listener),
            ],
            "stages": {
                "generate": {
                    "makes": "records",
                    "takes": None,
                    "roles": ["generator"],
                    "cells": [{"planned": 60, "failed": 0}],
                },
                "interview": {
                    "makes": "dialogues",
                    "takes": "records",
                    "roles": ["patient", "doctor", "triplets"],
                    "cells": [{"planned": 60, "failed": 2}],
                    "settings": settings,
                },
            },
            **dict.fromkeys(("outlines", "experiment", "pzbench"), "x"),
            "prompts": {},
        },
    )


def page(results: Results, folder: Path) -> str:
    write_texts(folder, table_texts(["table4"], results))
    return (folder / "table4.html").read_text()


def test_every_block_metric_and_format_has_its_place() -> None:
    main, differences, further = Table4().grids(results_of(GPT_4O))
    assert main.columns == ("Backbone", "Dialogues", "Metric", "JSON", "plain text", "atomic facts")
    assert [row[1] for row in main.rows] == [
        name
        for name in ("single, with update", "cross, without update", "cross, with update")
        for _ in range(3)
    ]
    assert [row[2].partition(",")[0] for row in main.rows[:3]] == [
        "dialogue consistency % ↑",
        "emotional consistency",
        "conversational fluency",
    ]
    assert main.rows[0][3:] == (
        "90.00\n[89.00, 92.00]\npaper: 98.32†",
        "90.10\n[89.10, 92.10]\npaper: 98.61†",
        "90.20\n[89.20, 92.20]\npaper: 99.32†",
    )
    assert main.rows[7][3] == "6.01\n[6.00, 6.03]\npaper: 6.12†"
    assert differences.columns[3:] == ("atomic facts - JSON", "atomic facts - plain text")
    assert len(differences.rows) == 3
    assert differences.rows[0][3] == "+1.23\n[-0.10, 2.00]"
    assert [row[2] for row in further.rows] == ["conduct/over-cap % ↓"] * 3
    assert further.rows[0][3] == "25.00\n[24.00, 27.00]"


def test_several_methods_are_a_column_and_are_compared() -> None:
    results = results_of(GPT_4O, methods=("direct", "patient-zero"))
    place = {"backbone": "gpt", "interaction": "cross-with", "format": "json"}
    first = Cell(place | {"method": "patient-zero", "judge": "gpt"})
    one = Result("interview", first, score("fluency", 0.5), first.and_(method="direct"))
    results = replace(results, results=(*results.results, one))
    main, formats, methods, _ = Table4().grids(results)
    assert main.columns[:4] == ("Backbone", "Method", "Dialogues", "Metric")
    assert [row[1] for row in main.rows] == ["direct"] * 9 + ["patient-zero"] * 9
    assert formats.columns[:4] == main.columns[:4]
    assert "between methods" in methods.title
    assert methods.columns == ("Backbone", "Difference", "Dialogues", "Metric", "JSON")
    assert methods.rows[0][1:3] == ("patient-zero - direct", "cross, with update")


def test_how_the_dialogues_were_held_is_said() -> None:
    results = results_of(GPT_4O)
    (main, *_) = Table4().grids(results)
    notes = "\n".join(main.notes)
    for told in ("13 questions", "triplets per-fact", "update algorithm", "interview 2"):
        assert told in notes
    for name in ("patient: gpt", "judge: gpt", "rater: gpt (openai/gpt-4o-2024-08-06)"):
        assert name in notes
    assert "by construction" not in notes
    (row, *_) = csv.DictReader(io.StringIO(Rows().files(results)["rows.csv"]))
    assert '"triplets": "per-fact"' in row["options"]
    assert row["factors"] == '{"format": "json", "interaction": "single-with", "judge": "gpt"}'


def test_the_stand_in_is_said_everywhere(tmp_path: Path) -> None:
    results = results_of(RULES, listener=RULES)
    grids = Table4().grids(results)
    assert all("stand-in: made by the embedded rules" in grid.title for grid in grids)
    notes = "\n".join(grids[0].notes)
    assert "by construction: rules is both patient and judge of its own talk" in notes
    assert "by construction: the rules rate no dialogue, and give a constant" in notes
    assert "stand-in" in page(results, tmp_path)
    assert "stand-in" in (tmp_path / "table4.md").read_text()


def test_half_a_stand_in_is_starred(tmp_path: Path) -> None:
    results = results_of(RULES, GPT_4O)
    main, differences, _ = Table4().grids(results)
    assert "partly a stand-in" in main.title
    for grid in (main, differences):
        for row in grid.rows:
            starred = {cell.startswith("*") for cell in row[3:]}
            assert starred == {row[0] == "rules"}
    shown = page(results, tmp_path)
    assert ">*rules, single, with update, JSON<" in shown
    assert ">gpt, single, with update, JSON<" in shown


def test_formats_that_tie_are_said_to() -> None:
    alike = {
        f"single-with/{form} dialogue-consistency": score("dialogue-consistency", 0.95)
        for form in FORMATS
    }
    (main, *_) = Table4().grids(results_of(GPT_4O, changed=alike))
    assert [note for note in main.notes if "formats tie" in note] == [
        "single, with update: the formats tie on dialogue-consistency"
    ]


def test_what_is_missing_is_shown_as_missing() -> None:
    refused = ("about all", "every value failed: refusal 60")
    changed = {
        "single-with/json fluency": score("fluency", None, n=0, n_missing=60, notes=refused),
        "single-with/text fluency": score(
            "fluency", 6.0, n=59, n_missing=1, interval=None, bounds=(5.9, 6.1)
        ),
        "single-with/atomic conduct": score(
            "conduct", None, n=0, n_missing=60, notes=("60 dialogues left out: no style",)
        ),
    }
    results = results_of(GPT_4O, changed=changed)
    main, _, further = Table4().grids(results)
    assert main.rows[2][3] == "not scored\nn 0, 60 missing\npaper: 6.93†"
    place = "(single, with update, JSON)"
    assert any(note.endswith(f"refusal 60 {place}") for note in main.notes)
    assert main.rows[2][4] == "6.00\nn 59, 1 missing\nbounds 5.90 to 6.10\npaper: 6.93†"
    assert further.rows[0][5] == "not scored\nn 0, 60 missing"
    (left_out,) = further.notes
    assert left_out.endswith("no style (single, with update, atomic facts)")
    partly = tuple(one for one in results.results if one.get("format") != "text")
    (main, *_) = Table4().grids(replace(results, results=partly))
    assert main.columns[3:] == ("JSON", "atomic facts")


@pytest.mark.parametrize(
    ("listener", "said"), [(GPT_4O, True), (Choice(name="openai/x", label="x"), False)]
)
def test_a_model_that_judges_its_own_talk_is_said(listener: Choice, said: bool) -> None:
    (main, *_) = Table4().grids(results_of(GPT_4O, listener=listener))
    own = [note for note in main.notes if "its own talk" in note]
    assert own == (
        [f"{GPT_4O.name} is both patient and {name} of its own talk" for name in ("judge", "rater")]
        if said
        else []
    )


def test_the_preset_is_the_papers_experiment() -> None:
    from bench.experiments.experiment import load_experiment

    preset = load_experiment(Path(Table4.preset))
    held = preset.sections["interview"]
    assert isinstance(held, InterviewSettings)
    assert (preset.departments, held.patients_per_department) == (("all",), 10)
    turns = sum(one.rounds for one in held.interactions) * len(held.formats)
    assert 6 * held.patients_per_department * held.questions * turns == 11_700
    assert preset.offline
