"""`pzbench medqa`: MedQA questions and the departments they belong to."""

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bench.cli.options import usable

if TYPE_CHECKING:
    from bench.api.failure import Failure
    from bench.medqa.labels import Classified
    from bench.medqa.question_files import QuestionSet

Source = typer.Option(
    None,
    "--medqa",
    help="File or folder of questions, hub:OWNER/NAME@REVISION, or `sample`; the variable "
    "PZBENCH_MEDQA if not given.",
)
app = typer.Typer(
    help="MedQA questions by department.", no_args_is_help=True, rich_markup_mode=None
)


@app.command("show")
def show_questions(
    medqa: str | None = Source,
    labels: Path | None = typer.Option(
        None, "--labels", callback=usable, help="Labels that `pzbench medqa classify` made."
    ),
    include_borderline: bool = typer.Option(
        False, "--include-borderline", help="Count what may as well belong elsewhere as chosen."
    ),
) -> None:
    """Count a set's questions by department, and see whether it is the audited MedQA test split."""
    from bench.api.table import Grid
    from bench.cli.screen import show_grids
    from bench.medqa.audit import DEPARTMENTS, is_audited_split, manifest
    from bench.medqa.departments import Departments
    from bench.medqa.labels import read_labels, unlabelled
    from bench.report.text import printable

    questions = _read(medqa)
    given = read_labels(labels) if labels else None
    if given is not None and (told := unlabelled(questions, given)):
        typer.echo(printable(f"warning: {labels}: {told}"), err=True)
    known = Departments(questions, given)
    found = [known.find(one) for one in questions.questions]
    counts = Counter((one.department, one.label) for one in found if one)
    chosen = known.select(include_borderline=include_borderline)
    names = (*DEPARTMENTS, *sorted({one for one, _ in counts} - set(DEPARTMENTS)))
    rows = [
        (
            name,
            *(str(counts[name, label]) for label in ("clear", "borderline")),
            str(len(chosen[name])) if name in chosen else "",
        )
        for name in names
    ]
    total = Counter(one.label for one in found if one)
    rows.append(
        (
            "all of these",
            *(str(total[label]) for label in ("clear", "borderline")),
            str(sum(map(len, chosen.values()))),
        )
    )
    sources = Counter(one.source for one in found if one)
    notes = [
        f"source: {questions.source}",
        f"{len(questions.questions)} questions, {questions.options} options each; department by "
        f"{', '.join(f'{source} ({n})' for source, n in sorted(sources.items())) or 'nothing'}; "
        f"{found.count(None)} of none",
        "used: what Table 5 counts; near repeats of another question are left out",
    ]
    if is_audited_split(questions.ids):
        split = manifest()
        notes.append(f"the set is {split['source']['dataset']}, list version {split['version']}")
    columns = ("Department", "Clear", "Borderline", "Used")
    show_grids([Grid("Questions by department", columns, tuple(rows), tuple(notes))])


@app.command("classify")
def classify_questions(
    medqa: str | None = Source,
    backbone: str = typer.Option(..., "--backbone", "-b", help="Backbone that labels."),
    out: Path = typer.Option(..., "--out", callback=usable, help="File that receives the labels."),
    journal: Path | None = typer.Option(
        None,
        "--journal",
        callback=usable,
        help="Journal to keep answers in; beside the labels if none.",
    ),
    at_once: int = typer.Option(8, "--at-once", min=1, help="Questions worked on at a time."),
    retry_failed: bool = typer.Option(
        False, "--retry-failed", help="Ask stored refusals and invalid answers again."
    ),
) -> None:
    """Have a language model say to which department each question belongs: three votes each."""
    from bench.api.failure import Failure
    from bench.authoring.question_labels import agreement
    from bench.cli.screen import report_failures, run_until_stopped
    from bench.medqa.labels import Classified

    kept = journal or out.with_name(f".{out.name}.journal.sqlite")
    _check_places(out, kept)
    questions = _read(medqa)
    before = _labels_before(out, questions.source)
    work = _classify(questions, backbone, kept, at_once, retry_failed)
    made = run_until_stopped(work)
    rows = [one for one in made if isinstance(one, Classified)]
    failures = [one for one in made if isinstance(one, Failure)]
    _tell(rows)
    typer.echo(str(agreement(questions, rows)))
    _write(out, rows, before if failures else 0)
    report_failures(failures, "run the same command again to ask for them")


def _read(source: str | None) -> "QuestionSet":
    from bench.medqa.sources import load_questions
    from bench.report.text import printable

    questions = load_questions(source)
    for warning in questions.warnings:
        typer.echo(printable(f"warning: {questions.source}: {warning}"), err=True)
    return questions


def _check_places(out: Path, journal: Path) -> None:
    """Find out before any work whether labels and journal can be kept there.

    Raises:
        UserError: if not.
    """
    from bench.core.atomic import check_writable
    from bench.core.errors import UserError

    if out.exists() and not out.is_file() and not out.is_dir():
        raise UserError(f"{out} is no regular file: name one to keep the labels in")
    check_writable(out)
    if out.resolve() == journal.resolve():
        raise UserError(f"--out and --journal both name {out}: give each a file of its own")


def _labels_before(out: Path, source: str) -> int:
    """How many questions the file to be written has labels for by now.

    Raises:
        UserError: if it is the question file, or holds anything but labels.
    """
    from bench.core.errors import UserError
    from bench.medqa.labels import read_classified

    if not out.exists():
        return 0
    if Path(source).exists() and out.samefile(source):
        raise UserError(f"--out names the question file {out}: give the labels another file")
    try:
        return len(read_classified(out))
    except UserError as error:
        raise UserError(
            f"{out} is there and is no label file, so it is not written over ({error}): give the "
            "labels another file"
        ) from error


def _write(out: Path, rows: "list[Classified]", least: int) -> None:
    """Write the labels; beside the file if it holds more than these."""
    from bench.core.atomic import write_text
    from bench.report.text import printable

    kept = len(rows) < least
    place = out.with_name(f"{out.name}.partial") if kept else out
    if not rows:
        typer.echo(printable(f"no question has a label: {out} is left as it is"))
        return
    write_text(place, "".join(one.model_dump_json() + "\n" for one in rows))
    if kept:
        typer.echo(
            printable(
                f"{out} has labels of {least} questions and is left as it is: the {len(rows)} of "
                f"this time are in {place}"
            )
        )
    else:
        typer.echo(printable(f"wrote {place}"))


async def _classify(
    questions: "QuestionSet", backbone: str, journal_path: Path, at_once: int, retry_failed: bool
) -> "list[Classified | Failure]":
    from bench.authoring.question_labels import classify
    from bench.cli.options import parse_backbone
    from bench.cli.screen import Progressing
    from bench.journal.journal import Journal
    from bench.knowledge.library import Library
    from bench.runs.roles import Team

    journal = Journal.open(journal_path)
    team = Team(journal, Library(), at_once=at_once, retry_failed=retry_failed)
    try:
        respondent = team.engage("classifier", parse_backbone(backbone))
        made: list[Classified | Failure] = []
        with Progressing().stage("classify", len(questions.questions)) as done:
            async for one in classify(questions.questions, respondent, at_once):
                made.append(one)
                done(failed=not hasattr(one, "votes"))
        return made
    finally:
        await journal.close()
        await team.close()


def _tell(rows: "list[Classified]") -> None:
    """Say how clear the labels are, and what was refused."""
    from bench.medqa.labels import LOST

    labels = Counter(str(row.label or row.lost) for row in rows)
    lost = Counter(vote.outcome for row in rows for vote in row.votes if vote.outcome != "answer")
    typer.echo(
        f"{len(rows)} questions: "
        + ", ".join(f"{labels[one]} {one}" for one in ("clear", "borderline", *LOST))
        + f"; votes without an answer: {lost['refusal']} refused, {lost['invalid']} invalid"
    )
