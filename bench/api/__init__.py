"""What a plug-in meets: generators, metrics, stages and tables, and what they are given."""
