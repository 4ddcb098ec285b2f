"""Doctor agents that learn from patient records, as in Agent Hospital (arXiv 2405.02957)."""
