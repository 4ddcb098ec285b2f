"""Table 5 of the paper: MedQA accuracy by department, untrained and trained on records."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from bench.api.choice import Choice
from bench.api.score import ALL, Score
from bench.api.table import Grid
from bench.report import pivot
from bench.report.page import Chart
from bench.report.pivot import Axis, Beside, Pivot, Place
from bench.report.results import Results
from bench.report.text import score_text
from leaderboards.grim import BASELINE, GENERATED, LIMIT, OURS, smallest, without_common_n
from leaderboards.paper_figures import NOT_IN_PAPER, paper_backbone, printed

METRIC, ZERO_SHOT, PATIENTS = "medqa-accuracy", "zero-shot", "patients"
ANSWERED, WORDS = "answered", "words"
LAST = {ANSWERED: "right of the answered", WORDS: "words shown with a question"}
"""Parts of the metric that are no outcomes."""
PAPER = {ZERO_SHOT: BASELINE, "direct": GENERATED, "patient-zero": OURS}
"""The paper's column of each method."""
NEAR = "records near a test question"
WRITER = Axis("backbone", "Records by")
CURVE = "all departments; patients of each department that its student practised on"
ANSWERS = (
    "refused and invalid: put and not answered, so not right; the two after them were never put, "
    "for a backbone that cannot be reached or whatever else went wrong, and count in the bounds "
    "alone"
)


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
            _training(exam),
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
    ended = [one for one in scores if one.get(PATIENTS) in ("0", str(stage["settings"]["cases"]))]
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

    parts = [one for one in ended if one.score.by == ALL and one.score.part]
    outcomes = [name for name in exam.values("part", parts) if name not in LAST]
    titles = {name: name for name in outcomes} | LAST
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
    """How often an outcome came; of what was answered the share, of the words the mean."""
    if score.part in LAST:
        known = score.model_copy(update={"n_missing": 0})
        return score_text(known, counted=score.part == ANSWERED, digits=0)
    return str(round((score.value or 0.0) * score.n))


def _paper(exam: Results, place: Place) -> Beside | None:
    """The paper's figure, only for its questions; it has none of all departments."""
    method = exam.named("method", place["method"])
    column = None if method.options else PAPER.get(method.name)
    figure = printed(5, column or "", department=place["group"])
    if figure is None or not _stage(exam)["set"]["audited"]:
        return None
    students = [role for role in exam.manifest["roles"] if role["role"] == "student"]
    label = place.get("student", place["backbone"])  # without a student, the writer answers
    own = [one["backbone"] for one in students if one["label"] == label or len(students) == 1]
    same = paper_backbone(Choice(name=own[0] if own else label)) == NOT_IN_PAPER
    return Beside(f"{figure} = {smallest(figure)}†", float(figure) / 100 if same else None)


def _training(exam: Results) -> Grid:
    """What was learned; a column a student."""
    trainings = _stage(exam)["training"]
    names = dict.fromkeys(name for one in trainings.values() for name in one if name != "factors")
    rows = ((name, *(str(one.get(name, 0)) for one in trainings.values())) for name in names)
    title = f"Table 5, training{pivot.standing(exam)}"
    return Grid(title, ("Training", *trainings), tuple(rows) if trainings else ())


def _notes(exam: Results, main: Pivot) -> Iterator[str]:
    stage = _stage(exam)
    questions, settings = stage["set"], stage["settings"]
    yield (
        f"{sum(questions['questions'].values())} questions of {questions['source']}, "
        f"{questions['options']} options each; right answers of those put to the student, with "
        "Wilson's 95 % interval"
    )
    sizes = sorted(set(stage["patients"].values()))
    yield (
        f"a student for each department, who practised on {'-'.join(map(str, sizes))} of its "
        f"patients, the same for every method; at most {settings['budget']} words of memory with a "
        "question"
    )
    if questions["audited"]:
        yield (
            "† GPT-4o's, with the smallest counts that give it; the paper publishes neither its "
            "questions nor their number, and ours are dealt to departments by another list"
        )
        yield (
            f"the paper's columns cannot share their questions in "
            f"{' and '.join(without_common_n())} (no N up to {LIMIT} gives all three): "
            "docs/notes-on-the-paper.md"
        )
    else:
        yield "the paper's figures are not beside: it asked MedQA's US test questions, not these"
    suspects = sorted((name, one[NEAR]) for name, one in stage["training"].items())
    near = ", ".join(f"{name} {count}" for name, count in suspects if count)
    left = "left out for all methods" if settings["guard"] else "trained on nevertheless"
    yield f"records nearly identical to a test question, {left}: {near or 'none'}"
    if any(role["role"] == "student" and role["stand_in"] for role in exam.manifest["roles"]):
        yield (
            "the rules know no medicine: they choose by shared words with the outlines, from which "
            "their records are made too"
        )
    yield from main.score_notes()
    whole = [one for one in main.chosen if one.score.by == ALL]
    yield from replace(main, chosen=whole).ties("method")
    yield from pivot.run_notes(exam)
