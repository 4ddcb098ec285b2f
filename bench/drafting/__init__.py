"""Drafts of outlines from encyclopedia text (paper section 3.1, step 1)."""
