"""Loading the outlines: the first time, from the parsed cache, and with PyYAML's plain loader."""

import os
import statistics
import tempfile
import time
from collections.abc import Callable

import yaml

from bench.core.yaml_lines import parse_yaml
from bench.knowledge.library import Library
from bench.knowledge.outline import Outline

RUNS = 5


def seconds(work: Callable[[], object]) -> float:
    """Median wall time, each time with no file parsed before in this process."""
    times = []
    for _ in range(RUNS):
        parse_yaml.cache_clear()
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def list_all() -> int:
    """Only the index: what every start of a run needs."""
    return len(Library().listings)


def load_department() -> int:
    """What a run over one department needs."""
    library = Library()
    return len([library.get(one.id) for one in library.diseases("Urology")])


def load_all() -> int:
    """Every outline, validated."""
    return len(list(Library()))


def load_first() -> int:
    """Every outline, where none was ever parsed."""
    before = os.environ["XDG_CACHE_HOME"]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        number = load_all()
    os.environ["XDG_CACHE_HOME"] = before
    return number


def load_usual() -> int:
    """Every outline as most programs read YAML: the pure Python safe loader."""
    paths = [filed.path for filed in Library().filed.values()]
    return len([Outline.model_validate(yaml.safe_load(path.read_bytes())) for path in paths])


def main() -> None:
    """Print times, and how many times as long the others take as loading all."""
    before = os.environ.get("XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = folder
        load_all()
        whole = seconds(load_all)
        print(f"outlines, all         {whole:8.3f} s for {load_all()} (median of {RUNS})")
        others = {
            "the index": list_all,
            "one department": load_department,
            "all, first time": load_first,
            "plain YAML": load_usual,
        }
        for name, work in others.items():
            taken = seconds(work)
            print(f"outlines, {name:<16}{taken:8.3f} s, {taken / whole:.2f} of all")
    os.environ.pop("XDG_CACHE_HOME")
    if before is not None:
        os.environ["XDG_CACHE_HOME"] = before


if __name__ == "__main__":
    main()
