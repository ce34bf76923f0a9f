"""Objectives: the loss of a task, and the predictions that its outputs mean; one a file."""
