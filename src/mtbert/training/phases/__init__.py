"""Phases of a run: which parameters train on which examples, and for how long."""
