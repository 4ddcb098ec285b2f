"""Table 4: our figures are the run's, the paper's are the paper's, and what is odd is said."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.api.metric import Difference, Score
from bench.report.tables import Named, Result, Results
from bench.scoring.intervals import Interval
from leaderboards.paper_figures import TABLE_4, interview_figure, share_of
from leaderboards.table4 import ANSWERS, FORMATS, Table4

INTERACTIONS = ("single-with", "cross-without", "cross-with")
GPT_4O = Named("gpt", "openai/gpt-4o-2024-08-06")
RULES = Named("rules", "rules")
VALUES = {"dialogue-consistency": 0.9, "emotional-consistency": 6.0, "fluency": 6.5}
UNITS = {"dialogue-consistency": "share", "conduct/over-cap": "share"}


def score(metric: str, value: float | None, **changes: Any) -> Score:
    known: dict[str, Any] = {
        "metric": metric,
        "value": value,
        "unit": UNITS.get(metric, "points"),
        "better": "lower" if metric.startswith("conduct/") else "higher",
        "n": 780,
        "n_missing": 0,
        "interval": Interval(low=value - 0.01, high=value + 0.02, method="x") if value else None,
        "signature": f"{metric}|s",
    }
    return Score(**{**known, **changes})


def talk(label: str) -> Named:
    options = {"questions": 13, "triplets": "per-fact", "updating": "algorithm"}
    return Named(label, "patient-zero", json.dumps(options))


def role(name: str, backbone: Named) -> dict[str, Any]:
    return {
        "role": name,
        "label": backbone.label,
        "backbone": backbone.name,
        "stand_in": backbone.name == "rules",
    }


def results_of(
    *backbones: Named, listener: Named = GPT_4O, changed: Mapping[str, Score] | None = None
) -> Results:
    """A whole table with known values; `changed` replaces scores by "interaction/format metric"."""
    labels = [f"{interaction}/{form}" for interaction in INTERACTIONS for form in FORMATS]
    methods = [Named("patient-zero", "patient-zero"), *map(talk, labels)]
    found = []
    for backbone in backbones:
        for number, label in enumerate(labels):
            scores = [score(name, value + number / 1000) for name, value in VALUES.items()]
            scores.append(score("conduct/over-cap", 0.25))
            for one in scores:
                told = (changed or {}).get(f"{label} {one.metric}", one)
                stand_in = RULES in (backbone, listener)
                found.append(Result(backbone, talk(label), told, stand_in, "dialogues"))
    differences = tuple(
        (
            backbone.label,
            Difference(
                metric="dialogue-consistency",
                first=f"{interaction}/atomic",
                second=f"{interaction}/{other}",
                value=0.0123,
                interval=Interval(low=-0.001, high=0.02, method="cluster-bootstrap"),
                n=60,
            ),
        )
        for backbone in backbones
        for interaction in INTERACTIONS
        for other in ("json", "text")
    )
    named = [*VALUES, "conduct"]
    return Results(
        name="table4",
        backbones=backbones,
        methods=tuple(methods),
        metrics=tuple(Named(name, name) for name in named),
        results=tuple(found),
        differences=differences,
        manifest={
            "failures": {},
            "planned": 60,
            "rewritten": {},
            "dialogues": {"gpt single-with/json": {"exchanges": 780, "calls": 1560}},
            "roles": [
                *(role("generator", backbone) for backbone in backbones),
                *(role("patient", backbone) for backbone in backbones),
                role("judge", listener),
                role("rater", listener),
            ],
        },
    )


def parsed(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


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


def test_the_papers_figures_are_the_papers() -> None:
    with TABLE_4.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 9
    assert interview_figure("cross-without", "text", "dialogue_consistency_pct") == pytest.approx(
        0.9190
    )
    assert interview_figure("cross-with", "atomic", "conversational_fluency_7pt") == 6.97
    assert interview_figure("single-with", "json", "emotional_consistency_7pt") == 6.18
    assert interview_figure("single-without", "json", "emotional_consistency_7pt") is None
    assert interview_figure("single-with", "json", None) is None


def test_the_csv_holds_every_score_once() -> None:
    results = results_of(GPT_4O)
    rows = parsed(Table4().files(results)["table4.csv"])
    assert len(rows) == len(results.results) == 9 * 4
    for row in rows:
        label = f"{row['interaction']}/{row['format']}"
        found = results.find("gpt", label, row["metric"])
        assert found is not None
        assert float(row["value"]) == pytest.approx(found.score.value)
        assert row["signature"] == found.score.signature
        assert row["comparable"] == "false"  # the paper names neither patients' model nor judge
        assert row["stand_in"] == "false"
    papers = [row for row in rows if row["paper_value"]]
    assert len(papers) == 27
    assert papers[0]["paper_value"] == "0.983200"


@pytest.mark.parametrize(
    ("percent", "n", "how"),
    [
        (50.0, 780, "rounded"),
        (99.36, 780, "rounded"),  # 775 of 780 is 99.358974
        (99.35, 780, "cut"),
        (99.37, 780, "never"),
        (0.0, 780, "rounded"),
        (100.0, 780, "rounded"),
        (33.33, 3, "rounded"),
        (66.66, 3, "cut"),
        (66.67, 3, "rounded"),
        (98.32, 780, "never"),
    ],
)
def test_a_share_of_n_answers(percent: float, n: int, how: str) -> None:
    assert share_of(percent, n) == how


def test_figures_that_cannot_be_shares_are_computed_and_said() -> None:
    (main, *_) = Table4().grids(results_of(GPT_4O))
    (note,) = [note for note in main.notes if "k/780" in note]
    assert "98.32, 98.61, 99.32 are no k/780" in note
    assert "93.43, 91.90, 99.06, 99.39 are no k/1560" in note
    assert "93.71, 98.26 k/1560 only cut off" in note
    assert "60 patients 13 questions" in note
    for interaction, n in ANSWERS.items():
        for form in FORMATS:
            share = interview_figure(interaction, form, "dialogue_consistency_pct")
            assert share is not None
            possible = any(round(100 * k / n, 2) == round(100 * share, 2) for k in range(n + 1))
            assert not possible


def test_how_the_dialogues_were_held_is_said() -> None:
    (main, *_) = Table4().grids(results_of(GPT_4O))
    notes = "\n".join(main.notes)
    assert "13 questions a round; triplets per-fact; update algorithm" in notes
    assert "in calls: gpt single-with/json 2.00" in notes
    for name in ("patient: gpt", "judge: gpt", "rater: gpt (openai/gpt-4o-2024-08-06)"):
        assert name in notes
    assert "by construction" not in notes


def test_the_stand_in_is_said_everywhere() -> None:
    grids = Table4().grids(results_of(RULES, listener=RULES))
    assert all("stand-in: made by the embedded rules" in grid.title for grid in grids)
    assert "by construction: the rules answer and judge" in "\n".join(grids[0].notes)
    assert "by construction: the rules answer and rate" in "\n".join(grids[0].notes)
    files = Table4().files(results_of(RULES, listener=RULES))
    assert all("stand-in" in files[name] for name in ("table4.md", "table4.html"))
    assert {row["stand_in"] for row in parsed(files["table4.csv"])} == {"true"}


def test_half_a_stand_in_is_starred() -> None:
    results = results_of(RULES, GPT_4O)
    main, differences, _ = Table4().grids(results)
    assert "partly a stand-in" in main.title
    for grid in (main, differences):
        for row in grid.rows:
            starred = {cell.startswith("*") for cell in row[3:]}
            assert starred == {row[0] == "rules"}
    page = Table4().files(results)["table4.html"]
    assert ">*rules single-with json<" in page
    assert ">gpt single-with json<" in page


def test_formats_that_tie_are_said_to_say_nothing() -> None:
    alike = {
        f"single-with/{form} dialogue-consistency": score("dialogue-consistency", 0.95)
        for form in FORMATS
    }
    (main, *_) = Table4().grids(results_of(GPT_4O, changed=alike))
    ties = [note for note in main.notes if "formats tie" in note]
    assert ties == [
        "gpt, single, with update: the formats tie on dialogue-consistency, so it says nothing "
        "about them"
    ]


def test_what_is_missing_is_shown_as_missing() -> None:
    changed = {
        "single-with/json fluency": score(
            "fluency",
            None,
            n=0,
            n_missing=60,
            notes=("about all", "every value failed: refusal 60"),
        ),
        "single-with/text fluency": score(
            "fluency", 6.0, n=59, n_missing=1, interval=None, bounds=(5.9, 6.1)
        ),
        "single-with/atomic conduct/over-cap": score(
            "conduct/over-cap", None, n=0, n_missing=60, notes=("60 dialogues left out: no style",)
        ),
    }
    results = results_of(GPT_4O, changed=changed)
    main, _, further = Table4().grids(results)
    why = "n 0, 60 missing\nevery value failed: refusal 60"
    assert main.rows[2][3] == f"n/a\n{why}\npaper: 6.93†"
    assert main.rows[2][4] == "6.00\nn 59, 1 missing\nbounds 5.90 to 6.10\npaper: 6.93†"
    assert further.rows[0][5] == "n/a\nn 0, 60 missing\n60 dialogues left out: no style"
    partly = replace(
        results,
        methods=tuple(one for one in results.methods if not one.label.endswith("/text")),
        results=tuple(one for one in results.results if not one.method.label.endswith("/text")),
    )
    (main, *_) = Table4().grids(partly)
    assert main.columns[3:] == ("JSON", "atomic facts")


def test_the_csv_holds_bounds() -> None:
    changed = {"single-with/json fluency": score("fluency", 6.0, bounds=(5.5, 6.5))}
    rows = parsed(Table4().files(results_of(GPT_4O, changed=changed))["table4.csv"])
    bounds = [(row["bound_low"], row["bound_high"]) for row in rows]
    assert [(float(low), float(high)) for low, high in bounds if low] == [(5.5, 6.5)]
    assert bounds.count(("", "")) == len(rows) - 1


def test_the_differences_have_a_csv() -> None:
    results = results_of(RULES, GPT_4O)
    rows = parsed(Table4().files(results)["table4_differences.csv"])
    assert len(rows) == len(results.differences) == 12
    first = rows[0]
    place = [first[name] for name in ("backbone", "interaction", "first", "second", "metric")]
    assert place == ["rules", "single-with", "atomic", "json", "dialogue-consistency"]
    found = [float(first[name]) for name in ("value", "ci_low", "ci_high", "n_shared")]
    assert found == pytest.approx([0.0123, -0.001, 0.02, 60])
    assert first["ci_method"] == "cluster-bootstrap"
    assert [row["stand_in"] for row in rows] == ["true"] * 6 + ["false"] * 6


@pytest.mark.parametrize(("listener", "said"), [(GPT_4O, True), (Named("x", "openai/x"), False)])
def test_a_model_that_judges_its_own_talk_is_said(listener: Named, said: bool) -> None:
    (main, *_) = Table4().grids(results_of(GPT_4O, listener=listener))
    own = [note for note in main.notes if "its own talk" in note]
    assert own == (
        [
            f"{GPT_4O.name} judges its own talk: it is both patient and judge",
            f"{GPT_4O.name} rates its own talk: it is both patient and rater",
        ]
        if said
        else []
    )


def test_a_hostile_name_is_no_markup() -> None:
    hostile = Named("<script>alert(1)</script>", "openai/x")
    files = Table4().files(results_of(hostile))
    assert "<script>alert" not in files["table4.html"] + files["table4.md"]


def test_the_preset_is_the_papers_experiment() -> None:
    from bench.experiments.experiment import load_experiment

    preset = load_experiment(Path(Table4.preset))
    interviews = preset.dialogues
    assert interviews is not None
    assert (preset.departments, interviews.patients_per_department) == (("all",), 10)
    rounds = {"single-with": 1, "cross-without": 2, "cross-with": 2}
    turns = sum(rounds[one] for one in interviews.interactions) * len(interviews.formats)
    assert 6 * interviews.patients_per_department * interviews.questions * turns == 11_700
    assert preset.offline
