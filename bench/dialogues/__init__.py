"""Interviews of patients by doctors, and their files."""
