"""Sampling: which examples of which task each step trains on."""
