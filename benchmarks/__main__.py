"""`python -m benchmarks`: every benchmark, one after the other."""

from benchmarks import knowledge, pair_metrics, startup

startup.main()
knowledge.main()
pair_metrics.main()
