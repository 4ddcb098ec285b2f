"""`python -m benchmarks`: every benchmark, one after the other."""

from benchmarks import pair_metrics, startup

startup.main()
pair_metrics.main()
