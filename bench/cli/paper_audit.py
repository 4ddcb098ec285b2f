"""`pzbench paper-audit`."""

from pathlib import Path

import typer

REPORT = "paper-audit"


def paper_audit(
    rounding: str = typer.Option(
        "half-up", "--rounding", help="How figures were printed: half-up, half-even or cut."
    ),
    triples: int = typer.Option(10_000, "--triples", help="Random triples of the chance control."),
    seed: int = typer.Option(0, "--seed", help="Seed of the chance control."),
    json_file: Path | None = typer.Option(None, "--json", help="Write everything as JSON here."),
    csv_file: Path | None = typer.Option(None, "--csv", help="Write the figures as CSV here."),
) -> None:
    """Recompute what the paper's figures of Tables 1 to 5 imply: which N can stand behind them."""
    import json

    from bench.cli.screen import show_files, show_grids
    from bench.core.atomic import check_writable, writing
    from bench.core.registry import REPORTS

    report = REPORTS.make(REPORT, {"rounding": rounding, "triples": triples, "seed": seed})
    paths = [path for path in (json_file, csv_file) if path is not None]
    for path in paths:
        check_writable(path)
    show_grids(report.grids())
    if json_file is not None:
        with writing(json_file) as file:
            file.write(json.dumps(report.data(), indent=2, ensure_ascii=False) + "\n")
    if csv_file is not None:
        with writing(csv_file) as file:
            file.write(report.csv())
    show_files(paths)
