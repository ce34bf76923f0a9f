"""Training: setup, phases, the training loop, checkpoints and the summary of a run."""
