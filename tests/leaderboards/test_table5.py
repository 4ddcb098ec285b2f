"""Table 5: counts, intervals and p-values are exact; the paper's figures stand where they may."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from scipy.stats import binomtest

from bench.experiments.experiment import load_experiment
from bench.medqa.audit import DEPARTMENTS
from bench.report.tables import Named, Result, Results
from bench.stages.exam_scores import differences, grade, outcomes
from bench.students.answer import Answered, Outcome
from leaderboards.exam import ALL
from leaderboards.table5 import Table5

GPT_4O = Named("gpt", "openai/gpt-4o-2024-08-06")
OTHER = Named("mini", "openai/gpt-4o-mini-2024-07-18")
RULES = Named("rules", "rules")
CONDITIONS = ("zero-shot", "direct", "patient-zero")
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
    student: Named | None = None,
    audited: bool = False,
    sheets: Mapping[str, Mapping[str, str]] = SHEETS,
    suspects: int = 0,
    methods: Sequence[Named] = (),
) -> Results:
    """A run whose students gave known answers."""
    student = student or backbone
    named = methods or [Named(name, name) for name in sheets]
    given = {name: sheet(told) for name, told in sheets.items()}
    first = next(iter(given.values()))
    points = {
        "direct": {1: sheet({name: "+" * len(one) for name, one in sheets["direct"].items()})}
    }
    found = [
        Result(backbone, method, score, RULES in (backbone, student), "exam")
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
    training = {"patients": 4, "questions": 20, "right": 5, "wrong": 7, "refused": 3}
    training |= {"invalid": 4, "error": 1, "cases": 6, "suspects": suspects}
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
                    "label": one.label,
                    "backbone": one.name,
                    "stand_in": one == RULES,
                }
                for role, one in (("generator", backbone), ("student", student))
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
                        "student": student.name,
                        "outcomes": {part: outcomes(one) for part, one in answers.items()},
                        "words": 140,
                        **({} if name == "zero-shot" else {"training": training}),
                    }
                    for name, answers in given.items()
                },
            },
        },
    )


def parsed(results: Results, name: str = "table5.csv") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(Table5().files(results)[name])))


def ties(sheets: Mapping[str, Mapping[str, str]]) -> list[str]:
    """What the notes say of students who come out alike."""
    main, *_ = Table5().grids(results_of(sheets=sheets))
    return [note for note in main.notes if "about training" in note or "totals tie" in note]


def test_counts_shares_and_intervals_are_those_of_the_answers() -> None:
    main, *_ = Table5().grids(results_of())
    assert main.title == "Table 5"
    assert main.columns[2:] == ("zero-shot", "trained on direct", "trained on patient-zero")
    assert [row[1] for row in main.rows] == ["Psychiatry", "Urology", ALL]
    # Wilson's interval of 2 of 10, worked out by hand: (0.2 + z2/20 +- ...) / (1 + z2/10).
    assert main.rows[0][2] == "2/10 = 20.00\n[5.67, 50.98]"
    assert main.rows[0][3] == "7/10 = 70.00\n[39.68, 89.22]\n1 without answer"
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
    assert any("; 9 tests here, and no p is corrected" in note for note in found.notes)


def test_both_discordant_counts_are_shown_and_kept() -> None:
    sheets = {"zero-shot": {"Urology": "++++++-u"}, "direct": {"Urology": "+-----++"}}
    results = results_of(sheets=sheets)
    _, found, *_ = Table5().grids(results)
    # Seven were put to both: +1 -5; exact p of 1 in 6 is 2 * (1 + 6) / 2^6.
    assert found.rows[0][2].startswith("+1 -5 of 7 = -57.14\n[")
    assert found.rows[0][2].endswith("\np = 0.22")
    assert "only the first was right on b and only the second on c" in found.notes[0]
    (row, whole) = reversed(parsed(results, "table5_differences.csv"))
    assert (row["department"], whole["department"]) == ("Urology", ALL)
    assert (row["first"], row["second"]) == ("direct", "zero-shot")
    assert (row["only_first_right"], row["only_second_right"], row["n_shared"]) == ("1", "5", "7")
    assert float(row["value"]) == pytest.approx(-4 / 7, abs=1e-6)
    assert float(row["ci_low"]) < float(row["value"]) < float(row["ci_high"])
    assert float(row["p_mcnemar"]) == pytest.approx(0.21875)
    assert row["stand_in"] == "false"


def test_a_difference_of_no_shared_question_is_none() -> None:
    sheets = {
        "zero-shot": {"Psychiatry": "uuu", "Urology": "++-"},
        "direct": {"Psychiatry": "+++", "Urology": "+--"},
    }
    _, found, *_ = Table5().grids(results_of(sheets=sheets))
    psychiatry, urology, whole = (row[2] for row in found.rows)
    assert psychiatry == "n/a"
    assert urology.partition(" = ")[0] == whole.partition(" = ")[0] == "+0 -1 of 3"


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
        *("right", "wrong", "refused", "invalid", "unreachable", "error"),
        "right of the answered",
    )
    assert answers.rows[1][2:8] == ("8", "3", "1", "1", "1", "0")
    assert answers.rows[1][8].startswith("8/11 = 72.73")
    notes = grids["Table 5"].notes
    assert "medqa-accuracy: a note" in notes
    assert (
        "medqa-accuracy: not right, for want of an answer: 1 refused, 1 invalid (gpt direct)"
    ) in notes
    assert "medqa-accuracy: never put to the student: 1 unreachable (gpt direct)" in notes
    (row,) = [
        row
        for row in parsed(results_of())
        if (row["condition"], row["department"]) == ("direct", "Urology")
    ]
    told = ("k", "n", "n_missing", "refused", "invalid", "unreachable", "error")
    assert [row[name] for name in told] == ["1", "3", "2", "0", "1", "1", "0"]
    assert [row[name] for name in ("bound_low", "bound_high")] == ["0.250000", "0.750000"]


def test_every_line_of_the_csv_says_what_was_asked() -> None:
    rows = parsed(results_of())
    assert {row["department"] for row in rows} == {"Psychiatry", "Urology", ALL}
    assert {(row["questions"], row["options"]) for row in rows} == {("few.jsonl", "4")}
    assert all(row["notes"].startswith("a note") for row in rows)


def test_nothing_answered_is_no_share_and_no_tie() -> None:
    silent = {name: {"Urology": "uuee"} for name in CONDITIONS}
    main, *_ = Table5().grids(results_of(sheets=silent))
    assert main.rows[0][2] == "n/a\n4 not put"
    assert ties(silent) == []
    assert {(row["k"], row["n"], row["value"]) for row in parsed(results_of(sheets=silent))} == {
        ("0", "0", "")
    }
    page = Table5().files(results_of(sheets=silent))["table5.html"]
    assert page.count("<circle") == 1  # of the curve's first point, where all were put


def test_the_learning_curve_begins_untrained_and_ends_with_all() -> None:
    curve = next(grid for grid in Table5().grids(results_of()) if "curve" in grid.title)
    assert curve.columns[2:] == ("0 patients", "1 patients", "2 patients")
    direct, ours = curve.rows
    assert [cell.partition(" ")[0] for cell in direct[2:]] == ["3/14", "14/14", "8/13"]
    assert direct[4].endswith("\n2 without answer\n1 not put\nbounds 57.14 to 78.57")
    assert ours[2].startswith("3/14")
    assert ours[3] == "n/a"
    page = Table5().files(results_of())["table5.html"]
    assert "learning curve: % right after so many patients" in page
    assert "direct, 1<" in page
    assert "direct, 2 (3 missing)<" in page


def test_training_and_near_questions_are_told() -> None:
    grids = Table5().grids(results_of(suspects=3))
    training = grids[-1]
    counts = {row[0]: row[1] for row in training.rows}
    assert training.columns == ("Training", "trained on direct", "trained on patient-zero")
    assert [counts[name] for name in ("patients", "practice questions")] == ["4", "20"]
    outcomes = ("right at once", "wrong", "refused", "invalid", "failed")
    assert [counts[name] for name in outcomes] == ["5", "7", "3", "4", "1"]
    assert [row[1:] for row in training.rows[-2:]] == [("3", "3"), ("10", "10")]
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
    assert main.rows[1][3].endswith("\nbounds 25.00 to 75.00\npaper: 82.35 = 14/17†")
    assert not any("paper" in cell for cell in main.rows[2])  # it has no pooled figure
    notes = "\n".join(main.notes)
    assert "cannot share their questions in Urology and Endocrinology" in notes
    rows = {(row["condition"], row["department"]): row for row in parsed(results)}
    paper = ("paper_percent", "paper_smallest_k", "paper_smallest_n")
    assert [rows["direct", "Urology"][name] for name in paper] == ["82.35", "14", "17"]
    assert rows["direct", ALL]["paper_percent"] == ""
    compared = ("paper_backbone", "comparable")
    assert [rows["direct", "Urology"][name] for name in compared] == ["GPT-4o", "true"]
    assert [rows["direct", ALL][name] for name in compared] == ["", "false"]
    assert "the paper's figure</p>" in Table5().files(results)["table5.html"]


@pytest.mark.parametrize(
    ("backbone", "student"),
    [(RULES, RULES), (RULES, GPT_4O), (GPT_4O, RULES), (GPT_4O, OTHER), (OTHER, OTHER)],
)
def test_on_charts_the_papers_figure_stands_beside_its_own_model_alone(
    backbone: Named, student: Named
) -> None:
    results = results_of(backbone, student=student, audited=True)
    files = Table5().files(results)
    assert "paper: 82.35" in files["table5.md"]
    assert 'class="paper"' not in files["table5.html"]
    assert {row["comparable"] for row in parsed(results)} == {"false"}
    assert {row["paper_backbone"] for row in parsed(results)} == {"GPT-4o", ""}


def test_charts_mark_what_the_stand_in_made_in_part() -> None:
    page = Table5().files(results_of(RULES, student=GPT_4O))["table5.html"]
    assert "partly a stand-in" in page
    assert ">*direct" in page
    assert ">*" not in Table5().files(results_of(RULES))["table5.html"]


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


def test_students_who_know_the_same_are_said_to_say_nothing() -> None:
    alike = {"Urology": "+-+-"}
    assert ties({"zero-shot": alike, "direct": alike}) == [
        "gpt: all students are right on the same questions, which says nothing about training"
    ]


def test_totals_that_tie_say_no_more_than_that() -> None:
    first = {"Psychiatry": "++++++----", "Urology": "----------"}
    second = {"Psychiatry": "----------", "Urology": "++++++----"}
    said = ["gpt: the totals tie, but not question by question: see below"]
    assert ties({"zero-shot": first, "direct": second}) == said
    assert ties({"zero-shot": first, "direct": first | {"Urology": "---------+"}}) == []


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
