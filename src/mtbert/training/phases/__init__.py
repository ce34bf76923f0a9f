"""The phases of a run: what learns from which examples, and for how long."""
