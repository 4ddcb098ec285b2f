"""Table 5 of the paper: MedQA accuracy by department, untrained and trained on records."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

from bench.api.metric import Difference, Score
from bench.experiments.experiment import MEDQA, ZERO_SHOT
from bench.report.page import Chart, Point, html_page
from bench.report.tables import Grid, Named, Result, Results, csv_text, markdown_text
from bench.students.answer import OUTCOMES
from leaderboards.cells import (
    bracketed,
    failure_words,
    number,
    role_notes,
    score_notes,
    signed,
    standing,
    starred,
)
from leaderboards.exam import ALL, LOST, Exam
from leaderboards.paper_audit import SMALL, table5
from leaderboards.table5_csv import COLUMNS, DIFFERENCES, difference_rows, right_of, score_rows

DIGITS = 2


class Table5:
    """k/N with intervals for each department and all, differences, the learning curve."""

    name: ClassVar[str] = "table5"
    preset: ClassVar[Path] = Path(__file__).parent / "presets" / "table5.yaml"

    def grids(self, results: Results) -> tuple[Grid, ...]:
        """The table, the differences, the learning curve, the answers and the training."""
        exam = Exam(results.of("exam"))
        if not exam.told:
            note = "the run holds no exam: add `medqa:` to the experiment file"
            return (Grid("Table 5", ("Backbone", "Department"), (), (note,)),)
        grids = (_main(exam), _differences(exam), _curve(exam), _answers(exam), _training(exam))
        return tuple(grid for grid in grids if grid.rows)

    def files(self, results: Results) -> dict[str, str]:
        """table5.csv, table5_differences.csv, table5.md and the page table5.html."""
        grids, exam = self.grids(results), Exam(results.of("exam"))
        return {
            "table5.csv": csv_text(COLUMNS, score_rows(exam)),
            "table5_differences.csv": csv_text(DIFFERENCES, difference_rows(exam)),
            "table5.md": "\n".join(markdown_text(grid) for grid in grids),
            "table5.html": html_page(results.name, grids, list(_charts(exam))),
        }


def _main(exam: Exam) -> Grid:
    rows = tuple(
        (
            backbone.label,
            department,
            *(_cell(exam, backbone, method, department) for method in exam.conditions),
        )
        for backbone in exam.backbones
        for department in (*exam.departments, ALL)
    )
    heads = ("Records by", "Department", *(_titled(method) for method in exam.conditions))
    return Grid(f"Table 5{standing(exam.results)}", heads, rows, tuple(_notes(exam)))


def _titled(method: Named) -> str:
    return method.label if method.name == ZERO_SHOT else f"trained on {method.label}"


def _cell(exam: Exam, backbone: Named, method: Named, department: str) -> str:
    """Ours with its interval over the paper's figure."""
    result = exam.find(backbone, method, department)
    if result is None:
        return "n/a"
    fit = exam.paper(method, department)
    paper = f"\npaper: {fit.printed} = {fit.smallest_k}/{fit.smallest_n}†" if fit else ""
    return f"{_shown(exam, result, department)}{paper}"


def _shown(exam: Exam, result: Result, department: str) -> str:
    """A score as counts, with what is missing of it."""
    lost, never = exam.missing(result.score, department)
    lines = [starred(exam.results, result) + counted(result.score)]
    lines += [f"{lost} without answer"] if lost else []
    lines += [f"{never} not put"] if never else []
    if never and result.score.value is not None and result.score.bounds is not None:
        ends = (number(end, percent=True, digits=DIGITS) for end in result.score.bounds)
        lines.append(f"bounds {' to '.join(ends)}")
    return "\n".join(lines)


def counted(score: Score) -> str:
    """A share as counts, per cent and interval: "8/12 = 66.67" over "[39.06, 86.19]"."""
    if score.value is None:
        return "n/a"
    value = number(score.value, percent=True, digits=DIGITS)
    interval = bracketed(score.interval, percent=True, digits=DIGITS)
    return f"{right_of(score)}/{score.n} = {value}{interval}"


def _differences(exam: Exam) -> Grid:
    """Each condition minus each before it, on the same questions."""
    found: dict[tuple[str, str, str, str], Difference] = {}
    couples: dict[tuple[str, str], None] = {}
    for label, department, one in exam.differences():
        found[label, one.first, one.second, department] = one
        couples[one.first, one.second] = None

    def cells(backbone: Named, department: str) -> Iterator[str]:
        for first, second in couples:
            one = found.get((backbone.label, first, second, department))
            yield "n/a" if one is None else _difference(exam, backbone, one)

    rows = tuple(
        (backbone.label, department, *cells(backbone, department))
        for backbone in exam.backbones
        for department in (*exam.departments, ALL)
        if couples
    )
    heads = ("Records by", "Department", *(f"{first} - {second}" for first, second in couples))
    tests = sum(one.p_value is not None for one in found.values())
    notes = (
        "+b -c of n: of the n questions put to both students, only the first was right on b and "
        "only the second on c; then (b - c)/n in per cent, with Bonett and Price's 95 % interval",
        "p: exact two-sided McNemar test, how often b and c would lie so far apart by chance; "
        f"{tests} tests here, and no p is corrected for their number: of twenty where nothing "
        "differs, one may well fall below 0.05",
    )
    title = f"Table 5, paired differences{standing(exam.results)}"
    return Grid(title, heads, rows, notes)


def _difference(exam: Exam, backbone: Named, one: Difference) -> str:
    star = starred(exam.results, *exam.sides(backbone.label, one))
    gained, lost = one.discordant or (None, None)
    counts = f"{round(one.value * one.n):+d}" if gained is None else f"+{gained} -{lost}"
    value = signed(one.value, percent=True, digits=DIGITS)
    interval = bracketed(one.interval, percent=True, digits=DIGITS)
    p = "" if one.p_value is None else f"\np = {one.p_value:.2g}"
    return f"{star}{counts} of {one.n} = {value}{interval}{p}"


def _curve(exam: Exam) -> Grid:
    """All departments after so many patients of each."""
    curves = {
        (backbone, method): exam.points(backbone, method)
        for backbone, method in exam.sat()
        if method.name != ZERO_SHOT
    }
    sizes = sorted({size for points in curves.values() for size in points})
    untrained = next((one for one in exam.conditions if one.name == ZERO_SHOT), None)

    def cells(backbone: Named, points: Mapping[int, Result]) -> Iterator[str]:
        start = exam.find(backbone, untrained, ALL) if untrained else None
        for result in (start, *(points.get(size) for size in sizes)):
            yield "n/a" if result is None else _shown(exam, result, ALL)

    rows = tuple(
        (backbone.label, _titled(method), *cells(backbone, points))
        for (backbone, method), points in curves.items()
    )
    heads = ("Records by", "Student", "0 patients", *(f"{size} patients" for size in sizes))
    notes = ("all departments; patients of each department that its student practised on",)
    return Grid(f"Table 5, learning curve{standing(exam.results)}", heads, rows, notes)


def _answers(exam: Exam) -> Grid:
    """What became of the questions."""
    rows = []
    for backbone, method in exam.sat():
        result = exam.results.find(backbone.label, method.label, f"{MEDQA}/answered")
        outcomes = exam.outcomes(backbone, method, ALL)
        answered = counted(result.score) if result else "n/a"
        rows.append((backbone.label, _titled(method), *map(str, outcomes.values()), answered))
    heads = ("Records by", "Student", *OUTCOMES, "right of the answered")
    notes = (
        f"{' and '.join(LOST)}: put and not answered, so not right; the two after them were never "
        "put, for a backbone that cannot be reached or whatever else went wrong, and count in the "
        "bounds alone",
    )
    return Grid(f"Table 5, answers{standing(exam.results)}", heads, tuple(rows), notes)


_TRAINED = {
    "patients": "patients",
    "patients without": "patients without a practice question",
    "questions": "practice questions",
    "right": "right at once",
    "wrong": "wrong",
    "refused": "refused",
    "invalid": "invalid",
    "error": "failed",
    "cases": "cases kept",
    "rules kept": "rules kept",
    "rules rejected": "rules rejected",
    "rules missing": "no rule",
    "suspects": "near a test question",
}


def _training(exam: Exam) -> Grid:
    """What was learned, and how much of it was shown; a column a student."""
    several = len(exam.backbones) > 1
    columns = {}
    for backbone, method in exam.sat():
        told = exam.condition(backbone, method)
        trained = told.get("training")
        if trained is not None:
            counts = [str(trained.get(name, 0)) for name in _TRAINED]
            words = f"{told['words'] / exam.asked(ALL):.0f}"
            title = f"{_titled(method)}{f' by {backbone.label}' if several else ''}"
            columns[title] = [*counts, words]
    names = (*_TRAINED.values(), "words shown with a question")
    rows = tuple(zip(names, *columns.values(), strict=True)) if columns else ()
    return Grid(f"Table 5, training{standing(exam.results)}", ("Training", *columns), rows)


def _notes(exam: Exam) -> Iterator[str]:
    results, told = exam.results, exam.told
    questions = told["set"]
    yield (
        f"{exam.asked(ALL)} questions of {questions['source']}, {questions['options']} options "
        "each; right answers of those put to the student, with Wilson's 95 % interval"
    )
    sizes = sorted(set(told["patients"].values()))
    yield (
        f"a student for each department, who practised on {'-'.join(map(str, sizes))} of its "
        f"patients, the same for every method; at most {told['budget']} words of memory with a "
        "question"
    )
    yield from _paper_notes(exam)
    yield from _guard_notes(exam)
    if any(role["role"] == "student" and role["stand_in"] for role in results.manifest["roles"]):
        yield (
            "the rules know no medicine: they choose by shared words with the outlines, from which "
            "their records are made too"
        )
    yield from score_notes(results, sum(1 for _ in results.systems()))
    yield from _ties(exam)
    yield f"failures: {failure_words(results)}"
    yield from role_notes(results)


def _paper_notes(exam: Exam) -> Iterator[str]:
    if not exam.audited:
        yield (
            "the paper's figures are not beside: these are not the 1,273 questions of MedQA's US "
            "test split"
        )
        return
    apart = [group.name for group in table5() if not group.common]
    yield (
        "† GPT-4o's, with the smallest counts that give it; the paper publishes neither its "
        "questions nor their number, and ours are dealt to departments by another list"
    )
    yield (
        f"the paper's columns cannot share their questions in {' and '.join(apart)} (no N up to "
        f"{SMALL} gives all three): `pzbench paper-audit`"
    )


def _guard_notes(exam: Exam) -> Iterator[str]:
    found = {
        name: told["training"]["suspects"]
        for name, told in exam.told["conditions"].items()
        if told.get("training", {}).get("suspects")
    }
    done = "left out for all methods" if exam.told["guard"] else "trained on nevertheless"
    if found:
        listed = ", ".join(f"{name} {count}" for name, count in found.items())
        yield f"records nearly identical to a test question, {done}: {listed}"
    else:
        yield "no record was nearly identical to a test question"


def _ties(exam: Exam) -> Iterator[str]:
    for backbone in exam.backbones:
        found = [exam.find(backbone, method, ALL) for method in exam.conditions]
        scores = [result.score for result in found if result is not None]
        if len(scores) < 2 or any(score.value is None for score in scores):
            continue
        if all(score.items == scores[0].items for score in scores):
            yield (
                f"{backbone.label}: all students are right on the same questions, which says "
                "nothing about training"
            )
        elif len({(right_of(score), score.n) for score in scores}) == 1:
            yield f"{backbone.label}: the totals tie, but not question by question: see below"


def _charts(exam: Exam) -> Iterator[Chart]:
    if not exam.told:
        return
    mark = " (stand-in)" if exam.results.all_stand_in else ""
    for department in (ALL, *exam.departments):
        found = [
            _point(exam, method.label, result, department)
            for backbone, method in exam.sat()
            if (result := exam.find(backbone, method, department)) is not None
        ]
        yield Chart(f"{department}, % right{mark}", tuple(filter(None, found)))
    curve = [
        _point(exam, f"{method.label}, {size}", result, ALL, beside=False)
        for backbone, method in exam.sat()
        if method.name != ZERO_SHOT
        for size, result in sorted(exam.points(backbone, method).items())
    ]
    title = f"learning curve: % right after so many patients{mark}"
    yield Chart(title, tuple(filter(None, curve)))


def _point(
    exam: Exam, label: str, result: Result, department: str, *, beside: bool = True
) -> Point | None:
    """Ours with what is missing, and the paper's where the student is the paper's."""
    score, fit = result.score, exam.paper(result.method, department) if beside else None
    if score.value is None:
        return None
    named = f"{result.backbone.label} {label}" if len(exam.backbones) > 1 else label
    missing = f" ({score.n_missing} missing)" if score.n_missing else ""
    return Point(
        label=f"{starred(exam.results, result)}{named}{missing}",
        value=100 * score.value,
        low=100 * score.interval.low if score.interval else None,
        high=100 * score.interval.high if score.interval else None,
        paper=float(fit.printed) if fit and exam.comparable(result, fit) else None,
    )
