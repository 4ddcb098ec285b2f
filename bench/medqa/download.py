"""Fetch one split of a dataset of the hub into the `datasets` cache, and say where it lies.

Run by its path in a process of its own (see `bench.medqa.hub`), for a library that waits in silence
can only be ended with its process; so nothing of ours is imported here. It ends when its input
does: with the process that began it. The last line written is JSON: the Arrow files, or the error.
"""

import json
import os
import sys
import threading


def main(repo: str, revision: str, split: str) -> None:
    """Write the line."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    import datasets

    line: dict[str, object]
    try:
        dataset = datasets.load_dataset(repo, revision=revision, split=split, keep_in_memory=False)
        line = {"files": [one["filename"] for one in dataset.cache_files]}
    except Exception as error:  # noqa: BLE001 (whatever a library raises is one sentence)
        line = {"error": f"{type(error).__name__}: {error.__cause__ or error}"}
    sys.stdout.write(f"\n{json.dumps(line)}\n")
    sys.stdout.flush()
    os._exit(0)  # the library's threads may still be waiting for the hub


def _end_with_input() -> None:
    sys.stdin.buffer.read()
    os._exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
