"""Table 5 of the paper: MedQA accuracy by department, untrained and trained on records."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from bench.api.cell import Cell
from bench.api.choice import Choice
from bench.api.score import ALL, Score
from bench.api.table import Grid
from bench.report import pivot
from bench.report.page import Chart
from bench.report.pivot import Axis, Beside, Pivot, Place
from bench.report.results import Results
from bench.report.text import score_text
from leaderboards.paper_audit import BASELINE, COLUMNS_5, GENERATED, OURS, SMALL, table5
from leaderboards.paper_figures import NOT_IN_PAPER, paper_backbone

METRIC, ZERO_SHOT, PATIENTS = "medqa-accuracy", "zero-shot", "patients"
ANSWERED, WORDS = "answered", "words"
"""Parts of the metric; the others are outcomes."""
PAPER = {ZERO_SHOT: BASELINE, "direct": GENERATED, "patient-zero": OURS}
"""The paper's column of each method."""
WRITER = Axis("backbone", "Records by")
CURVE = "all departments; patients of each department that its student practised on"
ANSWERS = (
    "refused and invalid: put and not answered, so not right; the two after them were never put, "
    "for a backbone that cannot be reached or whatever else went wrong, and count in the bounds "
    "alone"
)
COUNTS = {
    "patients without": "patients without a practice question",
    "questions": "practice questions",
    "right": "right at once",
    "error": "failed",
    "cases": "cases kept",
    "rules missing": "no rule",
    "suspects": "near a test question",
}
"""Titles of the counts of a training, where they are not their names."""


class Table5:
    """Table 5: exam questions answered right by department, and the learning curve."""

    preset: ClassVar[Path] = Path(__file__).parent / "presets" / "table5.yaml"

    def grids(self, results: Results) -> Sequence[Grid]:
        """The table, the differences, the learning curve, the answers and the training."""
        exam = results.of("answers")
        if not (pivots := _pivots(exam)):
            note = "the run holds no exam: add `exam:`, and the metric medqa-accuracy"
            return [Grid("Table 5", ("Records by", "Department"), (), (note,))]
        main, curve, answers = pivots
        grids = [
            main.grid("Table 5", [*_notes(exam, main)]),
            *main.apart("method", {}).grids("Table 5, paired differences"),
            curve.grid("Table 5, learning curve", [CURVE]),
            answers.grid("Table 5, answers", [ANSWERS]),
            _training(exam, main),
        ]
        return [grid for grid in grids if grid.rows]

    def charts(self, results: Results) -> Sequence[Chart]:
        """One for each department and all, and the learning curve."""
        if not (pivots := _pivots(results.of("answers"))):
            return ()
        main, curve, _ = pivots
        ending = "learning curve: % right after so many patients"
        return [*main.charts("group", ", % right"), *curve.charts(ending=ending)]


def _stage(exam: Results) -> Mapping[str, Any]:
    """What the manifest says of the exam."""
    return next((one for one in exam.manifest["stages"].values() if "set" in one), {})


def _pivots(exam: Results) -> tuple[Pivot, Pivot, Pivot] | None:
    """The table, the learning curve and the outcomes; none without an exam."""
    stage, labels = _stage(exam), exam.values("metric")
    label = next((one for one in labels if exam.named("metric", one).name == METRIC), None)
    scores = [one for one in exam.scores if one.score.metric == label]
    if not stage or not scores:
        return None
    ended = [one for one in scores if one.get(PATIENTS) in ("0", str(stage["cases"]))]
    methods = exam.values("method", scores)
    names = {one: one if one == ZERO_SHOT else f"trained on {one}" for one in methods}
    student = Axis("method", "Student", names)
    groups = {name: name for name in stage["set"]["questions"]} | {ALL: "all departments"}
    shown = partial(_shown, stage["set"]["questions"])
    lay = partial(Pivot, exam, cell=shown, hidden=(PATIENTS,))

    figures = [one for one in ended if not one.score.part and one.score.group in groups]
    departments = Axis("group", "Department", groups)
    main = lay(figures, (WRITER, departments), student, paper=partial(_paper, exam))

    points = [*exam.select(str(label))]
    for one in exam.select(str(label), method=ZERO_SHOT):  # every curve begins with it
        points += [replace(one, cell=one.cell.and_(method=name)) for name in methods]
    points = [one for one in points if one.get("method") != ZERO_SHOT]
    numbers = sorted(exam.values(PATIENTS, points), key=int)
    columns = Axis(PATIENTS, titles={number: f"{number} patients" for number in numbers})
    curve = lay(points, (WRITER, student), columns)

    parts = [one for one in ended if one.score.by == ALL and one.score.part not in ("", WORDS)]
    outcomes = [name for name in exam.values("part", parts) if name != ANSWERED]
    titles = {name: name for name in outcomes} | {ANSWERED: "right of the answered"}
    answers = lay(parts, (WRITER, student), Axis("part", titles=titles), cell=_outcome)
    return main, curve, answers


def _shown(questions: Mapping[str, int], score: Score) -> str:
    """A score as counts, with what was put and not answered, and what was never put."""
    never = questions.get(score.group, sum(questions.values())) - score.n
    lost = max(score.n_missing - never, 0)
    missing = [f"{lost} without answer"] if lost else []
    missing += [f"{never} not put"] if never else []
    return score_text(score, counted=True, missing="\n".join(missing))


def _outcome(score: Score) -> str:
    """How often an outcome came; of what was answered the share."""
    if score.part == ANSWERED:
        return score_text(score.model_copy(update={"n_missing": 0}), counted=True)
    return str(round((score.value or 0.0) * score.n))


def _paper(exam: Results, place: Place) -> Beside | None:
    """The paper's figure, only for its questions; it has none of all departments."""
    method = exam.named("method", place["method"])
    column = None if method.options else PAPER.get(method.name)
    fits = {group.name: group.fits for group in table5()}.get(place["group"], ())
    if not _stage(exam)["set"]["audited"] or column is None or not fits:
        return None
    fit = next(fit for fit in fits if fit.label == COLUMNS_5[column])
    students = [role for role in exam.manifest["roles"] if role["role"] == "student"]
    label = place.get("student", place["backbone"])  # without a student, the writer answers
    own = [one["backbone"] for one in students if one["label"] == label or len(students) == 1]
    same = paper_backbone(Choice(name=own[0] if own else label)) == NOT_IN_PAPER
    text = f"{fit.printed} = {fit.smallest_k}/{fit.smallest_n}†"
    return Beside(text, float(fit.printed) / 100 if same else None)


def _training(exam: Results, main: Pivot) -> Grid:
    """What was learned, and how much of it was shown; a column a student."""
    stage, label = _stage(exam), main.chosen[0].score.metric
    trainings = stage["training"].values()
    names = [*dict.fromkeys(name for one in trainings for name in one if name != "factors")]
    columns = [("Training", *(COUNTS.get(n, n) for n in names), "words shown with a question")]
    trained = {Cell(counts["factors"]): counts for counts in trainings}
    for words in exam.select(label, WORDS, patients=str(stage["cases"])):
        factors = words.cell.without(PATIENTS)
        if (counts := trained.get(factors)) is None:
            continue
        several = [n for n in factors if n != "method" and len(exam.values(n, main.chosen)) > 1]
        aside = f" by {', '.join(factors[name] for name in several)}" if several else ""
        head = f"{main.columns.named(factors['method'])}{aside}"
        shown = f"{words.score.value or 0:.0f}"
        columns.append((head, *(str(counts.get(name, 0)) for name in names), shown))
    heads, *rows = zip(*columns, strict=True)
    title = f"Table 5, training{pivot.standing(exam)}"
    return Grid(title, heads, tuple(rows) if columns[1:] else ())


def _notes(exam: Results, main: Pivot) -> Iterator[str]:
    stage = _stage(exam)
    questions = stage["set"]
    yield (
        f"{sum(questions['questions'].values())} questions of {questions['source']}, "
        f"{questions['options']} options each; right answers of those put to the student, with "
        "Wilson's 95 % interval"
    )
    sizes = sorted(set(stage["patients"].values()))
    yield (
        f"a student for each department, who practised on {'-'.join(map(str, sizes))} of its "
        f"patients, the same for every method; at most {stage['budget']} words of memory with a "
        "question"
    )
    yield from _paper_notes(audited=questions["audited"])
    suspects = sorted((name, one["suspects"]) for name, one in stage["training"].items())
    near = ", ".join(f"{name} {count}" for name, count in suspects if count)
    left = "left out for all methods" if stage["guard"] else "trained on nevertheless"
    if near:
        yield f"records nearly identical to a test question, {left}: {near}"
    else:
        yield "no record was nearly identical to a test question"
    if any(role["role"] == "student" and role["stand_in"] for role in exam.manifest["roles"]):
        yield (
            "the rules know no medicine: they choose by shared words with the outlines, from which "
            "their records are made too"
        )
    yield from main.score_notes()
    whole = [one for one in main.chosen if one.score.by == ALL]
    yield from replace(main, chosen=whole).ties("method")
    yield from pivot.run_notes(exam)


def _paper_notes(*, audited: bool) -> Iterator[str]:
    if not audited:
        yield (
            "the paper's figures are not beside: these are not the 1,273 questions of MedQA's US "
            "test split"
        )
        return
    yield (
        "† GPT-4o's, with the smallest counts that give it; the paper publishes neither its "
        "questions nor their number, and ours are dealt to departments by another list"
    )
    apart = [group.name for group in table5() if not group.common]
    yield (
        f"the paper's columns cannot share their questions in {' and '.join(apart)} (no N up to "
        f"{SMALL} gives all three): `pzbench paper-audit`"
    )
