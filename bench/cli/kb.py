"""`pzbench kb`: the disease knowledge."""

import typer

app = typer.Typer(help="The disease knowledge.", no_args_is_help=True, rich_markup_mode=None)


@app.command("list")
def list_diseases(
    department: str | None = typer.Option(None, "--department", help="Only this department."),
) -> None:
    """List the diseases that have an outline."""
    from bench.knowledge.library import Library

    library = Library()
    for name in [department] if department else library.departments:
        for listing in library.diseases(name):
            typer.echo(f"{listing.id}  {listing.department:<16}  {listing.name}")


@app.command("show")
def show_outline(disease: str = typer.Argument(help="Id, name or synonym.")) -> None:
    """Show an outline as a language model is given it."""
    from bench.knowledge.describing import describe
    from bench.knowledge.library import Library

    typer.echo(describe(Library().get(disease)))


@app.command("index")
def write_index() -> None:
    """Write the index of the outlines anew, after one was edited or added."""
    from bench.files import write_text
    from bench.knowledge.library import FOLDER, INDEX, build_index

    write_text(FOLDER / INDEX, build_index(FOLDER))
    typer.echo(f"wrote {FOLDER / INDEX}")
