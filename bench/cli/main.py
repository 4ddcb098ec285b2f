"""`pzbench`: the commands and how they end.

Exit codes: 0 done; 2 bad input, one sentence says what to do; 3 done, but items failed; 130 stopped
by the user. Nothing heavy is imported here or at the top of a command module.
"""

import sys

import typer

from bench.cli import auditing, chatting, kb, listing, medqa, remembering, running, scoring, showing
from bench.errors import UserError

app = typer.Typer(
    name="pzbench",
    help="Patient-Zero Bench: evaluate synthetic patients under one protocol.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("reproduce")(running.reproduce)
app.command("run")(running.run)
app.command("score")(scoring.score)
app.command("show")(showing.show)
app.command("chat")(chatting.chat)
app.command("memory")(remembering.memory)
app.command("paper-audit")(auditing.paper_audit)
app.command("schema")(listing.print_schema)
app.command("list")(listing.list_plugins)
app.add_typer(kb.app, name="kb")
app.add_typer(medqa.app, name="medqa")


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"pzbench {version('patient-zero-bench')}")
        raise typer.Exit


@app.callback()
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
) -> None:
    """Patient-Zero Bench: evaluate synthetic patients under one protocol."""


def main() -> None:
    """The console script."""
    try:
        app()
    except UserError as error:
        from bench.tables import printable

        typer.echo(printable(f"pzbench: {error}"), err=True)
        sys.exit(2)
    except BrokenPipeError:
        # Whoever read our output has gone (`pzbench list | head`): nothing is left to say.
        sys.stderr.close()
        sys.exit(141)
