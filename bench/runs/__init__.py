"""Experiments, the engine and the run directory."""
