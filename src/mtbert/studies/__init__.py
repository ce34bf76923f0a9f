"""Grids of runs: planned, run, recorded and compared. No torch."""
