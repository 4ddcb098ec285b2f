"""The steps of an experiment, one file (or folder) each."""
