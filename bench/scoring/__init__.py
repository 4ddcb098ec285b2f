"""From evaluations to scores: intervals, pairs, clusters, comparisons."""
