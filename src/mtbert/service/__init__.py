"""Predictions for programs and people."""
