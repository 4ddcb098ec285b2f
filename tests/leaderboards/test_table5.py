"""Table 5: counts, intervals and p-values are exact; the paper's figures stand where they may."""

import asyncio
import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest

from bench.api.cell import Cell
from bench.api.choice import Choice
from bench.api.context import Context
from bench.api.evaluation import Evaluation
from bench.api.item import Items
from bench.experiments.experiment import load_experiment
from bench.medqa.labels import DEPARTMENTS
from bench.report.results import Result, Results
from bench.report.writer import table_texts, write_texts
from bench.scoring.scores import differences_of, scores_of
from bench.stages.exam.settings import ExamSettings
from bench.stages.generate import GenerateSettings
from bench.students.answer import Answered, Outcome
from leaderboards.rows import Rows
from leaderboards.table5 import Table5
from metrics.medqa_accuracy import MedqaAccuracy

GPT_4O = Choice(name="openai/gpt-4o-2024-08-06", label="gpt")
OTHER = Choice(name="openai/gpt-4o-mini-2024-07-18", label="mini")
RULES = Choice(name="rules")
ALL = "all departments"
CARD = MedqaAccuracy.card
LETTERS: dict[str, Outcome] = {
    "+": "right",
    "-": "wrong",
    "r": "refused",
    "i": "invalid",
    "u": "unreachable",
    "e": "error",
}
SHEETS = {
    "zero-shot": {"Psychiatry": "++--------", "Urology": "+---"},
    "direct": {"Psychiatry": "+++++++r--", "Urology": "+-iu"},
    "patient-zero": {"Psychiatry": "++++++++++", "Urology": "++--"},
}
Sheet = Mapping[str, str]


def evaluations(sheet: Sheet) -> list[Evaluation]:
    """What the metric finds in a student's answers."""
    found = []
    for name, marks in sheet.items():
        for at, mark in enumerate(marks):
            answered = Answered(id=f"{name} {at}", outcome=LETTERS[mark], words=10)
            one = asyncio.run(MedqaAccuracy().evaluate(answered, cast(Context, None)))
            found.append(one.model_copy(update={"item": answered.id, "department": name}))
    return found


def results_of(
    backbone: Choice = GPT_4O,
    *,
    student: Choice | None = None,
    audited: bool = False,
    sheets: Mapping[str, Sheet] = SHEETS,
    suspects: int = 0,
    methods: Sequence[Choice] = (),
) -> Results:
    """A run whose students gave known answers."""
    student = student or backbone
    first = next(iter(sheets.values()))
    cells = {
        name: Cell(backbone=backbone.label, method=name, patients="0" if at == 0 else "2")
        for at, name in enumerate(sheets)
    }
    given = {cells[name]: evaluations(sheet) for name, sheet in sheets.items()}
    point = cells["direct"].and_(patients="1")
    given[point] = evaluations({name: "+" * len(sheet) for name, sheet in first.items()})
    stand_in = RULES in (backbone, student)
    results = []
    for cell, found in given.items():
        items = Items([], kind="answers", notes=("a note",))
        for score in scores_of(CARD, found, items, "medqa-accuracy|x"):
            marked = score.model_copy(update={"stand_in": stand_in})
            results.append(Result("exam", cell, marked))
    ends = [cell for cell in given if cell != point]
    for place, before in enumerate(ends):
        for after in ends[place + 1 :]:
            for score in differences_of(CARD, given[after], given[before]):
                marked = score.model_copy(update={"stand_in": stand_in})
                results.append(Result("exam", after, marked, before))
    training = {"patients": 4, "practice questions": 20, "right": 5, "wrong": 7, "refused": 3}
    training |= {
        "invalid": 4,
        "error": 1,
        "cases kept": 6,
        "records near a test question": suspects,
    }
    trained = {
        str(c.without("patients")): {"factors": dict(c.without("patients")), **training}
        for c in ends[1:]
    }
    return Results(
        "table5",
        tuple(results),
        manifest(backbone, student, methods)
        | {
            "stages": {
                "exam": {
                    "makes": "answers",
                    "takes": "records",
                    "roles": ["student"],
                    "cells": [{"planned": 14, "failed": 0}],
                    "set": {
                        "source": "few.jsonl",
                        "options": 4,
                        "audited": audited,
                        "questions": {name: len(one) for name, one in first.items()},
                    },
                    "patients": dict.fromkeys(first, 2),
                    "settings": {"cases": 2, "budget": 600, "guard": True},
                    "training": trained,
                }
            }
        },
    )


def manifest(backbone: Choice, student: Choice, methods: Sequence[Choice]) -> dict[str, Any]:
    return {
        "levels": {"method": {one.label: one.model_dump() for one in methods}},
        "roles": [
            {
                "role": role,
                "label": one.label,
                "backbone": one.name,
                "stand_in": one == RULES,
            }
            for role, one in (("generator", backbone), ("student", student))
        ],
        **dict.fromkeys(("outlines", "experiment", "pzbench"), "x"),
        "prompts": {},
    }


def rows(results: Results) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(Rows().files(results)["rows.csv"])))


def files(results: Results, folder: Path) -> dict[str, str]:
    return {
        path.name: path.read_text()
        for path in write_texts(folder, table_texts(["table5"], results))
    }


def ties(sheets: Mapping[str, Sheet]) -> list[str]:
    """What the notes say of students who come out alike."""
    main, *_ = Table5().grids(results_of(sheets=sheets))
    return [note for note in main.notes if "tie on" in note]


def test_counts_shares_and_intervals_are_those_of_the_answers() -> None:
    main, *_ = Table5().grids(results_of())
    assert main.title == "Table 5"
    assert main.columns[2:] == ("zero-shot", "trained on direct", "trained on patient-zero")
    assert [row[1] for row in main.rows] == ["Psychiatry", "Urology", ALL]
    # Wilson's interval of 2 of 10, worked out by hand: (0.2 + z2/20 +- ...) / (1 + z2/10).
    assert main.rows[0][2] == "2/10 = 20.00\n[5.67, 50.98]"
    refused = "7/10 = 70.00\n[39.68, 89.22]\n1 without answer\nbounds 70.00 to 80.00"
    assert main.rows[0][3] == refused
    assert main.rows[0][4] == "10/10 = 100.00\n[72.25, 100.00]"
    # One of Urology's four was never put to the student: it counts in the bounds alone.
    urology = "1/3 = 33.33\n[6.15, 79.23]\n1 without answer\n1 not put\nbounds 25.00 to 75.00"
    assert main.rows[1][3] == urology
    assert main.rows[2][2:] == (
        "3/14 = 21.43\n[7.57, 47.59]",
        "8/13 = 61.54\n[35.52, 82.29]\n2 without answer\n1 not put\nbounds 57.14 to 78.57",
        "12/14 = 85.71\n[60.06, 95.99]",
    )


def test_differences_are_paired_and_mcnemar_exact() -> None:
    _, found, *_ = Table5().grids(results_of())
    assert found.columns[2:] == (
        "direct - zero-shot",
        "patient-zero - zero-shot",
        "patient-zero - direct",
    )
    psychiatry, urology, whole = found.rows
    # 5 questions gained and none lost: p = 2 / 2^5; 8 and 0: 2 / 2^8; a refusal is not right.
    assert psychiatry[2].startswith("+5 -0 of 10 = +50.00\n[")
    assert psychiatry[2].endswith("\np = 0.062")
    assert psychiatry[3].endswith("\np = 0.0078")
    assert psychiatry[4].endswith("\np = 0.25")
    # Of the three that were put to both, each side has the first and nobody the others.
    assert urology[2].startswith("+0 -0 of 3 = +0.00\n[")
    assert urology[2].endswith("\np = 1")
    assert whole[3].startswith("+9 -0 of 14 = +64.29\n[")
    assert whole[3].endswith("\np = 0.0039")
    assert any("; 9 tests here" in note for note in found.notes)


def test_both_discordant_counts_are_shown_and_kept() -> None:
    sheets = {"zero-shot": {"Urology": "++++++-u"}, "direct": {"Urology": "+-----++"}}
    results = results_of(sheets=sheets)
    _, found, *_ = Table5().grids(results)
    # Seven were put to both: +1 -5; exact p of 1 in 6 is 2 * (1 + 6) / 2^6.
    assert found.rows[0][2].startswith("+1 -5 of 7 = -57.14\n[")
    assert found.rows[0][2].endswith("\np = 0.22")
    (row,) = [
        row
        for row in rows(results)
        if row["minus"] and (row["part"], row["by"]) == ("", "department")
    ]
    assert (row["method"], row["minus"]) == ("direct", '{"method": "zero-shot", "patients": "0"}')
    assert (row["only_first"], row["only_second"], row["n"]) == ("1", "5", "7")
    assert float(row["value"]) == pytest.approx(-4 / 7, abs=1e-6)
    assert float(row["ci_low"]) < float(row["value"]) < float(row["ci_high"])
    assert float(row["p_value"]) == pytest.approx(0.21875)
    assert row["stand_in"] == "false"


def test_a_difference_of_no_shared_question_is_none() -> None:
    sheets = {
        "zero-shot": {"Psychiatry": "uuu", "Urology": "++-"},
        "direct": {"Psychiatry": "+++", "Urology": "+--"},
    }
    _, found, *_ = Table5().grids(results_of(sheets=sheets))
    assert {row[1]: row[2].partition(" = ")[0] for row in found.rows} == {
        "Urology": "+0 -1 of 3",
        ALL: "+0 -1 of 3",
    }


def test_every_kind_of_outcome_is_counted_and_shown() -> None:
    results = results_of()
    grids = {grid.title: grid for grid in Table5().grids(results)}
    answers = grids["Table 5, answers"]
    assert answers.columns[2:] == (
        *("right", "wrong", "refused", "invalid", "unreachable", "error"),
        "right of the answered",
        "words shown with a question",
    )
    assert answers.rows[1][2:8] == ("8", "3", "1", "1", "1", "0")
    assert answers.rows[1][8].startswith("8/11 = 72.73")
    assert answers.rows[1][9].startswith("10")
    notes = grids["Table 5"].notes
    assert "medqa-accuracy: a note" in notes
    counted = "medqa-accuracy: 2 without an answer counted as worst (trained on direct)"
    assert counted in notes
    (row,) = [
        row
        for row in rows(results)
        if (row["method"], row["group"], row["minus"]) == ("direct", "Urology", "")
        and row["factors"] == '{"patients": "2"}'
    ]
    assert (row["value"], row["n"], row["n_missing"]) == ("0.333333", "3", "2")
    assert [row[name] for name in ("bound_low", "bound_high")] == ["0.250000", "0.750000"]


def test_nothing_answered_is_no_share_and_no_tie(tmp_path: Path) -> None:
    silent = {name: {"Urology": "uuee"} for name in SHEETS}
    results = results_of(sheets=silent)
    main, *_ = Table5().grids(results)
    assert main.rows[0][2] == "not scored\n4 not put"
    assert ties(silent) == []
    page = files(results, tmp_path)["table5.html"]
    assert page.count("<circle") == 1  # of the curve's first point, where all were put


def test_the_learning_curve_begins_untrained_and_ends_with_all(tmp_path: Path) -> None:
    results = results_of()
    curve = next(grid for grid in Table5().grids(results) if "curve" in grid.title)
    assert curve.columns[2:] == ("0 patients", "1 patients", "2 patients")
    direct, ours = curve.rows
    assert [cell.partition(" ")[0] for cell in direct[2:]] == ["3/14", "14/14", "8/13"]
    assert direct[4].endswith("\n2 without answer\n1 not put\nbounds 57.14 to 78.57")
    assert ours[2].startswith("3/14")
    assert ours[3] == "n/a"
    page = files(results, tmp_path)["table5.html"]
    assert "learning curve" in page
    assert "trained on direct, 1 patients<" in page
    assert "trained on direct, 2 patients (3 missing)<" in page


def test_training_and_near_questions_are_told() -> None:
    grids = Table5().grids(results_of(suspects=3))
    training = grids[-1]
    counts = {row[0]: row[1] for row in training.rows}
    assert training.columns == ("Training", "gpt direct", "gpt patient-zero")
    assert [counts[name] for name in ("patients", "practice questions")] == ["4", "20"]
    outcomes = ("right", "wrong", "refused", "invalid", "error")
    assert [counts[name] for name in outcomes] == ["5", "7", "3", "4", "1"]
    assert training.rows[-1][1:] == ("3", "3")
    notes = "\n".join(grids[0].notes)
    for told in ("gpt direct 3, gpt patient-zero 3", "on 2 of its patients", "600 words"):
        assert told in notes
    none = "records nearly identical to a test question, left out for all methods: none"
    assert none in Table5().grids(results_of())[0].notes


def test_the_papers_figures_stand_only_beside_its_own_questions(tmp_path: Path) -> None:
    results = results_of()
    shown = "".join(files(results, tmp_path).values())
    assert not any(figure in shown for figure in ("81.03", "91.38", "88.24"))
    notes = "\n".join(Table5().grids(results)[0].notes)
    assert "figures are not beside" in notes
    assert "†" not in notes


def test_beside_its_own_questions_they_bring_their_counts(tmp_path: Path) -> None:
    results = results_of(audited=True)
    main, *_ = Table5().grids(results)
    assert main.rows[0][2].endswith("\npaper: 81.03 = 47/58†")
    assert main.rows[0][4].endswith("\npaper: 91.38 = 53/58†")
    assert main.rows[1][2].endswith("\npaper: 77.27 = 17/22†")
    assert main.rows[1][3].endswith("\nbounds 25.00 to 75.00\npaper: 82.35 = 14/17†")
    assert not any("paper" in cell for cell in main.rows[2])  # it has no pooled figure
    notes = "\n".join(main.notes)
    assert "Urology and Endocrinology" in notes
    page = files(results, tmp_path)["table5.html"]
    assert "the paper's figure</p>" in page
    assert page.count('class="paper"') == 6


@pytest.mark.parametrize(
    ("backbone", "student"),
    [(RULES, RULES), (RULES, GPT_4O), (GPT_4O, RULES), (GPT_4O, OTHER), (OTHER, OTHER)],
)
def test_on_charts_the_papers_figure_stands_beside_its_own_model_alone(
    backbone: Choice, student: Choice, tmp_path: Path
) -> None:
    shown = files(results_of(backbone, student=student, audited=True), tmp_path)
    assert "paper: 82.35" in shown["table5.md"]
    assert 'class="paper"' not in shown["table5.html"]


def test_a_method_of_other_options_has_no_figure_of_the_papers() -> None:
    methods = [
        Choice(name="multi-step", label="direct"),
        Choice(name="patient-zero", options={"plausibility": "regenerate"}),
    ]
    main, *_ = Table5().grids(results_of(audited=True, methods=methods))
    assert ["paper" in cell for cell in main.rows[0][2:]] == [True, False, False]


def test_the_stand_in_is_said_everywhere() -> None:
    grids = Table5().grids(results_of(RULES))
    assert all("stand-in: made by the embedded rules" in grid.title for grid in grids)
    assert "the rules know no medicine" in "\n".join(grids[0].notes)


def test_students_who_know_the_same_tie() -> None:
    alike = {"Urology": "+-+-"}
    (note,) = ties({"zero-shot": alike, "direct": alike})
    assert "tie on medqa-accuracy" in note
    assert ties({"zero-shot": alike, "direct": {"Urology": "+---"}}) == []


def test_the_preset_is_the_papers_comparison_offline() -> None:
    preset = load_experiment(Path(Table5.preset))
    assert preset.offline
    generated, exam = preset.sections["generate"], preset.sections["exam"]
    assert isinstance(generated, GenerateSettings)
    assert isinstance(exam, ExamSettings)
    assert [method.name for method in generated.methods] == ["direct", "patient-zero"]
    assert preset.departments == ("all",)
    assert exam.questions is None  # the sample, unless the environment names others
    assert exam.cases == generated.cases_per_department


def test_the_departments_are_the_papers() -> None:
    with (Path(Table5.preset).parents[1] / "paper" / "table5.csv").open(encoding="utf-8") as file:
        assert tuple(row["department"] for row in csv.DictReader(file)) == DEPARTMENTS
