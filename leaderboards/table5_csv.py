"""Table 5 as CSV: every score and every paired difference."""

from collections.abc import Iterator

from bench.api.metric import Score
from bench.experiments.experiment import ZERO_SHOT
from bench.report.tables import Result, Value
from bench.students.answer import OUTCOMES
from leaderboards.cells import bound_cells, interval_cells
from leaderboards.exam import ALL, Exam
from leaderboards.paper_figures import NOT_IN_PAPER

COLUMNS = (
    "backbone",
    "student",
    "condition",
    "department",
    "k",
    "n",
    "n_missing",
    "value",
    "ci_low",
    "ci_high",
    "ci_method",
    "bound_low",
    "bound_high",
    *OUTCOMES,
    "patients",
    "questions",
    "options",
    "paper_backbone",
    "paper_percent",
    "paper_smallest_k",
    "paper_smallest_n",
    "comparable",
    "stand_in",
    "signature",
    "notes",
)
DIFFERENCES = (
    "backbone",
    "first",
    "second",
    "department",
    "only_first_right",
    "only_second_right",
    "n_shared",
    "value",
    "ci_low",
    "ci_high",
    "ci_method",
    "p_mcnemar",
    "stand_in",
)


def right_of(score: Score) -> int:
    """The number of right answers behind a share."""
    return round((score.value or 0.0) * score.n)


def score_rows(exam: Exam) -> Iterator[list[Value]]:
    """One line for each condition in each department and in all."""
    if not exam.told:
        return
    for backbone, method in exam.sat():
        for department in (*exam.departments, ALL):
            result = exam.find(backbone, method, department)
            if result is not None:
                yield _row(exam, result, department)


def _row(exam: Exam, result: Result, department: str) -> list[Value]:
    score, fit = result.score, exam.paper(result.method, department)
    whole: dict[str, int] = exam.told["patients"]
    patients = sum(whole.values()) if department == ALL else whole[department]
    return [
        result.backbone.label,
        exam.student(result),
        result.method.label,
        department,
        right_of(score),
        score.n,
        score.n_missing,
        score.value,
        *interval_cells(score.interval),
        *bound_cells(score.bounds),
        *exam.outcomes(result.backbone, result.method, department).values(),
        0 if result.method.name == ZERO_SHOT else patients,
        exam.told["set"]["source"],
        exam.told["set"]["options"],
        NOT_IN_PAPER if fit else None,
        fit.printed if fit else None,
        fit.smallest_k if fit else None,
        fit.smallest_n if fit else None,
        exam.comparable(result, fit),
        result.stand_in,
        score.signature,
        "; ".join(score.notes),
    ]


def difference_rows(exam: Exam) -> Iterator[list[Value]]:
    """One line for each two conditions in each department and in all."""
    for label, department, one in exam.differences():
        gained, lost = one.discordant or (None, None)
        yield [
            label,
            one.first,
            one.second,
            department,
            gained,
            lost,
            one.n,
            one.value,
            *interval_cells(one.interval),
            one.p_value,
            any(side is not None and side.stand_in for side in exam.sides(label, one)),
        ]
