"""`pzbench medqa`: MedQA questions and the departments they belong to."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bench.cli.options import AtOnce, JournalPath, RetryFailed, SameModel

if TYPE_CHECKING:
    from bench.api.failure import Failure
    from bench.authoring.question_labels import VotedLabel
    from bench.medqa.question import QuestionSet
    from bench.runs.settings import Settings

Source = typer.Option(
    None,
    "--medqa",
    help="File or folder of questions, hub:OWNER/NAME@REVISION, or `sample`; the variable "
    "PZBENCH_MEDQA if not given.",
)
FAILED = frozenset(("refusal", "invalid", "cut", "error"))
"""Votes that are none: how an ask may fail."""
app = typer.Typer(
    help="MedQA questions by department.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("show")
def show_questions(
    medqa: str | None = Source,
    labels: Path | None = typer.Option(None, "--labels", help="File of departments of questions."),
    include_borderline: bool = typer.Option(
        False, "--include-borderline", help="Count what may as well belong elsewhere as chosen."
    ),
) -> None:
    """Count a set's questions by department, and see whether it is the audited MedQA test split."""
    from bench.api.table import Grid
    from bench.cli.screen import show_grids
    from bench.medqa.audit import is_audited_split, manifest
    from bench.medqa.departments import Departments
    from bench.medqa.labels import DEPARTMENTS, read_labels

    questions = _read(medqa)
    dealt = Departments(questions, read_labels(labels) if labels else None)
    chosen = dealt.select(include_borderline=include_borderline)
    counts = Counter((one.department, one.label) for one in dealt.assigned if one)
    others = sorted({department for department, _ in counts} - set(DEPARTMENTS))
    names = (*DEPARTMENTS, *others)
    numbers: list[tuple[int, ...]] = [
        (counts[name, "clear"], counts[name, "borderline"], len(chosen.get(name, ())))
        for name in names
    ]
    numbers.append(tuple(map(sum, zip(*numbers, strict=True))))
    rows = zip((*names, "all of these"), numbers, strict=True)
    sources = ", ".join(f"{source} ({count})" for source, count in dealt.described().items())
    notes = [
        f"source: {questions.source}",
        f"{len(questions.questions)} questions, {questions.options} options each; department by "
        f"{sources}",
        "used: what Table 5 counts; near repeats of another question are left out",
        *dealt.notes(),
    ]
    if is_audited_split(questions.ids):
        split = manifest()
        notes.append(f"the set is {split['source']['dataset']}, list version {split['version']}")
    columns = ("Department", "Clear", "Borderline", "Used")
    cells = tuple((name, *map(str, row)) for name, row in rows)
    show_grids([Grid("Questions by department", columns, cells, tuple(notes))])


@app.command("classify")
def classify_questions(
    medqa: str | None = Source,
    backbone: str = typer.Option(..., "--backbone", "-b", help="Backbone that labels."),
    out: Path = typer.Option(..., "--out", help="File that receives the labels."),
    journal: Path | None = JournalPath,
    at_once: int = AtOnce,
    retry_failed: bool = RetryFailed,
    same_model: bool = SameModel,
) -> None:
    """Have a language model say to which department each question belongs: three votes each."""
    from bench.api.failure import Failure
    from bench.authoring.question_labels import VotedLabel, agreement
    from bench.cli.screen import FAILED_ITEMS, report_failures, run_until_stopped, say, show_files
    from bench.core.atomic import check_writable, write_text
    from bench.medqa.labels import read_labels
    from bench.runs.settings import Settings

    if out.exists():
        read_labels(out)  # nothing but labels is written over
    check_writable(out)
    questions = _read(medqa)
    kept = journal or out.with_name(f".{out.name}.journal.sqlite")
    settings = Settings(kept, at_once, retry_failed, same_model)
    made = run_until_stopped(_classify(questions, backbone, settings))
    report_failures(
        [one for one in made if isinstance(one, Failure)],
        f"{out} is not written; run the same command again to ask for them",
    )
    rows = [one for one in made if isinstance(one, VotedLabel)]
    labels = Counter(row.label for row in rows)
    votes = Counter(vote for row in rows for vote in row.votes)
    typer.echo(
        f"{len(rows)} questions: {labels['clear']} clear, {labels['borderline']} borderline, "
        f"{labels['undecided']} undecided; votes without an answer: {votes['refusal']} refused, "
        f"{votes['invalid']} invalid, {votes['cut']} cut off, {votes['error']} failed"
    )
    typer.echo(agreement(questions, rows))
    write_text(out, "".join(row.model_dump_json() + "\n" for row in rows))
    show_files([out])
    if lost := sum(FAILED.issuperset(row.votes) for row in rows):
        say(f"{lost} questions have no vote; --retry-failed asks for them again", err=True)
        raise typer.Exit(FAILED_ITEMS)


def _read(source: str | None) -> "QuestionSet":
    from bench.cli.screen import warn
    from bench.medqa.sources import load_questions

    questions = load_questions(source)
    warn(f"{questions.source}: {warning}" for warning in questions.warnings)
    return questions


async def _classify(
    questions: "QuestionSet", backbone: str, settings: "Settings"
) -> "list[VotedLabel | Failure]":
    from bench.api.choice import parse_choice
    from bench.api.failure import Failure
    from bench.authoring.question_labels import VotedLabel, classify
    from bench.cli.screen import Progressing, warn
    from bench.runs.roles import engaged

    made: list[VotedLabel | Failure] = []
    with Progressing().stage("classify", len(questions.questions)) as done:
        async with engaged("classifier", parse_choice(backbone), settings) as respondent:
            async for one in classify(questions.questions, respondent, settings.at_once):
                made.append(one)
                done(failed=isinstance(one, Failure))
            warn(respondent.notes)
    return made
