"""The commands; nothing heavy is imported here or at the top of a command module."""

from typing import Any

import typer
from typer.core import TyperGroup

from bench.cli import chat, kb, medqa, memory, reproduce, run, schema, score, show
from bench.cli import list as list_command

SUMMARY = "Patient-Zero Bench: evaluate synthetic patients under one protocol."


class Commands(TyperGroup):
    """Commands that are listed with their whole first sentence."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """As usual, but nothing is cut."""
        commands = [self.commands[name] for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl([(one.name, one.get_short_help_str(1000)) for one in commands])


app = typer.Typer(
    name="pzbench",
    cls=Commands,
    help=SUMMARY,
    no_args_is_help=True,
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("reproduce", cls=reproduce.TableCommand)(reproduce.reproduce)
app.command("run", cls=run.RunCommand)(run.run)
app.command("score", cls=score.ScoreCommand)(score.score)
app.command("show")(show.show)
app.command("chat")(chat.chat)
app.command("memory")(memory.memory)
app.command("schema")(schema.schema)
app.command("list")(list_command.list_plugins)
app.add_typer(kb.app, name="kb", cls=Commands)
app.add_typer(medqa.app, name="medqa", cls=Commands)


def _version(asked: bool) -> None:
    if asked:
        from importlib.metadata import version

        typer.echo(f"pzbench {version('patient-zero-bench')}")
        raise typer.Exit


@app.callback(help=SUMMARY)
def _options(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Show the version and exit."
    ),
    debug: bool = typer.Option(
        False, "--debug", help="Show where an error came from, as a traceback; works anywhere."
    ),
) -> None:
    """Nothing is left to do: `--debug` has been read by the console script."""
