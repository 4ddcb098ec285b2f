"""MedQA-style questions: reading them, the departments they belong to, and our own sample."""
