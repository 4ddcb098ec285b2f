"""Table 5 of the paper: MedQA accuracy by department, untrained and trained on records."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from bench.page import Chart, Point, html_page
from bench.runs.experiment import MEDQA, ZERO_SHOT
from bench.scoring import Difference, Score
from bench.tables import Grid, Named, Result, Results, Value, csv_text, markdown_text
from leaderboards.cells import (
    bracketed,
    failure_words,
    number,
    role_notes,
    score_notes,
    signed,
    standing,
)
from leaderboards.paper_audit import BASELINE, COLUMNS_5, GENERATED, OURS, SMALL, Fit, table5

ALL = "all departments"
DIGITS = 2
PAPER = {ZERO_SHOT: BASELINE, "direct": GENERATED, "patient-zero": OURS}
"""The paper's column of each condition."""
CSV_COLUMNS = (
    "backbone",
    "student",
    "condition",
    "department",
    "k",
    "n",
    "value",
    "ci_low",
    "ci_high",
    "ci_method",
    "right",
    "wrong",
    "refused",
    "invalid",
    "unreachable",
    "patients",
    "paper_percent",
    "paper_smallest_k",
    "paper_smallest_n",
    "stand_in",
    "signature",
    "notes",
)


@dataclass(frozen=True)
class _Exam:
    """A run's exam, as results and manifest tell it."""

    results: Results

    @property
    def told(self) -> dict[str, Any]:
        """What the manifest says of the exam; empty without one."""
        found: dict[str, Any] = self.results.manifest.get("medqa", {})
        return found

    @property
    def departments(self) -> tuple[str, ...]:
        """Those with questions, in the paper's order."""
        return tuple(self.told["set"]["questions"]) if self.told else ()

    @property
    def audited(self) -> bool:
        """Whether the questions are MedQA's US test split, so that the paper's may stand beside."""
        return bool(self.told and self.told["set"]["audited"])

    def sat(self) -> Iterator[tuple[Named, Named]]:
        """Each backbone with each of its conditions."""
        for backbone, method in self.results.systems():
            if self.find(backbone, method, ALL) is not None:
                yield backbone, method

    @property
    def backbones(self) -> list[Named]:
        """Backbones whose records were trained on."""
        return list(dict.fromkeys(backbone for backbone, _ in self.sat()))

    @property
    def conditions(self) -> list[Named]:
        """All conditions, untrained first."""
        found = {method for _, method in self.sat()}
        return [method for method in self.results.methods if method in found]

    def find(self, backbone: Named, method: Named, department: str) -> Result | None:
        """The score of a condition in a department or in all."""
        metric = MEDQA if department == ALL else f"{MEDQA}/{department}"
        return self.results.find(backbone.label, method.label, metric)

    def paper(self, method: Named, department: str) -> Fit | None:
        """The paper's figure, only for the paper's questions; of all departments it has none."""
        column = None if method.options else PAPER.get(method.name)
        if not self.audited or column is None:
            return None
        for group in table5():
            if group.name == department:
                return next(fit for fit in group.fits if fit.label == COLUMNS_5[column])
        return None

    def condition(self, backbone: Named, method: Named) -> dict[str, Any]:
        """What the manifest says of one condition."""
        found: dict[str, Any] = self.told["conditions"][f"{backbone.label} {method.label}"]
        return found

    def outcomes(self, backbone: Named, method: Named, department: str) -> dict[str, int]:
        """How often each outcome came."""
        every: Mapping[str, dict[str, int]] = self.condition(backbone, method)["outcomes"]
        if department != ALL:
            return every[department]
        first = next(iter(every.values()))
        return {name: sum(counted[name] for counted in every.values()) for name in first}

    def mark(self, result: Result | None) -> str:
        """A star for what the stand-in made, where not all is its."""
        made_up = result is not None and result.stand_in
        return "*" if made_up and not self.results.all_stand_in else ""


class Table5:
    """k/N with intervals for each department and all, differences, the learning curve."""

    name: ClassVar[str] = "table5"
    preset: ClassVar[Path] = Path(__file__).parent / "presets" / "table5.yaml"

    def grids(self, results: Results) -> tuple[Grid, ...]:
        """The table, the differences, the learning curve, the answers and the training."""
        exam = _Exam(results)
        if not exam.told:
            note = "the run holds no exam: add `medqa:` to the experiment file"
            return (Grid("Table 5", ("Backbone", "Department"), (), (note,)),)
        grids = (_main(exam), _differences(exam), _curve(exam), _answers(exam), _training(exam))
        return tuple(grid for grid in grids if grid.rows)

    def files(self, results: Results) -> dict[str, str]:
        """table5.csv, table5.md and the page table5.html."""
        grids, exam = self.grids(results), _Exam(results)
        return {
            "table5.csv": csv_text(CSV_COLUMNS, _csv_rows(exam)),
            "table5.md": "\n".join(markdown_text(grid) for grid in grids),
            "table5.html": html_page(results.name, grids, list(_charts(exam))),
        }


def _main(exam: _Exam) -> Grid:
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


def _cell(exam: _Exam, backbone: Named, method: Named, department: str) -> str:
    """Ours with its interval over the paper's figure."""
    result = exam.find(backbone, method, department)
    if result is None:
        return "n/a"
    missing = result.score.n_missing
    lost = f"\n{missing} without answer" if missing else ""
    fit = exam.paper(method, department)
    paper = f"\npaper: {fit.printed} = {fit.smallest_k}/{fit.smallest_n}†" if fit else ""
    return f"{exam.mark(result)}{counted(result.score)}{lost}{paper}"


def right_of(score: Score) -> int:
    """The number of right answers behind a share."""
    return round((score.value or 0.0) * score.n)


def counted(score: Score) -> str:
    """A share as counts, per cent and interval: "8/12 = 66.67" over "[39.06, 86.19]"."""
    if score.value is None:
        return "n/a"
    value = number(score.value, percent=True, digits=DIGITS)
    interval = bracketed(score.interval, percent=True, digits=DIGITS)
    return f"{right_of(score)}/{score.n} = {value}{interval}"


def _differences(exam: _Exam) -> Grid:
    """Each condition minus each before it, on the same questions."""
    found: dict[tuple[str, str, str, str], Difference] = {}
    couples: dict[tuple[str, str], None] = {}
    for label, one in exam.results.differences:
        metric, _, department = one.metric.partition("/")
        if metric == MEDQA:
            found[label, one.first, one.second, department or ALL] = one
            couples[one.first, one.second] = None

    def cells(backbone: Named, department: str) -> Iterator[str]:
        for first, second in couples:
            yield _difference(
                exam, backbone, found.get((backbone.label, first, second, department))
            )

    rows = tuple(
        (backbone.label, department, *cells(backbone, department))
        for backbone in exam.backbones
        for department in (*exam.departments, ALL)
        if couples
    )
    heads = ("Records by", "Department", *(f"{first} - {second}" for first, second in couples))
    notes = (
        "questions more right than less, of those put; p: exact two-sided McNemar on the same "
        "questions; not corrected for the number of comparisons",
    )
    title = f"Table 5, paired differences{standing(exam.results)}"
    return Grid(title, heads, rows, notes)


def _difference(exam: _Exam, backbone: Named, one: Difference | None) -> str:
    if one is None:
        return "n/a"
    labels = (backbone.label, "none")
    sides = [
        exam.results.find(label, side, MEDQA)
        for side in (one.first, one.second)
        for label in labels
    ]
    star = next((mark for side in sides if (mark := exam.mark(side))), "")
    value = signed(one.value, percent=True, digits=DIGITS)
    interval = bracketed(one.interval, percent=True, digits=DIGITS)
    p = "" if one.p_value is None else f"\np = {one.p_value:.2g}"
    return f"{star}{round(one.value * one.n):+d} of {one.n} = {value}{interval}{p}"


def _points_of(exam: _Exam, backbone: Named, method: Named) -> dict[int, Result]:
    """The scores along the curve by number of patients, the end included."""
    found: dict[int, Result] = {}
    for result in exam.results.results:
        _, after, cases = result.score.metric.partition(f"{MEDQA}/after-")
        if after and (result.backbone, result.method) == (backbone, method):
            found[int(cases)] = result
    last = exam.find(backbone, method, ALL)
    return found | ({_patients(exam): last} if last else {})


def _patients(exam: _Exam) -> int:
    """Patients of a department at the end; the most, where they are not all alike."""
    return max(exam.told["patients"].values(), default=0)


def _curve(exam: _Exam) -> Grid:
    """All departments after so many patients of each."""
    curves = {
        (backbone, method): _points_of(exam, backbone, method)
        for backbone, method in exam.sat()
        if method.name != ZERO_SHOT
    }
    sizes = sorted({size for points in curves.values() for size in points})
    untrained = next((one for one in exam.conditions if one.name == ZERO_SHOT), None)

    def cells(backbone: Named, points: Mapping[int, Result]) -> Iterator[str]:
        start = exam.find(backbone, untrained, ALL) if untrained else None
        for result in (start, *(points.get(size) for size in sizes)):
            yield "n/a" if result is None else f"{exam.mark(result)}{counted(result.score)}"

    rows = tuple(
        (backbone.label, _titled(method), *cells(backbone, points))
        for (backbone, method), points in curves.items()
    )
    heads = ("Records by", "Student", "0 patients", *(f"{size} patients" for size in sizes))
    notes = ("all departments; patients of each department that its student practised on",)
    return Grid(f"Table 5, learning curve{standing(exam.results)}", heads, rows, notes)


def _answers(exam: _Exam) -> Grid:
    """What became of the questions."""
    rows = []
    for backbone, method in exam.sat():
        result = exam.results.find(backbone.label, method.label, f"{MEDQA}/answered")
        outcomes = exam.outcomes(backbone, method, ALL)
        answered = counted(result.score) if result else "n/a"
        rows.append((backbone.label, _titled(method), *map(str, outcomes.values()), answered))
    names = exam.outcomes(*next(exam.sat()), ALL)
    heads = ("Records by", "Student", *names, "right of the answered")
    return Grid(f"Table 5, answers{standing(exam.results)}", heads, tuple(rows))


TRAINING = {
    "patients": "patients",
    "questions": "practice questions",
    "right": "right at once",
    "cases": "cases kept",
    "rules kept": "rules kept",
    "rules rejected": "rules rejected",
    "rules missing": "no rule",
    "suspects": "near a test question",
}


def _training(exam: _Exam) -> Grid:
    """What was learned, and how much of it was shown."""
    rows = []
    for backbone, method in exam.sat():
        told = exam.condition(backbone, method)
        trained = told.get("training")
        if trained is not None:
            n = sum(exam.told["set"]["questions"].values())
            counts = (str(trained.get(name, 0)) for name in TRAINING)
            words = f"{told['words'] / n:.0f}"
            rows.append((backbone.label, _titled(method), *counts, words))
    heads = ("Records by", "Student", *TRAINING.values(), "words shown with a question")
    return Grid(f"Table 5, training{standing(exam.results)}", heads, tuple(rows))


def _csv_rows(exam: _Exam) -> Iterator[list[Value]]:
    if not exam.told:
        return
    for backbone, method in exam.sat():
        for department in (*exam.departments, ALL):
            result = exam.find(backbone, method, department)
            if result is not None:
                yield _csv_row(exam, result, department)


def _csv_row(exam: _Exam, result: Result, department: str) -> list[Value]:
    score, interval = result.score, result.score.interval
    fit = exam.paper(result.method, department)
    whole: dict[str, int] = exam.told["patients"]
    patients = sum(whole.values()) if department == ALL else whole[department]
    return [
        result.backbone.label,
        exam.condition(result.backbone, result.method)["student"],
        result.method.label,
        department,
        right_of(score),
        score.n,
        score.value,
        interval.low if interval else None,
        interval.high if interval else None,
        interval.method if interval else None,
        *exam.outcomes(result.backbone, result.method, department).values(),
        0 if result.method.name == ZERO_SHOT else patients,
        fit.printed if fit else None,
        fit.smallest_k if fit else None,
        fit.smallest_n if fit else None,
        result.stand_in,
        score.signature,
        "; ".join(score.notes),
    ]


def _notes(exam: _Exam) -> Iterator[str]:
    results, told = exam.results, exam.told
    questions = told["set"]
    yield (
        f"{sum(questions['questions'].values())} questions of {questions['source']}, "
        f"{questions['options']} options each; right answers of all, with Wilson's 95 % interval"
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


def _paper_notes(exam: _Exam) -> Iterator[str]:
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


def _guard_notes(exam: _Exam) -> Iterator[str]:
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


def _ties(exam: _Exam) -> Iterator[str]:
    for backbone in exam.backbones:
        found = [exam.find(backbone, method, ALL) for method in exam.conditions]
        values = {result.score.value for result in found if result is not None}
        if len(values) == 1 and sum(result is not None for result in found) > 1:
            yield f"{backbone.label}: all students tie, so training makes no difference here"


def _charts(exam: _Exam) -> Iterator[Chart]:
    if not exam.told:
        return
    mark = " (stand-in)" if exam.results.all_stand_in else ""
    several = len(exam.backbones) > 1

    def point(label: str, backbone: Named, result: Result, paper: float | None = None) -> Point:
        interval = result.score.interval
        return Point(
            label=f"{backbone.label} {label}" if several else label,
            value=100 * (result.score.value or 0.0),
            low=100 * interval.low if interval else None,
            high=100 * interval.high if interval else None,
            paper=paper,
        )

    for department in (ALL, *exam.departments):
        points = []
        for backbone, method in exam.sat():
            result = exam.find(backbone, method, department)
            fit = exam.paper(method, department)
            if result is not None:
                paper = float(fit.printed) if fit else None
                points.append(point(method.label, backbone, result, paper))
        yield Chart(f"{department}, % right{mark}", tuple(points))
    curve = [
        point(f"{method.label}, {size}", backbone, result)
        for backbone, method in exam.sat()
        if method.name != ZERO_SHOT
        for size, result in sorted(_points_of(exam, backbone, method).items())
    ]
    yield Chart(f"learning curve: % right after so many patients{mark}", tuple(curve))
