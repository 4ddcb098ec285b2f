"""Experiment files, their plan, and what runs them."""
