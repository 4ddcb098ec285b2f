"""`pzbench`: the commands and how they end.

Exit codes: 0 done; 2 bad input, one sentence says what to do; 3 done, but items failed; 130 stopped
by the user. Nothing heavy is imported here or at the top of a command module.
"""

import gc
import sys

import typer

from bench.cli import chat, kb, medqa, memory, reproduce, run, score, show
from bench.cli import list as list_command
from bench.core.errors import UserError

app = typer.Typer(
    name="pzbench",
    help="Patient-Zero Bench: evaluate synthetic patients under one protocol.",
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("reproduce", cls=reproduce.TableCommand)(reproduce.reproduce)
app.command("run")(run.run)
app.command("score", cls=score.ScoreCommand)(score.score)
app.command("show")(show.show)
app.command("chat")(chat.chat)
app.command("memory")(memory.memory)
app.command("schema")(list_command.print_schema)
app.command("list")(list_command.list_plugins)
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
    # Thousands of requests are under way at once: the default looks for cycles among them so often
    # that it takes a fifth of the time.
    gc.set_threshold(50_000)
    try:
        app()
    except UserError as error:
        from bench.report.text import printable

        typer.echo(printable(f"pzbench: {error}"), err=True)
        sys.exit(2)
    except BrokenPipeError:
        # Whoever read our output has gone (`pzbench list | head`): nothing is left to say.
        sys.stderr.close()
        sys.exit(141)
