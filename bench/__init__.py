"""The harness: records, knowledge, backbones, journal, runs and the command line."""
