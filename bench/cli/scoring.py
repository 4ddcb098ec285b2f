"""`pzbench score`."""

from pathlib import Path

import typer


def score(
    records: Path = typer.Argument(help="Records: .jsonl or .parquet."),
) -> None:
    """Score records made elsewhere; no plug-in needed."""
