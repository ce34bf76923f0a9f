"""Progress of long-running work on a terminal, and its cooperative shutdown."""
