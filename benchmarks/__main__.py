"""`python -m benchmarks`: every benchmark, one after the other."""

from benchmarks import judging, knowledge, pair_metrics, patterns, startup

startup.main()
knowledge.main()
judging.main()
pair_metrics.main()
patterns.main()
