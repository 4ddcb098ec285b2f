"""Names of files that no file can have, told before they do harm."""

from pathlib import Path

from bench.core.errors import UserError


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
