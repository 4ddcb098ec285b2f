"""Text encoders run in process."""
