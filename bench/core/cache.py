"""The user's cache folder: what may be deleted at any time and is made anew."""

import os
from pathlib import Path


def cache_folder(kind: str) -> Path:
    """Where things of one kind are kept, by the XDG base directory rules; it may not be there.

    Raises:
        RuntimeError: the user has no home and names no folder by XDG_CACHE_HOME.
    """
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    return (named if named.is_absolute() else Path.home() / ".cache") / "pzbench" / kind
