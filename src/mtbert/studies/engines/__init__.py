"""Engines: where the runs of a study are trained; one a file."""
