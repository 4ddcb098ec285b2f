"""CPU time of `pzbench --help` beside an interpreter that does nothing, and what it imports."""

import resource
import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

RUNS = 7
HEAVY = (
    "datasets", "evaluate", "numpy", "openai", "pandas", "rapidfuzz", "sacrebleu", "scipy",
    "sentence_transformers", "sklearn", "torch", "transformers",
)  # fmt: skip
_LISTED = """
import sys
sys.argv = ["pzbench", "--help"]
from bench.cli.main import main
try:
    main()
except SystemExit:
    pass
sys.stderr.write(" ".join(sorted({name.split(".")[0] for name in sys.modules})))
"""


def cpu_seconds(command: Sequence[str]) -> float:
    """Median user and system time of a command."""
    times = []
    for _ in range(RUNS):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)
    return statistics.median(times)


def heavy_modules() -> list[str]:
    """Heavy packages that `pzbench --help` imports; none, if all is well."""
    listed = subprocess.run(
        [sys.executable, "-c", _LISTED], check=True, capture_output=True, text=True
    )
    return sorted(set(listed.stderr.split()) & set(HEAVY))


def main() -> None:
    """Print the times and the list."""
    script = Path(sys.executable).with_name("pzbench")
    ours = cpu_seconds([str(script), "--help"])
    nothing = cpu_seconds([sys.executable, "-c", "pass"])
    print(f"pzbench --help   {ours:.3f} CPU s (median of {RUNS})")
    print(f"python -c pass   {nothing:.3f} CPU s")
    print(f"heavy modules    {', '.join(heavy_modules()) or 'none'}")


if __name__ == "__main__":
    main()
