"""Outlines drafted from source texts, and checked (paper section 3.1, step 1)."""
