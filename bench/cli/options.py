"""Options that several commands have, and what is typed for them."""

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from bench.core.errors import UserError

if TYPE_CHECKING:
    from bench.api.choice import Choice


def usable(path: Path | None) -> Path | None:
    """The path as it was given, for an option's callback.

    Raises:
        UserError: if no file can be looked for there: the name is too long, or a link leads round.
    """
    if path is not None:
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            pass  # whether it must be there is for others to say
        except (OSError, ValueError) as error:
            raise _unusable(str(path), error) from error
    return path


def typed(name: str) -> Path:
    """A path as typed in a conversation, quoted or not; `~` is the home folder.

    Raises:
        UserError: as `usable`, and if there is no such home folder.
    """
    bare = name.strip("\"'")
    try:
        path = Path(bare).expanduser()
    except RuntimeError as error:
        raise _unusable(bare, error) from error
    usable(path)
    return path


def _unusable(name: str, error: Exception) -> UserError:
    why = (isinstance(error, OSError) and error.strerror) or str(error).rstrip(".")
    shown = name if len(name) <= 80 else f"{name[:77]}..."
    return UserError(f"{shown} cannot be used ({why}): name another file")


def parse_backbone(text: str) -> "Choice":
    """A backbone as it is typed: "openai/gpt-4o", "openai/llama3:8b" or "openai/x:timeout=9,as=x".

    Raises:
        UserError: for an option without a value.
    """
    from bench.api.choice import Choice, parse_choice

    return parse_choice(text) if "=" in text else Choice(name=text)


Knowledge = typer.Option(
    None,
    "--kb",
    help="Folder of outlines that extend the built-in ones, or replace those of the same id; may "
    "be given several times.",
)
Drafts = typer.Option(False, "--drafts", help="Use drafts that nobody has approved, too.")
Out = typer.Option(None, "--out", callback=usable, help="Run folder; runs/NAME by default.")
JournalPath = typer.Option(
    None,
    "--journal",
    callback=usable,
    help="Journal to share between runs; the run's own by default.",
)
AtOnce = typer.Option(32, "--at-once", min=1, help="Exchanges in flight with each backbone.")
RetryFailed = typer.Option(
    False, "--retry-failed", help="Ask stored refusals and invalid answers again."
)
PlanOnly = typer.Option(False, "--plan", help="Say what would be asked, and stop.")
Yes = typer.Option(False, "--yes", "-y", help="Do not ask before many exchanges.")
