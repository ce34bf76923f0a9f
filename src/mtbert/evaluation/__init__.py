"""Predictions → scores → files."""
