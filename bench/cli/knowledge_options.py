"""The options that say which disease knowledge a command uses."""

import typer

Knowledge = typer.Option(
    None,
    "--kb",
    help="Folder of outlines that extend the built-in ones, or replace those of the same id; may "
    "be given several times.",
)
Drafts = typer.Option(False, "--drafts", help="Use drafts that nobody has approved, too.")
