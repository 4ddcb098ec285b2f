"""Table 5: counts, intervals and p-values are exact; the paper's figures stand where they may."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from scipy.stats import binomtest

from bench.medqa.audit import DEPARTMENTS
from bench.runs.experiment import load_experiment
from bench.runs.grading import differences, grade, outcomes
from bench.tables import Named, Result, Results
from bench.training.answering import Answered, Outcome
from leaderboards.table5 import ALL, Table5

GPT_4O = Named("gpt", "openai/gpt-4o-2024-08-06")
RULES = Named("rules", "rules")
CONDITIONS = ("zero-shot", "direct", "patient-zero")
LETTERS: dict[str, Outcome] = {
    "+": "right",
    "-": "wrong",
    "r": "refused",
    "i": "invalid",
    "u": "unreachable",
}
SHEETS = {
    "zero-shot": {"Psychiatry": "++--------", "Urology": "+---"},
    "direct": {"Psychiatry": "+++++++r--", "Urology": "+-iu"},
    "patient-zero": {"Psychiatry": "++++++++++", "Urology": "++--"},
}


def sheet(told: Mapping[str, str]) -> dict[str, list[Answered]]:
    return {
        name: [
            Answered(question=f"{name} {at}", outcome=LETTERS[one], keys=(f"{name}{at}",))
            for at, one in enumerate(marks)
        ]
        for name, marks in told.items()
    }


def results_of(
    backbone: Named = GPT_4O,
    *,
    audited: bool = False,
    sheets: Mapping[str, Mapping[str, str]] = SHEETS,
    suspects: int = 0,
    methods: Sequence[Named] = (),
) -> Results:
    """A run whose students gave known answers."""
    named = methods or [Named(name, name) for name in sheets]
    given = {name: sheet(told) for name, told in sheets.items()}
    first = next(iter(given.values()))
    points = {
        "direct": {1: sheet({name: "+" * len(one) for name, one in SHEETS["direct"].items()})}
    }
    found = [
        Result(backbone, method, score, backbone == RULES)
        for method in named
        for score in grade(
            given[method.label], points.get(method.label, {}), "medqa-accuracy|x", ("a note",)
        )
    ]
    pairs = [("direct", "zero-shot"), ("patient-zero", "zero-shot"), ("patient-zero", "direct")]
    compared = [
        (backbone.label, one)
        for after, before in pairs
        if after in given
        for one in differences((after, given[after]), (before, given[before]))
    ]
    training = {"patients": 4, "questions": 8, "right": 5, "cases": 4, "suspects": suspects}
    return Results(
        name="table5",
        backbones=(backbone,),
        methods=tuple(named),
        metrics=(Named("medqa-accuracy", "medqa-accuracy", '{"cases": 2}'),),
        results=tuple(found),
        differences=tuple(compared),
        manifest={
            "failures": {},
            "roles": [
                {
                    "role": role,
                    "label": backbone.label,
                    "backbone": backbone.name,
                    "stand_in": backbone == RULES,
                }
                for role in ("generator", "student")
            ],
            "medqa": {
                "set": {
                    "source": "few.jsonl",
                    "options": 4,
                    "audited": audited,
                    "questions": {name: len(one) for name, one in first.items()},
                },
                "patients": dict.fromkeys(first, 2),
                "budget": 600,
                "guard": True,
                "conditions": {
                    f"{backbone.label} {name}": {
                        "student": backbone.name,
                        "outcomes": {part: outcomes(one) for part, one in answers.items()},
                        "words": 140,
                        **({} if name == "zero-shot" else {"training": training}),
                    }
                    for name, answers in given.items()
                },
            },
        },
    )


def parsed(results: Results) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(Table5().files(results)["table5.csv"])))


def test_counts_shares_and_intervals_are_those_of_the_answers() -> None:
    main, *_ = Table5().grids(results_of())
    assert main.title == "Table 5"
    assert main.columns[2:] == ("zero-shot", "trained on direct", "trained on patient-zero")
    assert [row[1] for row in main.rows] == ["Psychiatry", "Urology", ALL]
    # Wilson's interval of 2 of 10, worked out by hand: (0.2 + z2/20 +- ...) / (1 + z2/10).
    assert main.rows[0][2] == "2/10 = 20.00\n[5.67, 50.98]"
    assert main.rows[0][3] == "7/10 = 70.00\n[39.68, 89.22]\n1 without answer"
    assert main.rows[0][4] == "10/10 = 100.00\n[72.25, 100.00]"
    assert main.rows[1][3] == "1/4 = 25.00\n[4.56, 69.94]\n2 without answer"
    assert main.rows[2][2:] == (
        "3/14 = 21.43\n[7.57, 47.59]",
        "8/14 = 57.14\n[32.59, 78.62]\n3 without answer",
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
    assert psychiatry[2].startswith("+5 of 10 = +50.00\n[")
    assert psychiatry[2].endswith("\np = 0.062")
    assert psychiatry[3].endswith("\np = 0.0078")
    assert psychiatry[4].endswith("\np = 0.25")
    assert urology[2].startswith("+0 of 4 = +0.00\n[")
    assert urology[2].endswith("\np = 1")
    assert whole[3].startswith("+9 of 14 = +64.29\n[")
    assert whole[3].endswith("\np = 0.0039")


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [("++++----++", "+---++----"), ("++++++++++", "----------"), ("+-+-+-+-+-", "-+-+-+-+-+")],
)
def test_the_p_value_is_the_binomial_tests(ours: str, theirs: str) -> None:
    (whole, part) = differences(
        ("ours", sheet({"Urology": ours})), ("theirs", sheet({"Urology": theirs}))
    )
    gained = sum((a, b) == ("+", "-") for a, b in zip(ours, theirs, strict=True))
    lost = sum((a, b) == ("-", "+") for a, b in zip(ours, theirs, strict=True))
    assert whole.p_value == pytest.approx(binomtest(gained, gained + lost).pvalue)
    assert whole.value == pytest.approx((gained - lost) / len(ours))
    assert (whole.metric, part.metric) == ("medqa-accuracy", "medqa-accuracy/Urology")
    assert (part.p_value, part.value, part.n) == (whole.p_value, whole.value, whole.n)


def test_questions_that_one_side_lacks_leave_both() -> None:
    (whole, _) = differences(
        ("ours", sheet({"Urology": "++--"})), ("theirs", sheet({"Urology": "-+"}))
    )
    assert (whole.n, whole.value, whole.p_value) == (2, 0.5, 1.0)


def test_every_kind_of_outcome_is_counted_and_shown() -> None:
    grids = {grid.title: grid for grid in Table5().grids(results_of())}
    answers = grids["Table 5, answers"]
    assert answers.columns[2:] == (
        *("right", "wrong", "refused", "invalid", "unreachable"),
        "right of the answered",
    )
    assert answers.rows[1][2:7] == ("8", "3", "1", "1", "1")
    assert answers.rows[1][7].startswith("8/11 = 72.73")
    notes = grids["Table 5"].notes
    assert "medqa-accuracy: a note" in notes
    assert (
        "medqa-accuracy: not right, for want of an answer: 1 refused, 1 invalid, 1 unreachable "
        "(gpt direct)"
    ) in notes
    (row,) = [
        row
        for row in parsed(results_of())
        if (row["condition"], row["department"]) == ("direct", "Urology")
    ]
    assert [row[name] for name in ("k", "n", "refused", "invalid", "unreachable")] == [
        *("1", "4", "0", "1", "1")
    ]


def test_the_learning_curve_begins_untrained_and_ends_with_all() -> None:
    curve = next(grid for grid in Table5().grids(results_of()) if "curve" in grid.title)
    assert curve.columns[2:] == ("0 patients", "1 patients", "2 patients")
    direct, ours = curve.rows
    assert [cell.partition(" ")[0] for cell in direct[2:]] == ["3/14", "14/14", "8/14"]
    assert ours[2].startswith("3/14")
    assert ours[3] == "n/a"
    page = Table5().files(results_of())["table5.html"]
    assert "learning curve: % right after so many patients" in page
    assert "direct, 1" in page


def test_training_and_near_questions_are_told() -> None:
    grids = Table5().grids(results_of(suspects=3))
    training = grids[-1]
    assert training.rows[0][2:5] == ("4", "8", "5")
    assert training.rows[0][-2:] == ("3", "10")
    notes = "\n".join(grids[0].notes)
    assert "left out for all methods: gpt direct 3, gpt patient-zero 3" in notes
    assert "practised on 2 of its patients, the same for every method; at most 600 words" in notes
    assert "no record was nearly identical" in "\n".join(Table5().grids(results_of())[0].notes)


def test_the_papers_figures_stand_only_beside_its_own_questions() -> None:
    results = results_of()
    files = Table5().files(results)
    assert not any(figure in "".join(files.values()) for figure in ("81.03", "91.38", "88.24"))
    assert not any(row["paper_percent"] for row in parsed(results))
    notes = "\n".join(Table5().grids(results)[0].notes)
    assert "the paper's figures are not beside" in notes
    assert "†" not in notes


def test_beside_its_own_questions_they_bring_their_counts() -> None:
    results = results_of(audited=True)
    main, *_ = Table5().grids(results)
    assert main.rows[0][2].endswith("\npaper: 81.03 = 47/58†")
    assert main.rows[0][4].endswith("\npaper: 91.38 = 53/58†")
    assert main.rows[1][2].endswith("\npaper: 77.27 = 17/22†")
    assert main.rows[1][3].endswith("\n2 without answer\npaper: 82.35 = 14/17†")
    assert not any("paper" in cell for cell in main.rows[2])  # it has no pooled figure
    notes = "\n".join(main.notes)
    assert "cannot share their questions in Urology and Endocrinology" in notes
    rows = {(row["condition"], row["department"]): row for row in parsed(results)}
    paper = ("paper_percent", "paper_smallest_k", "paper_smallest_n")
    assert [rows["direct", "Urology"][name] for name in paper] == ["82.35", "14", "17"]
    assert rows["direct", ALL]["paper_percent"] == ""


def test_a_method_of_other_options_has_no_figure_of_the_papers() -> None:
    methods = [
        Named("zero-shot", "zero-shot"),
        Named("direct", "multi-step"),
        Named("patient-zero", "patient-zero", '{"plausibility": "regenerate"}'),
    ]
    main, *_ = Table5().grids(results_of(audited=True, methods=methods))
    assert ["paper" in cell for cell in main.rows[0][2:]] == [True, False, False]


def test_the_stand_in_is_said_everywhere() -> None:
    grids = Table5().grids(results_of(RULES))
    assert all("stand-in: made by the embedded rules" in grid.title for grid in grids)
    assert "the rules know no medicine" in "\n".join(grids[0].notes)
    assert {row["stand_in"] for row in parsed(results_of(RULES))} == {"true"}


def test_students_that_tie_are_said_to_say_nothing() -> None:
    alike = {name: {"Urology": "+-+-"} for name in CONDITIONS}
    main, *_ = Table5().grids(results_of(sheets=alike))
    assert "gpt: all students tie, so training makes no difference here" in main.notes


def test_a_run_without_exam_says_so() -> None:
    results = results_of()
    results.manifest.pop("medqa")
    (grid,) = Table5().grids(results)
    assert grid.notes == ("the run holds no exam: add `medqa:` to the experiment file",)
    assert parsed(results) == []


def test_the_preset_is_the_papers_comparison_offline() -> None:
    preset = load_experiment(Path(Table5.preset))
    assert preset.offline
    assert [method.name for method in preset.methods] == ["direct", "patient-zero"]
    assert preset.departments == ("all",)
    assert preset.medqa is not None
    assert preset.medqa.questions == "sample"
    assert preset.medqa.cases == preset.cases_per_department


def test_the_departments_are_the_papers() -> None:
    with (Path(Table5.preset).parents[1] / "paper" / "table5.csv").open(encoding="utf-8") as file:
        assert tuple(row["department"] for row in csv.DictReader(file)) == DEPARTMENTS
