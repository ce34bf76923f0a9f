"""Parameter sharing between tasks: one scheme a file."""
