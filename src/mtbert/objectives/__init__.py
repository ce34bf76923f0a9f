"""Targets: what a task's outputs are held to."""
