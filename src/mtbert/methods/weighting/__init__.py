"""Weighting: how much each task's loss counts in a step."""
