"""`pzbench kb`: the disease knowledge."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bench.cli.options import Drafts, JournalPath, Knowledge, RetryFailed, SameModel
from bench.core.text import one_line

if TYPE_CHECKING:
    from bench.authoring.draft import DraftSubject
    from bench.authoring.source import SourceText
    from bench.knowledge.outline import Outline
    from bench.runs.settings import Settings

FAULTY = 3
"""Exit code of `check` when there are faults."""
Own = typer.Option(..., "--kb", help="Your folder of outlines.")
app = typer.Typer(help="The disease knowledge.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_diseases(
    department: str | None = typer.Option(None, "--department", help="Only this department."),
    kb: list[Path] | None = Knowledge,
) -> None:
    """List the diseases that have an outline, drafts marked."""
    from bench.cli.screen import say
    from bench.knowledge.library import Library

    library = Library(*(kb or ()), drafts=True, clashing=True)
    for name in [department] if department else library.departments:
        for listing in library.diseases(name):
            mark = "  (draft)" if listing.draft else ""
            say(f"{listing.id}  {listing.department:<16}  {listing.name}{mark}")


@app.command("show")
def show_outline(
    disease: str = typer.Argument(help="Id, name or synonym."),
    kb: list[Path] | None = Knowledge,
) -> None:
    """Show an outline as a language model is given it, a draft with where each field comes from."""
    from bench.cli.screen import say
    from bench.knowledge.description import describe, trace
    from bench.knowledge.library import Library

    outline = Library(*(kb or ()), drafts=True, clashing=True).get(disease)
    say(describe(outline))
    if outline.provenance is not None:
        say("\n" + trace(outline, outline.provenance))


@app.command("check")
def check_outlines(
    paths: list[Path] | None = typer.Argument(
        None, help="Files or folders to check, against the rest; the whole knowledge if none."
    ),
    kb: list[Path] | None = Knowledge,
) -> None:
    """Find what is wrong in outlines: beyond the schema, what contradicts itself or is copied."""
    from bench.authoring.inspection import inspect_outlines
    from bench.cli.screen import say
    from bench.knowledge.library import FOLDER

    found = inspect_outlines([FOLDER, *(kb or ())], paths or ())
    for complaint in found.complaints:
        say(complaint)
    drafts = f"; drafts not approved: {', '.join(found.drafts)}" if found.drafts else ""
    noun = "fault" if len(found.complaints) == 1 else "faults"
    say(f"{found.files} outlines checked: {len(found.complaints) or 'no'} {noun}{drafts}")
    if found.complaints:
        raise typer.Exit(FAULTY)


@app.command("stats")
def show_stats(kb: list[Path] | None = Knowledge, drafts: bool = Drafts) -> None:
    """Count what the outlines of each department hold: the median and the range."""
    from bench.api.table import Grid
    from bench.authoring.counts import count_outlines
    from bench.cli.screen import show_grids
    from bench.knowledge.library import Library

    counted = count_outlines(Library(*(kb or ()), drafts=drafts))
    rows = tuple((what, *(counts[what] for counts in counted.values())) for what in counted["all"])
    title = "Outlines: how many, and the median and range of what each holds"
    show_grids([Grid(title, ("", *counted), rows)])


@app.command("index")
def write_index(
    kb: Path | None = typer.Option(None, "--kb", help="Your folder of outlines; ours if none."),
) -> None:
    """Write the index of a folder of outlines anew: what it lists need not be read to list it."""
    from bench.cli.screen import say
    from bench.core.atomic import write_text
    from bench.knowledge.library import FOLDER, INDEX, build_index

    folder = kb or FOLDER
    write_text(folder / INDEX, build_index(folder))
    say(f"wrote {folder / INDEX}")


@app.command("build")
def build_draft(
    source: Path = typer.Option(..., "--source", help="Text of the disease, or folder of texts."),
    disease: str = typer.Option(..., "--disease", help="Name of the disease, as the text has it."),
    kb: Path = typer.Option(..., "--kb", help="Folder that receives the draft."),
    backbone: str = typer.Option(..., "--backbone", "-b", help="Backbone that drafts."),
    department: str | None = typer.Option(None, "--department", help="Department of the disease."),
    replace: bool = typer.Option(
        False, "--replace", help="Draft another outline of a disease that has one."
    ),
    journal: Path | None = JournalPath,
    retry_failed: bool = RetryFailed,
    same_model: bool = SameModel,
) -> None:
    """Draft an outline from encyclopedia text (HTML, Markdown or plain text) for you to check."""
    from bench.authoring.draft_file import draft_path, plan_subject, write_draft
    from bench.authoring.source import read_sources
    from bench.cli.screen import run_until_stopped, say
    from bench.core.atomic import check_writable
    from bench.knowledge.library import Library, holds_outlines
    from bench.runs.settings import Settings

    disease = one_line(disease)
    known = Library(*([kb] if holds_outlines(kb) else []), drafts=True, clashing=True)
    subject = plan_subject(known, disease, department, replace)
    path = draft_path(kb, subject)
    check_writable(path)
    sources = read_sources(source, disease)
    size = sum(len(one.text) for one in sources)
    named = ", ".join(one.name for one in sources)
    say(f"drafting {subject.id} {subject.name} from {named} ({size:,} characters)", err=True)
    settings = Settings(
        journal or kb / ".journal.sqlite", retry_failed=retry_failed, same_model=same_model
    )
    outline = run_until_stopped(_draft(subject, sources, backbone, settings))
    if (kept := write_draft(path, outline)) is not None:
        say(f"the draft that was there is kept as {kept}")
    _tell(outline, path, kb)


async def _draft(
    subject: "DraftSubject",
    sources: "tuple[SourceText, ...]",
    backbone: str,
    settings: "Settings",
) -> "Outline":
    from bench.api.choice import parse_choice
    from bench.authoring.draft import draft_outline
    from bench.backbones.prompt import AskError
    from bench.cli.screen import warn
    from bench.core.errors import UserError
    from bench.runs.roles import engaged

    try:
        async with engaged("generator", parse_choice(backbone), settings) as respondent:
            outline = await draft_outline(subject, sources, respondent)
            warn(respondent.notes)
            return outline
    except AskError as failure:
        raise UserError(
            f"{backbone} gave no draft of {subject.name}: {failure}; nothing was written, what it "
            "answered is kept (--retry-failed asks what failed again)"
        ) from failure


def _tell(outline: "Outline", path: Path, kb: Path) -> None:
    """Say what the draft rests on, and what comes next."""
    from shlex import quote

    from bench.authoring.inspection import inspect_outlines
    from bench.cli.screen import say
    from bench.knowledge.library import FOLDER

    made = outline.provenance
    if made is not None:
        say(
            f"{len(made.evidence)} fields have a span of the source, "
            f"{len(made.unsupported)} have none and are marked as unsupported"
        )
    for complaint in inspect_outlines([FOLDER, kb], [path]).complaints:
        say(f"to mend: {complaint}")
    say(f"wrote the draft {path}")
    typer.echo("\nnext:")
    which, where = quote(outline.id), quote(str(kb))
    typer.echo(f"  pzbench kb show {which} --kb {where}    each field beside its source")
    typer.echo(f"  pzbench kb approve {which} --by NAME --kb {where}    when you have checked it")


@app.command("approve")
def approve_draft(
    disease: str = typer.Argument(help="Id, name or synonym."),
    by: str = typer.Option(..., "--by", help="Who checked it."),
    kb: Path = Own,
    note: str = typer.Option("", "--note", help="How it was checked."),
) -> None:
    """Record that you have checked a draft; from then on runs use it."""
    from datetime import UTC, datetime

    from bench.authoring.inspection import inspect_outlines
    from bench.cli.screen import say
    from bench.core.errors import UserError
    from bench.knowledge.approval import approve
    from bench.knowledge.library import FOLDER, Library

    library = Library(base=kb, drafts=True, clashing=True)
    outline = library.get(disease)
    filed = library.filed[outline.id]
    if outline.provenance is None:
        raise UserError(f"{outline.id} {outline.name} is no draft: there is nothing to approve")
    if not filed.draft and outline.approval is not None:
        told = outline.approval
        raise UserError(f"{outline.id} {outline.name} was approved by {told.by} on {told.on}")
    if not by.strip():
        raise UserError("--by is empty: say who checked the draft")
    found = inspect_outlines([FOLDER, kb], [filed.path]).faults
    if found:
        more = f" (and {len(found) - 1} more: pzbench kb check)" if found[1:] else ""
        raise UserError(f"{outline.id} cannot be approved before it is mended: {found[0]}{more}")
    done = approve(filed.path, by.strip(), datetime.now(UTC).date(), note)
    unsupported = len(outline.provenance.unsupported)
    say(
        f"{outline.id} {outline.name}: approved by {done.by} on {done.on}; "
        f"{unsupported} of its fields rest on no source but on {done.by}"
    )
